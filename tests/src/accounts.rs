//! System accounts for a test, made as root and taken away again.

use crate::server::PATIENCE;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// An account. Dropped, it is removed with its home.
pub struct Account {
    /// Its name.
    pub name: String,
}

impl Account {
    /// A new one, with a home; `arguments` are useradd's.
    pub fn new(what: &str, arguments: &[&str]) -> Account {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("fg-{what}-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        run(Command::new("useradd").args(["--create-home", "--no-log-init"]).args(arguments).arg(&name));
        Account { name }
    }

    /// The password field of its line in `/etc/shadow`.
    pub fn set_password(&self, field: &str) {
        run(Command::new("usermod").args(["--password", field, &self.name]));
    }

    /// Its uid.
    pub fn uid(&self) -> u32 {
        let output = Command::new("id").args(["-u", &self.name]).output().expect("id runs");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a uid")
    }

    /// Its home.
    pub fn home(&self) -> PathBuf {
        PathBuf::from("/home").join(&self.name)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // what is not removed has another name than every later one
        let _ = Command::new("userdel").args(["--remove", "--force", &self.name]).output();
    }
}

/// Tries again while somebody else holds the lock of the accounts.
fn run(command: &mut Command) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return;
        }
        assert!(said.contains("lock") && Instant::now() < deadline, "{command:?}: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
