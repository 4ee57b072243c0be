//! What keeps tasks from the gateway, its proxy and other users: attacked from within real tasks, as root with a uid for each user, and as one
//! person's gateway whose tasks are confined. CI runs as root; without it these tests fail.
#![allow(clippy::unwrap_used)]

use faregate_tests::accounts::Account;
use faregate_tests::killing::http::request;
use faregate_tests::python::{DASK_VERSIONS, dask};
use faregate_tests::script::Script;
use faregate_tests::server::{PATIENCE, Server, eventually, passable_dir};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::Instant;

/// Every process of a gateway, with what it is.
fn targets(server: &Server) -> Value {
    let proxy = server.proxy().unwrap().pid;
    let variable = |environment: &[u8], name: &str| {
        let lines = environment.split(|byte| *byte == 0).filter_map(|line| std::str::from_utf8(line).ok());
        lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).next().map(str::to_owned)
    };
    let processes: Vec<Value> = server
        .processes()
        .iter()
        .map(|process| {
            let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            let task = variable(&environment, "FAREGATE_TASK_ID");
            let what = match &task {
                Some(_) if process.command.contains("scheduler") => "a scheduler",
                Some(_) => "a worker",
                None if process.pid == proxy => "the proxy",
                None if process.pid as u32 == server.pid => "the gateway",
                None => "a supervisor",
            };
            let cluster = variable(&environment, "DASK_GATEWAY_CLUSTER_NAME");
            json!({"pid": process.pid, "what": what, "task": task, "cluster": cluster})
        })
        .collect();
    let homes = fs::read_dir(server.data_dir.join("homes")).into_iter().flatten();
    let homes: Vec<String> = homes.map(|home| home.unwrap().file_name().into_string().unwrap()).collect();
    let home = server.dir().join("home");
    json!({"processes": processes, "gateway": server.pid, "proxy": proxy, "homes": homes, "home": home})
}

/// Runs the attacks in this mode, prints the table, and asserts that none succeeded. The script goes on.
fn attacked(server: &Server, mode: &str) -> Script {
    let file = server.dir().join("targets.json");
    let arguments = [server.data_dir.to_str().unwrap(), file.to_str().unwrap(), mode];
    let mut script = Script::start(server, &dask(DASK_VERSIONS[0]), "attacks", &arguments);
    script.hears("up");
    let targets = targets(server);
    let kinds: BTreeSet<&str> =
        targets["processes"].as_array().unwrap().iter().filter_map(|p| p["what"].as_str()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["a scheduler", "a supervisor", "a worker", "the gateway", "the proxy"]
    );
    fs::write(&file, targets.to_string()).unwrap();
    script.go_on();
    let mut uids = Vec::new();
    for _ in 0..2 {
        let scores = script.hears("scores");
        let numbers: Vec<i32> = scores.split(' ').skip(1).map(|score| score.parse().unwrap()).collect();
        assert!(numbers[0] > numbers[1] && numbers[0] > numbers[2], "killed before gateway and proxy: {scores}");
        let uid = script.hears("uid");
        uids.push(uid.split_once(' ').unwrap().1.parse::<u32>().unwrap());
    }
    let attempts: Vec<&str> = script.heard().iter().filter_map(|line| line.strip_prefix("attempt ")).collect();
    println!("{}", attempts.join("\n"));
    assert!(attempts.len() > 200, "{}", attempts.len());
    let succeeded: Vec<&&str> = attempts.iter().filter(|attempt| attempt.contains("SUCCEEDED")).collect();
    assert!(succeeded.is_empty(), "{succeeded:#?}");
    assert!(uids[0] == uids[1] && uids[0] != 0);
    match server.uid() {
        Some(uid) => assert_eq!(uids[0], uid),
        None => assert!(targets["homes"].as_array().unwrap().len() == 2, "{targets}"),
    }
    script
}

#[test]
fn under_uids_of_their_own_tasks_get_nothing_of_the_gateway_and_of_others() {
    let server = Server::start("");
    let proxy = server.proxy();
    attacked(&server, "uids").ends_well();
    assert_eq!(server.proxy(), proxy);
}

