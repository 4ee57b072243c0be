//! `faregate admin` on the data directory of a gateway that runs.
#![allow(clippy::unwrap_used)]

mod users;

use base64::Engine;
use faregate_tests::server::{PATIENCE, Server, binary, eventually};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// Schedulers that never say anything: their clusters stay PENDING.
const CONFIG: &str = r#"scheduler_cmd = ["sh", "-c", "exec sleep 1000"]"#;

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn admin(data: &Path, words: &[&str]) -> Said {
    admin_reads(data, words, "")
}

/// The same, with this on its standard input.
fn admin_reads(data: &Path, words: &[&str], input: &str) -> Said {
    let mut command = Command::new(binary());
    command.args(["admin", "--data-dir"]).arg(data).args(words).env_remove("FAREGATE_CONFIG");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // whoever reads nothing may be gone by now
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// What a command prints, which must succeed.
fn done(data: &Path, words: &[&str]) -> String {
    let said = admin(data, words);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}: {}", said.out);
    said.out
}

fn json_of(data: &Path, words: &[&str]) -> Value {
    let mut words = words.to_vec();
    words.extend(["--output", "json"]);
    serde_json::from_str(&done(data, &words)).unwrap()
}

/// A request of alice's: status and body.
fn alice(server: &Server, method: &str, path: &str) -> (u16, Value) {
    ask(server, "alice:", method, path)
}

