//! A second emulator, by other people: what both agree on is AWS's rather than one's.

use crate::ministack::{free_port, sdk_config};
use crate::python;
use aws_config::SdkConfig;
use faregate_tests::server::PATIENCE;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Runs until it is dropped, or this process ends in any way. Its data is in memory.
pub struct Moto {
    /// `http://127.0.0.1:<port>`, every service.
    pub url: String,
    child: Child,
    _dir: TempDir,
}

impl Moto {
    /// Starts one, and waits until it listens.
    pub fn start() -> Moto {
        let dir = tempfile::Builder::new().prefix("faregate-moto-").tempdir().unwrap();
        let (python, port) = (python::moto(), free_port());
        let child = Command::new(python.python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/until_stdin_ends.py"))
            .arg(python.bin().join("moto_server"))
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .env("TMPDIR", dir.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(dir.path())
            .process_group(0) // which the program ends with itself
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut moto = Moto { url: format!("http://127.0.0.1:{port}"), child, _dir: dir };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(moto.child.try_wait().unwrap().is_none() && Instant::now() < deadline, "moto does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto
    }

    /// How the SDK reaches it.
    pub async fn sdk_config(&self) -> SdkConfig {
        sdk_config(&self.url).await
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
