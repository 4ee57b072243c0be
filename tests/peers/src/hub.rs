//! JupyterHub from PyPI with its proxy from npm, and a user `alice` of the group `science`. It knows the gateway as a service.

use crate::script;
use faregate_cli::demo::leftovers;
use faregate_cli::python::{PythonEnv, Spec, ensure};
use faregate_tests::python::{DASK_VERSIONS, home};
use faregate_tests::server::eventually;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The proxy, of this version.
const PROXY: &str = "configurable-http-proxy@5.3.0";
/// The gateway's token at the hub.
pub const OWN_TOKEN: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
/// The token of a service that may start servers and make tokens.
pub const DRIVER_TOKEN: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";

/// Where the hub will be.
pub struct Place {
    dir: TempDir,
    /// The public port, the hub's, and that of the proxy's API.
    ports: [u16; 3],
}

/// The hub. Dropped, it is killed with all that it has started.
pub struct Hub {
    place: Place,
    child: Child,
}

impl Place {
    /// A directory, and ports that are free.
    pub fn find() -> Place {
        let dir = tempfile::Builder::new().prefix("faregate-hub-").tempdir().unwrap();
        // beyond those that the system gives to whoever asks for any, so that it gives them to nobody meanwhile
        let first = 20_000 + u16::try_from(std::process::id() % 400).unwrap() * 30;
        let free = (first..).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        let mut ports = [0; 3];
        ports.iter_mut().zip(free).for_each(|(port, free)| *port = free);
        Place { dir, ports }
    }

    /// The hub's address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }
}

impl Hub {
    /// Starts it with the gateway as the service `dask-gateway`, and waits until it answers.
    pub fn start(place: Place, gateway: &str) -> Hub {
        let log = File::create(place.dir.path().join("hub.log")).unwrap();
        let python = python();
        let mut command = Command::new(python.python());
        let [public, hub, api] = place.ports;
        command
            .args(["-m", "jupyterhub", "-f"])
            .arg(script("jupyterhub_config"))
            .current_dir(place.dir.path())
            .env("PEER_DIR", place.dir.path())
            .env("PEER_PORTS", format!("{public},{hub},{api}"))
            .env("PEER_PROXY", proxy())
            .env("PEER_GATEWAY", gateway)
            .env("PEER_TOKENS", format!("{OWN_TOKEN},{DRIVER_TOKEN}"));
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut hub = Hub { place, child };
        eventually("the hub is running", || {
            assert!(hub.child.try_wait().unwrap().is_none(), "it has ended:\n{}", hub.log());
            hub.log().contains("JupyterHub is now running") && TcpStream::connect(("127.0.0.1", public)).is_ok()
        });
        hub
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.place.address()
    }

    /// The hub is gone, all at once; its proxy and its users' servers live on.
    pub fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.dir.path().join("hub.log")).unwrap_or_default()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // proxy, servers and kernels, some of which may be starting others
        while leftovers::kill(self.place.dir.path()) > 0 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The environment of the hub, of its users' notebooks, and of their clusters.
pub fn python() -> PythonEnv {
    let mut spec = Spec::dask(DASK_VERSIONS[0], home());
    spec.requirements.extend(["jupyterhub==6.1.1", "jupyter_server==2.21.1", "ipykernel"].map(str::to_owned));
    ensure(&spec, &|step| eprintln!("{step}")).unwrap()
}

/// The npm proxy's program: installed once, kept beside the Python environments.
fn proxy() -> PathBuf {
    let dir = home().join(PROXY.replace('@', "-"));
    let program = dir.join("node_modules/.bin/configurable-http-proxy");
    if !program.exists() {
        let new = tempfile::Builder::new().prefix("npm-").tempdir_in(home()).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(new.path()).arg(PROXY).stdin(Stdio::null());
        let output = npm.output().unwrap_or_else(|error| panic!("`npm` cannot be run, install Node.js: {error}"));
        assert!(output.status.success(), "npm: {}", String::from_utf8_lossy(&output.stderr));
        // another process may have been faster
        let _ = std::fs::rename(new.path(), &dir);
        assert!(program.exists(), "npm has installed no {}", program.display());
    }
    std::path::absolute(program).unwrap()
}