/// A request with a user's name and password.
fn ask(server: &Server, credentials: &str, method: &str, path: &str) -> (u16, Value) {
    let authority = server.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority.parse::<SocketAddr>().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let basic = base64::engine::general_purpose::STANDARD.encode(credentials);
    let body = if method == "POST" { "{}" } else { "" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn create(server: &Server) -> (u16, Value) {
    alice(server, "POST", "/api/v1/clusters/")
}

/// What was done, by the audit records.
fn actions(data: &Path) -> Vec<String> {
    let audit = json_of(data, &["audit"]);
    let audit = audit["audit"].as_array().unwrap();
    assert!(audit.iter().all(|entry| entry["who"].as_str().unwrap().starts_with("command line: ")));
    audit.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn settings_of_a_deployment_are_checked_without_any_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let check = |text: &str, more: &[&str]| {
        let file = dir.path().join("parameters.yaml");
        std::fs::write(&file, text).unwrap();
        let words = [&["settings", "check", file.to_str().unwrap()][..], more].concat();
        admin(&dir.path().join("no-gateway"), &words)
    };
    let good = check("SignIn: basic\nSharedPassword: 'true'\nSettings: '{\"cluster\": {\"worker_cores\": 2}}'\n", &[]);
    assert_eq!((good.code, good.err.as_str()), (0, ""));
    assert_eq!(good.out, "The settings can be used: workers of 2 cores with 4 GiB, 0 options, sign-in by basic.\n");
    let bad = check(
        "SignIn: basic\nSharedPassword: 'true'\nSettings: '{\"cluster\": {\"worker_memory\": \"200 G\"}, \"policy\": {\"chek_ms\": 1}}'\n",
        &[],
    );
    assert_eq!((bad.code, bad.out.as_str()), (2, ""));
    assert_eq!(
        bad.err,
        "faregate: the settings cannot be used:\n  `cluster.worker_memory` asks for more than a task can have: 1 cores with 200 GiB; \
         the largest has 16 cores with 120 GiB\n  `policy.chek_ms` is not known; did you mean `policy.check_ms`?\n"
    );
    let typo = check(r#"{"auth": {"basic": {"pasword": "x"}}}"#, &["--sign-in", "basic", "--shared-password"]);
    assert_eq!(
        (typo.code, typo.err.as_str()),
        (2, "faregate: the settings cannot be used:\n  `auth.basic.pasword` is not known; there are password\n")
    );
}

#[test]
fn a_day_of_an_admins_while_the_gateway_runs() {
    let mut server = Server::start(CONFIG);
    let data = server.data_dir.clone();
    let (status, first) = create(&server);
    assert_eq!(status, 201);
    let first = first["name"].as_str().unwrap().to_owned();

    // a limit holds by the next pass
    let set = done(&data, &["limits", "set", "user:alice", "clusters=1", "memory=64 G", "--why", "a small course"]);
    assert_eq!(set, "SCOPE       LIMIT     VALUE\nuser:alice  clusters  1\nuser:alice  memory    64 GiB\n");
    let mut refusal = String::new();
    eventually("the limit holds", || {
        let (status, body) = create(&server);
        refusal = body["error"].as_str().unwrap_or_default().to_owned();
        status == 422
    });
    assert!(refusal.contains("`clusters` = 1 of user:alice"), "{refusal}");
    assert_eq!(done(&data, &["limits", "list"]), set);

    // everyone's clusters, and what applies to alice
    let listed = json_of(&data, &["clusters", "--user", "alice", "--status", "pending,running"]);
    assert!(listed["clusters"].as_array().unwrap().iter().any(|cluster| cluster["name"] == first.as_str()));
    let explained = done(&data, &["explain", "user:alice"]);
    assert!(explained.contains("user:alice") && explained.starts_with("LIMIT "), "{explained}");
    let clusters = json_of(&data, &["explain", "user:alice"])["limits"][0].clone();
    assert_eq!(
        (&clusters["field"], &clusters["limit"], &clusters["left"]),
        (&json!("clusters"), &json!(1), &json!(0.0))
    );

    // what runs is used; nothing is paid on a machine of one's own
    eventually("something is used", || !json_of(&data, &["usage"])["usage"].as_array().unwrap().is_empty());
    let csv = done(&data, &["usage", "--csv"]);
    assert!(csv.starts_with("month,user,cluster,vcpu_hours,") && csv.contains(&format!(",alice,{first},")), "{csv}");
    assert!(done(&data, &["usage"]).contains("TOTAL"));
    assert_eq!(done(&data, &["usage", "--month", "2020-01"]), "Nobody used anything in 2020-01.\n");

    // stopped by name, then all that are left
    assert_eq!(done(&data, &["stop", &first, "--why", "noon"]), format!("STOPPING\n{first}\n"));
    let stopped = |code: &str| {
        let list = json_of(&data, &["clusters", "--user", "alice", "--status", "stopped"]);
        list["clusters"].as_array().unwrap().iter().any(|c| c["name"] == first.as_str() && c["reason"]["code"] == code)
    };
    eventually("it is stopped", || stopped("admin-stopped"));
    done(&data, &["stop", "--user", "alice"]);
    eventually("nothing runs", || json_of(&data, &["clusters"])["clusters"] == json!([]));

    // all of it is on record
    assert_eq!(actions(&data), ["set-limits", "stop-cluster", "stop-clusters"]);
    let table = done(&data, &["audit"]);
    assert!(table.starts_with("WHEN (UTC) ") && table.contains("  a small course\n"), "{table}");
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn a_frozen_user_creates_nothing_and_reads_why_until_unfrozen() {
    let mut server = Server::start(CONFIG);
    let data = server.data_dir.clone();
    done(&data, &["limits", "set", "user:alice", "clusters=9"]);
    done(&data, &["freeze", "user:alice", "--why", "the course is over"]);
    done(&data, &["limits", "unset", "user:alice", "clusters"]);
    eventually("alice is frozen", || {
        let (status, body) = create(&server);
        status == 422 && body["error"].as_str().unwrap().contains("the course is over")
    });
    done(&data, &["unfreeze", "user:alice"]);
    eventually("alice is not frozen", || create(&server).0 == 201);
    assert_eq!(actions(&data), ["set-limits", "freeze", "set-limits", "unfreeze"]);
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn what_is_wrong_is_named_with_exit_code_2_and_nothing_is_written() {
    let mut server = Server::start("");
    server.stop();
    let data = &server.data_dir;
    let stored = || {
        let store = Connection::open(data.join("store.sqlite")).unwrap();
        let count = |query: &str| store.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        count("SELECT count(*) FROM items")
    };
    let before = stored();
    for (words, says) in [
        (vec!["limits", "set", "user:alice", "clusters=-1"], "`clusters` must be 0 or more, not -1"),
        (vec!["limits", "set", "user:alice", "clusters=two"], "`clusters` cannot be \"two\""),
        (vec!["limits", "set", "user:alice", "clustres=2"], "`clustres` is no limit; did you mean `clusters`?"),
        (vec!["limits", "set", "user:alice", "clusters"], "`clusters` sets nothing: write `field=value`"),
        (vec!["limits", "set", "user:alice", "clusters=1", "clusters=2"], "`clusters` is set twice"),
        (vec!["limits", "set", "user:alice", "allowed={profile}"], "the value of `allowed` is no JSON"),
        (vec!["limits", "set", "user:alice", "budget=1e13"], "`budget` must be from 0 to 1000000000000, not"),
        (vec!["limits", "unset", "user:alice", "clustres"], "`clustres` is no limit; did you mean `clusters`?"),
        (vec!["limits", "set", "alice", "clusters=2"], "`alice` is neither `default` nor"),
        (vec!["freeze", "user:alice", "--why", ""], "`why` must be a sentence"),
        (vec!["freeze", "user:alice"], "--why"),
        (vec!["stop"], "required"),
        (vec!["stop", "abc"], "a cluster name is 32 lower-case hexadecimal digits"),
        (vec!["usage", "--month", "11"], "`11` is no month"),
        (vec!["clusters", "--status", "gone"], "`gone` is no status"),
        (vec!["clusters", "--status", "stopped"], "name a `user`"),
    ] {
        let said = admin(data, &words);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}: {}", said.err);
        assert!(said.err.contains(says), "{words:?}: {}", said.err);
    }
    let missing = admin(data, &["stop", &"0".repeat(32)]);
    assert_eq!(missing.code, 1, "{}", missing.err);
    assert_eq!(stored(), before);
}

#[test]
fn a_data_directory_that_is_not_there_is_not_made() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let said = admin(&data, &["limits", "list"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("there is no gateway's data in"), "{}", said.err);
    std::fs::create_dir(&data).unwrap();
    assert_eq!(admin(&data, &["limits", "set", "default", "clusters=1"]).code, 1);
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
}

#[test]
fn a_broken_item_is_listed_and_replaced_only_by_setting_something() {
    let mut server = Server::start("");
    server.stop();
    let data = &server.data_dir.clone();
    done(data, &["limits", "set", "user:alice", "clusters=2"]);
    server.restart();
    // the gateway keeps what it has seen in force; then somebody's slip of the hand
    let store = Connection::open(data.join("store.sqlite")).unwrap();
    let kept = || {
        let query = "SELECT count(*) FROM items WHERE partition = 'limits-in-force'";
        store.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    eventually("the gateway keeps the limit", || kept() == 1);
    let body = br#"{"clusters": 3, "memory": "64 X"}"#;
    let update = "UPDATE items SET body = ?1, version = version + 1 WHERE partition = 'limits'";
    assert_eq!(store.execute(update, [&body[..]]).unwrap(), 1);

    let listed = done(data, &["limits", "list"]);
    assert!(listed.contains("user:alice  clusters  3\n") && listed.contains("`memory` cannot be \"64 X\""), "{listed}");
    let refused = admin(data, &["limits", "unset", "user:alice", "clusters"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("the item `user:alice` is broken: `memory` cannot be"), "{}", refused.err);
    let replaced = done(data, &["limits", "set", "user:alice", "memory=64 G"]);
    assert!(replaced.contains("Replaced an item that was broken"), "{replaced}");
    let now = json_of(data, &["limits", "list"]);
    let whole = json!({"limits": {"user:alice": {"clusters": 3, "memory": 64u64 << 30}}, "broken": {}});
    assert_eq!(now, whole);
}
