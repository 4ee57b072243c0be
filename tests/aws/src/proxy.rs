//! The proxy's task, which the emulator does not run: the real binary, as the stack's task definition tells it to run.

use crate::functions::proxy;
use crate::ministack::set_aws;
use faregate_tests::server::PATIENCE;
use serde_json::Value;
use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The ports of this machine that stand for those of the load balancer.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub relay: u16,
    pub dashboards: u16,
}

/// The process. Killed when it is dropped.
pub struct Proxy {
    /// Its log.
    pub log: PathBuf,
    child: Child,
}

impl Proxy {
    /// Starts the container of a task definition in a directory, and waits until it listens. On Fargate it would have ports 8786 and
    /// 8443 of an address of its own.
    pub fn start(container: &Value, ports: Ports, aws: &str, dir: &Path) -> Proxy {
        let log = dir.join(format!("proxy-{}.log", ports.relay));
        let output = File::create(&log).unwrap();
        let mut command = Command::new(proxy());
        command.env_clear();
        set_aws(&mut command, aws);
        for variable in container["environment"].as_array().unwrap() {
            command.env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
        }
        let child = command
            .env("FAREGATE_RELAY_PORT", ports.relay.to_string())
            .env("FAREGATE_DASHBOARDS_PORT", ports.dashboards.to_string())
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut proxy = Proxy { log, child };
        proxy.wait(ports);
        proxy
    }

    fn wait(&mut self, ports: Ports) {
        let deadline = Instant::now() + PATIENCE;
        while [ports.relay, ports.dashboards].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            if self.child.try_wait().unwrap().is_some() || Instant::now() > deadline {
                panic!("the proxy does not listen:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
