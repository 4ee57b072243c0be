//! Canaille from PyPI: an OpenID provider with a user `alice` of the group `science`, and a client `dask`.

use crate::script;
use faregate_cli::python::{PythonEnv, Spec, ensure};
use faregate_tests::python::home;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The provider. Dropped, it is killed.
pub struct Provider {
    /// Its address, which is its name as an issuer too.
    pub address: String,
    dir: TempDir,
    child: Child,
}

impl Provider {
    /// Starts one that signs with a key of this name.
    pub fn start(key: &str) -> Provider {
        let dir = tempfile::Builder::new().prefix("faregate-oidc-").tempdir().unwrap();
        let (child, address) = serve(&dir, "0", key);
        Provider { address, dir, child }
    }

    /// Starts it again with another key alone, at the same address: the key before is withdrawn.
    pub fn rotate(&mut self, key: &str) {
        self.stop();
        let port = self.address.rsplit(':').next().unwrap();
        (self.child, _) = serve(&self.dir, port, key);
    }

    /// Nobody answers any more.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Alice signs in with her password, as in a browser: her ID token.
    pub fn token(&self) -> String {
        let output = Command::new(python().python()).arg(script("oidc_login")).arg(&self.address).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said.trim().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(dir: &TempDir, port: &str, key: &str) -> (Child, String) {
    let log = File::options().create(true).append(true).open(dir.path().join("provider.log")).unwrap();
    let mut command = Command::new(python().python());
    command.arg(script("oidc_provider")).arg(dir.path()).args([port, key]).current_dir(dir.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
    // whatever it says later is read, so that it can say it
    std::thread::spawn(move || lines.for_each(drop));
    let log = || std::fs::read_to_string(dir.path().join("provider.log")).unwrap_or_default();
    (child, address.unwrap_or_else(|| panic!("the provider does not start:\n{}", log())))
}

fn python() -> PythonEnv {
    let requirements = vec!["canaille[front,oidc,server]==0.3.6".to_owned()];
    ensure(&Spec { requirements, home: home() }, &|step| eprintln!("{step}")).unwrap()
}
