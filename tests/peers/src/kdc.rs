//! A KDC of MIT Kerberos, from Debian's packages `krb5-kdc`, `krb5-admin-server` and `krb5-user`: of an own realm, in a directory of its
//! own, on a free port.

use faregate_tests::server::eventually;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The realm.
pub const REALM: &str = "EXAMPLE.TEST";

/// What every user's password is.
const PASSWORD: &str = "a password";

/// The KDC, and the tickets of one who uses it. Dropped, it is killed.
pub struct Kdc {
    dir: TempDir,
    child: Option<Child>,
}

impl Kdc {
    /// Starts one that knows nobody, and waits until it answers.
    pub fn start() -> Kdc {
        let dir = tempfile::Builder::new().prefix("faregate-kdc-").tempdir().unwrap();
        let mut kdc = Kdc { dir, child: None };
        // a free port may be another's a moment later: then the KDC ends at once
        eventually("the KDC answers", || {
            let port = kdc.configure();
            if !kdc.path("principal").exists() {
                kdc.run("kdb5_util", &["create", "-s", "-r", REALM, "-P", "the master key"]);
            }
            let mut command = kdc.command("krb5kdc", &["-n", "-r", REALM]);
            command.stdout(Stdio::null()).stderr(Stdio::null()); // it has a log
            let mut child = command.spawn().unwrap_or_else(missing("krb5kdc"));
            let mut answers = false;
            eventually("the KDC answers or ends", || {
                answers = TcpStream::connect(("127.0.0.1", port)).is_ok();
                answers || child.try_wait().unwrap().is_some()
            });
            answers &= child.try_wait().unwrap().is_none();
            kdc.child = Some(child);
            answers
        });
        kdc
    }

    /// Writes its configuration and its clients', with a port that was free a moment ago.
    fn configure(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _udp = UdpSocket::bind(("127.0.0.1", port));
        let dir = self.dir.path().display();
        let clients = format!(
            "[libdefaults]
             default_realm = {REALM}
             default_ccache_name = FILE:{dir}/tickets
             dns_lookup_kdc = false
             dns_lookup_realm = false
             dns_canonicalize_hostname = false
             qualify_shortname = \"\"
             rdns = false
             udp_preference_limit = 1
             [realms]
             {REALM} = {{
                 kdc = 127.0.0.1:{port}
             }}
             [domain_realm]
             localhost = {REALM}
            "
        );
        let own = format!(
            "[realms]
             {REALM} = {{
                 database_name = {dir}/principal
                 key_stash_file = {dir}/stash
                 acl_file = {dir}/acl
                 kdc_listen = 127.0.0.1:{port}
                 kdc_tcp_listen = 127.0.0.1:{port}
             }}
             [logging]
             kdc = FILE:{dir}/kdc.log
             admin_server = FILE:{dir}/kadmin.log
             default = FILE:{dir}/other.log
            "
        );
        std::fs::write(self.path("krb5.conf"), clients).unwrap();
        std::fs::write(self.path("kdc.conf"), own).unwrap();
        port
    }

    /// A file of its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a program needs in its environment to use this KDC, and these tickets.
    pub fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("KRB5_CONFIG", self.path("krb5.conf")),
            ("KRB5_KDC_PROFILE", self.path("kdc.conf")),
            ("KRB5CCNAME", self.path("tickets")),
        ]
    }

    /// A program that uses this KDC.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(arguments).envs(self.environment()).env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command.stdin(Stdio::null());
        command
    }

    /// The program's end, which must be a good one: what it said.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program, arguments).output().unwrap_or_else(missing(program));
        assert!(output.status.success(), "{program} {arguments:?}: {}", said(&output));
        said(&output)
    }

    /// What an administrator types.
    pub fn admin(&self, query: &str) {
        let said = self.run("kadmin.local", &["-r", REALM, "-q", query]);
        // it ends well whatever happened
        assert!(!said.contains("while"), "{query}: {said}");
    }

    /// A user, with tickets that are good for so long (`1h`).
    pub fn sign_in(&self, user: &str, life: &str) {
        self.admin(&format!("addprinc -pw \"{PASSWORD}\" {user}"));
        self.kinit(user, life);
    }

    /// Other tickets of a user who is there.
    pub fn kinit(&self, user: &str, life: &str) {
        let password = self.path("password");
        std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        let mut command = self.command("kinit", &["-l", life, user]);
        let output = command.stdin(std::fs::File::open(password).unwrap()).output().unwrap_or_else(missing("kinit"));
        assert!(output.status.success(), "kinit: {}", said(&output));
    }

    /// Makes new keys of a service, which must be known, and adds them to a keytab, with further arguments of `ktadd`.
    pub fn keytab(&self, name: &str, service: &str, arguments: &str) -> PathBuf {
        let path = self.path(name);
        self.admin(&format!("ktadd -k {} {arguments} {service}", path.display()));
        path
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a program said, on either stream.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn missing<T>(program: &str) -> impl FnOnce(std::io::Error) -> T {
    let program = Path::new(program).display().to_string();
    move |error| {
        panic!("{program}: {error}; it is in Debian's packages krb5-kdc, krb5-admin-server, krb5-user and curl")
    }
}
