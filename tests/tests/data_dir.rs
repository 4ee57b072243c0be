//! The data directory of a real `faregate serve`: what is missing or damaged, what is too long, what is full.
#![allow(clippy::unwrap_used)]

use faregate_cli::serve::free_port;
use faregate_tests::server::{Server, eventually};
use rusqlite::Connection;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// A gateway that ran and ended in order.
fn ran() -> Server {
    let mut server = Server::start("");
    assert!(server.stop().success());
    server
}

/// A start is refused with this sentence, and leaves neither a process nor a listener.
fn is_refused(server: &Server, sentence: &str) {
    let port = free_port(Ipv4Addr::LOCALHOST.into()).unwrap();
    let output = server.another(&format!("127.0.0.1:{port}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(sentence), "{said}");
    assert_eq!(server.processes(), []);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn is_served(server: &mut Server) {
    server.restart();
    assert_eq!(server.get("/api/version").unwrap().0, 200);
    assert!(server.stop().success());
}

#[test]
fn a_damaged_store_is_refused_at_the_start_with_what_to_do() {
    let mut server = ran();
    let path = server.data_dir.join("store.sqlite");
    // what is still in the `-wal` hides the pages of the file
    Connection::open(&path).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let copy = fs::read(&path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&vec![0xa5; copy.len() - 4096], 4096).unwrap();
    is_refused(&server, "is damaged");
    is_refused(&server, "put back a copy of it");
    fs::write(
        &path,
        "this is no database, and long enough to be taken for the head of one: it is a text of a hundred bytes",
    )
    .unwrap();
    is_refused(&server, "is damaged");
    fs::write(&path, copy).unwrap();
    is_served(&mut server);
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let server = ran();
    Connection::open(server.data_dir.join("store.sqlite")).unwrap().pragma_update(None, "user_version", 999).unwrap();
    is_refused(&server, "use a newer `faregate`");
}

#[test]
fn a_missing_store_is_refused_and_never_made_anew() {
    let server = ran();
    for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        let _ = fs::remove_file(server.data_dir.join(name));
    }
    is_refused(&server, "has a key ring, and no records");
    // one that was lost to a full disk is empty
    fs::write(server.data_dir.join("store.sqlite"), "").unwrap();
    is_refused(&server, "has a key ring, and no records");
    fs::remove_file(server.data_dir.join("keys.json")).unwrap();
    fs::create_dir_all(server.data_dir.join("clusters/0123456789abcdef0123456789abcdef")).unwrap();
    is_refused(&server, "has files of clusters, and no records");
}

#[test]
fn missing_keys_are_refused_and_can_be_made_anew_when_that_is_meant() {
    let mut server = ran();
    let keys = server.data_dir.join("keys.json");
    let before = fs::read(&keys).unwrap();
    fs::remove_file(&keys).unwrap();
    is_refused(&server, "keys.json` is missing");
    assert!(!keys.exists());
    server.admin(&["keys", "rotate", "--why", "lost"], "");
    is_served(&mut server);
    fs::write(&keys, before).unwrap();
    is_refused(&server, "has none of the keys");
}

#[test]
fn a_certificate_that_is_missing_leaves_no_proxy_behind() {
    let server = ran();
    server.configure("tls_cert = \"/no/such/cert.pem\"\ntls_key = \"/no/such/key.pem\"");
    is_refused(&server, "/no/such/cert.pem");
}

#[test]
fn a_data_directory_whose_path_is_too_long_for_a_socket_works() {
    let mut server = Server::start_in(&"x".repeat(150), "");
    assert_eq!(server.get("/api/version").unwrap().0, 200);
    let elsewhere = fs::read_to_string(server.data_dir.join("socket-directory")).unwrap();
    assert!(Path::new(&elsewhere).join("gateway.sock").exists());
    let proxy = server.proxy().unwrap();
    server.kill9();
    server.restart();
    assert_eq!(server.proxy().unwrap(), proxy, "the proxy finds the gateway where it was");
    assert_eq!(server.get("/api/version").unwrap().0, 200);
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
    assert!(!Path::new(&elsewhere).exists());
}

#[test]
fn settings_of_the_proxy_that_do_not_work_leave_the_one_that_runs_alone() {
    let mut server = Server::start("");
    let proxy = server.proxy().unwrap();
    server.kill9();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for (config, address, sentence) in [
        (
            "tls_cert = \"/no/such/cert.pem\"\ntls_key = \"/no/such/key.pem\"",
            "127.0.0.1:0".to_owned(),
            "/no/such/cert.pem",
        ),
        ("", taken.local_addr().unwrap().to_string(), "cannot listen at"),
    ] {
        server.configure(config);
        let output = server.another(&address);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(sentence) && said.contains("is left as it is"), "{said}");
        assert_eq!(server.proxy(), Some(proxy.clone()));
    }
    server.configure("");
    server.restart();
    assert_eq!(server.proxy(), Some(proxy));
}

#[test]
fn sigterm_ends_it_whatever_the_store_says_and_fills_no_log() {
    let mut server = Server::start("sigint_timeout = 0.1\nsigterm_timeout = 0.1");
    Connection::open(server.data_dir.join("store.sqlite")).unwrap().execute_batch("DROP TABLE items").unwrap();
    assert!(!server.stop().success(), "it says that it could not stop all in order");
    assert_eq!(server.processes(), []);
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("stopping clusters failed")).count();
    assert!((1..=5).contains(&lines), "{lines} lines:\n{log}");
}

