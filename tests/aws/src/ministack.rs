//! The emulator, as a process on a free port of loopback.

use crate::python;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use faregate_cli::demo::leftovers;
use faregate_tests::server::PATIENCE;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where everything is.
pub const REGION: &str = "us-east-1";
/// Whose everything is: ministack's own account.
pub const ACCOUNT: &str = "000000000000";

/// Runs until it is dropped, or this process ends in any way. Its data is in memory and in a directory of its own.
pub struct Ministack {
    /// `http://127.0.0.1:<port>`: every service but ECS, where another is given for that.
    pub url: String,
    /// Its port.
    pub port: u16,
    /// Its log.
    pub log: PathBuf,
    dir: TempDir,
    child: Child,
}

impl Ministack {
    /// Starts one, and waits until it answers.
    pub fn start() -> Ministack {
        Ministack::start_at(free_port(), &[])
    }

    /// Starts one on this port, with more in its environment, which is the environment of functions too.
    pub fn start_at(port: u16, environment: &[(&str, &str)]) -> Ministack {
        let dir = tempfile::Builder::new().prefix("faregate-ministack-").tempdir().unwrap();
        let log = dir.path().join("ministack.log");
        let output = File::create(&log).unwrap();
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let python = python::emulator();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(python.python());
        command
            .arg(programs.join("until_stdin_ends.py"))
            .arg(programs.join("ministack_with_ecs_events.py"))
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0") // its listener ignores BIND_HOST
            .env("GATEWAY_PORT", port.to_string())
            .env("TMPDIR", dir.path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        set_aws(&mut command, &url);
        let child = command
            .envs(environment.iter().copied())
            .current_dir(dir.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut ministack = Ministack { url, port, log, dir, child };
        ministack.wait();
        ministack
    }

    /// How the SDK reaches it.
    pub async fn sdk_config(&self) -> SdkConfig {
        sdk_config(&self.url).await
    }

    /// The processes of functions that run now.
    pub fn functions(&self) -> Vec<leftovers::Leftover> {
        leftovers::find(self.dir.path()).into_iter().filter(|process| process.command.contains("bootstrap")).collect()
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !answers(self.port) {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                panic!("ministack does not answer:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        kill_all(self.dir.path());
    }
}

/// Kills what has to do with the directory, until nothing does.
pub fn kill_all(dir: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while leftovers::kill(dir) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What every process needs to use the emulator in place of AWS.
pub fn set_aws(command: &mut Command, url: &str) {
    command
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
}

/// How the SDK reaches an emulator, or what stands before it.
pub async fn sdk_config(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .load()
        .await
}

/// A port that nobody listens at now, and that no connection gets before it is listened at: those below 32,768 are not given to
/// connections (`net.ipv4.ip_local_port_range`).
pub fn free_port() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    loop {
        let random = std::hash::RandomState::new().build_hasher().finish();
        let port = 10_000 + (random % 22_000) as u16;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /_ministack/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