#[test]
fn confined_tasks_of_one_persons_gateway_get_nothing_of_it_and_dask_works() {
    let server = Server::of_person("worker_memory = \"400 M\"", dask(DASK_VERSIONS[0]));
    let uid = server.uid().unwrap();
    let data = server.dir().join("home/data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("table"), "rows").unwrap();
    fs::write(server.dir().join("home/.profile"), "").unwrap();
    for path in [data.clone(), data.join("table"), server.dir().join("home/.profile")] {
        chown(path, Some(uid), Some(uid)).unwrap();
    }
    let mut server = server;
    server.restart();
    let proxy = server.proxy();
    let mut script = attacked(&server, "confined");
    script.hears("killed all that it could");
    script.go_on();
    script.ends_well();
    assert_eq!(server.proxy(), proxy);
    assert_eq!(fs::read_to_string(data.join("result")).unwrap(), "done");
    eventually("only the gateway and its proxy are left", || server.processes().len() == 2);
}

/// The start is refused: its sentence.
fn refused(server: &Server) -> String {
    let output = server.another("127.0.0.1:0");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(server.proxy().is_none(), "nothing was started");
    said
}

#[test]
fn several_people_are_refused_where_their_tasks_cannot_be_separated() {
    let python = dask(DASK_VERSIONS[0]);
    let sentence = refused(&Server::of_person("[auth]\nmethods = [\"basic\"]", python.clone()));
    assert!(
        sentence.contains("several people can sign in") && sentence.contains("allow_unseparated_tasks"),
        "{sentence}"
    );
    let server =
        Server::start_as_person("allow_unseparated_tasks = true\n[auth]\nmethods = [\"basic\"]", python.clone());
    assert!(server.log().contains("tasks are not separated"), "{}", server.log());
    let sentence = refused(&Server::of_person("run_as_user = true", python));
    assert!(sentence.contains("`run_as_user` needs a gateway that is started as root"), "{sentence}");
}

#[test]
fn what_tasks_cannot_reach_is_refused_at_the_start_with_what_bars_the_way() {
    let mut server = Server::start("");
    server.stop();
    let barred = passable_dir("faregate-test-");
    let inner = barred.path().canonicalize().unwrap().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, Permissions::from_mode(0o700)).unwrap();
    let said = |arguments: &[(&str, &Path)]| {
        let mut command = std::process::Command::new(faregate_tests::server::binary());
        command.args(["serve", "--address", "127.0.0.1:0"]);
        for (name, value) in arguments {
            command.arg(name).arg(value);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    };
    let python = dask(DASK_VERSIONS[0]);
    let sentence = said(&[("--data-dir", &inner.join("data")), ("--python", python.dir())]);
    assert!(sentence.contains(&format!("`{}` bars the way", inner.display())), "{sentence}");
    let hidden = inner.join("python");
    std::os::unix::fs::symlink(python.dir(), &hidden).unwrap();
    let sentence = said(&[("--data-dir", &barred.path().join("data")), ("--python", &hidden)]);
    assert!(sentence.contains(&format!("`{}` bars the way", inner.display())), "{sentence}");
    assert!(sentence.contains("Python environment"), "{sentence}");
}

/// A new cluster of this user, when it has ended: status, reason.
fn ended(server: &Server, user: &str) -> (String, String) {
    let authorization = format!("Basic {}", base64(&format!("{user}:")));
    let clusters = format!("{}/api/v1/clusters/", server.address);
    let (status, body) = request("POST", &clusters, &authorization, r#"{"cluster_options": {}}"#).unwrap();
    assert_eq!(status, 201, "{body}");
    let name = serde_json::from_str::<Value>(&body).unwrap()["name"].as_str().unwrap().to_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, body) = request("GET", &format!("{clusters}{name}/explain"), &authorization, "").unwrap();
        let explained: Value = serde_json::from_str(&body).unwrap();
        let status = explained["status"].as_str().unwrap_or_default().to_owned();
        if ["FAILED", "STOPPED"].contains(&status.as_str()) {
            return (status, explained["reason"]["message"].as_str().unwrap_or_default().to_owned());
        }
        assert!(Instant::now() < deadline, "{explained}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

fn base64(text: &str) -> String {
    let output = std::process::Command::new("python3")
        .args(["-c", "import base64, sys; print(base64.b64encode(sys.argv[1].encode()).decode())", text])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_cluster_of_somebody_without_a_usable_account_ends_at_once_with_the_sentence() {
    let locked = Account::new("locked", &["--shell", "/bin/sh"]);
    locked.set_password("!");
    let server = Server::start("run_as_user = true");
    for (user, why) in [
        ("no-such-user", "there is no system account `no-such-user`"),
        ("root", "is not a person's"),
        ("nobody", "is not a person's"),
        (locked.name.as_str(), "it is locked"),
    ] {
        let (status, reason) = ended(&server, user);
        assert_eq!(status, "FAILED");
        assert!(reason.contains(why) && reason.contains(user), "{reason}");
    }
}