#[test]
fn of_a_gateway_that_was_stopped_three_files_are_a_whole_copy() {
    let mut server = Server::start("");
    let alice = server.admin(&["users", "add", "alice"], "a long password");
    assert!(server.stop().success());
    let copy = tempfile::tempdir().unwrap();
    for name in ["store.sqlite", "keys.json", "task-uids.json"] {
        match fs::copy(server.data_dir.join(name), copy.path().join(name)) {
            Err(error) if name == "task-uids.json" => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "no user had a task")
            }
            copied => drop(copied.unwrap()),
        }
    }
    let copy = Server::start_at(copy.path(), "");
    assert_eq!(copy.admin(&["users", "list"], ""), alice);
}

#[test]
fn a_store_that_another_process_reads_does_not_keep_a_gateway_from_its_end() {
    let mut server = Server::start("");
    let reader = Connection::open(server.data_dir.join("store.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM items").unwrap();
    server.admin(&["users", "add", "alice"], "a long password");
    assert!(server.stop().success());
    assert!(server.log().contains("store not written back"), "{}", server.log());
}

/// A file system of 40 MB. Unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> SmallDisk {
        assert!(rustix::process::geteuid().is_root(), "this test mounts a small file system, and must be run as root");
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=40m", "tmpfs"]).arg(dir.path()).status();
        assert!(mounted.unwrap().success());
        SmallDisk(dir)
    }

    /// Writes until there is no room for a byte.
    fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(self.0.path().join("filler")).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_nothing_starts_and_everything_can_be_stopped() {
    const NAMES_THE_DISK: &str = "no space left on the disk of the gateway's data directory";
    let disk = SmallDisk::mount();
    let mut server = Server::start_at(&disk.0.path().join("data"), "sigint_timeout = 0.5\nsigterm_timeout = 0.5");
    let create = |user: &str| {
        let (status, body) = server.call("POST", "/api/v1/clusters/", user, "{\"cluster_options\": {}}").unwrap();
        assert_eq!(status, 201, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["name"].as_str().unwrap().to_owned()
    };
    let status = |user: &str, name: &str| {
        let (_, body) = server.call("GET", &format!("/api/v1/clusters/{name}"), user, "").unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["status"].as_str().unwrap().to_owned()
    };
    let tasks = |name: &str| {
        let directory = format!("clusters/{name}/");
        server.processes().iter().filter(|process| process.command.contains(&directory)).count()
    };
    let (alices, bobs) = (create("alice"), create("bob"));
    for (user, name) in [("alice", &alices), ("bob", &bobs)] {
        eventually("a running cluster", || status(user, name) == "RUNNING");
    }
    disk.fill();
    let (refused, why) = server.call("POST", "/api/v1/clusters/", "carol", "{\"cluster_options\": {}}").unwrap();
    assert!(refused == 409 && why.contains(NAMES_THE_DISK), "{refused} {why}");
    let scale = format!("/api/v1/clusters/{alices}/scale");
    let (refused, why) = server.call("POST", &scale, "alice", "{\"count\": 2}").unwrap();
    assert!(refused == 409 && why.contains(NAMES_THE_DISK), "{refused} {why}");
    // what was held back is eaten up, too
    let _ = fs::remove_file(server.data_dir.join("reserve"));
    disk.fill();

    let (stopped, why) = server.call("DELETE", &format!("/api/v1/clusters/{alices}"), "alice", "").unwrap();
    assert_eq!(stopped, 204, "{why}");
    assert_ne!(status("alice", &alices), "RUNNING", "it holds at once");
    eventually("no process of the stopped cluster", || tasks(&alices) == 0);
    let said = server.admin_says(&["stop", "--user", "bob", "--why", "the disk is full"]);
    eventually("no process of the one that an administrator stopped", || tasks(&bobs) == 0);
    disk.free();
    for (user, name) in [("alice", &alices), ("bob", &bobs)] {
        eventually("an end on record", || ["STOPPED", "FAILED"].contains(&status(user, name).as_str()));
    }
    assert!(said.is_empty() || said.contains("no space left on the disk"), "{said}");
    disk.fill();
    let _ = fs::remove_file(server.data_dir.join("reserve"));
    disk.fill();
    server.stop();
    assert_eq!(server.processes(), []);
}
