//! Users and tokens: made, used while the gateway runs, removed and revoked.

use super::*;
use std::os::unix::fs::MetadataExt;

#[test]
fn whoever_is_removed_or_revoked_leaves_nothing_running_and_guesses_are_seen() {
    let config = format!("{CONFIG}\n[auth]\nmethods = [\"basic\", \"tokens\"]\n");
    let mut server = Server::start(&config);
    let data = server.data_dir.clone();
    let adds = |name: &str| {
        let said = admin_reads(&data, &["users", "add", name], &format!("{name}s password"));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    };
    let creates = |credentials: &str| {
        let (status, body) = ask(&server, credentials, "POST", "/api/v1/clusters/");
        assert_eq!(status, 201, "{body}");
        body["name"].as_str().unwrap().to_owned()
    };
    let reason = |user: &str, name: &str| {
        let list = json_of(&data, &["clusters", "--user", user, "--status", "pending,running,stopping,stopped"]);
        let found = list["clusters"].as_array().unwrap().iter().find(|cluster| cluster["name"] == name).cloned();
        found.unwrap()["reason"]["code"].clone()
    };
    adds("alice");
    adds("bob");
    let token = ["tokens", "create", "--user", "alice", "--name", "nightly", "--scope", "create"];
    let made = json_of(&data, &token);
    let (id, text) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let by_token = creates(&format!("alice:{text}"));
    let own = creates("alice:alices password");
    let bobs = creates("bob:bobs password");

    let revoked = done(&data, &["tokens", "revoke", id, "--stop", "--why", "it leaked"]);
    assert!(revoked.ends_with(&format!("\nSTOPPING\n{by_token}\n")), "{revoked}");
    assert_eq!([reason("alice", &by_token), reason("alice", &own)], [json!("token-revoked"), Value::Null]);
    assert_eq!(done(&data, &["users", "remove", "alice"]), "Removed alice; clusters stopping: 1.\n");
    assert_eq!(reason("alice", &own), "user-removed");
    let kept = done(&data, &["users", "remove", "bob", "--keep-clusters"]);
    assert_eq!(kept, "Removed bob; clusters that run on, closed to new connections: 1.\n");
    assert_eq!(reason("bob", &bobs), Value::Null);

    // guesses: seen in the log and on record, and lifted
    assert_eq!(done(&data, &["blocks", "list"]), "Nobody is blocked.\n");
    adds("carol");
    let enters = |password: &str| ask(&server, &format!("carol:{password}"), "GET", "/api/v1/clusters/").0;
    let looked_at = (0..20).filter(|n| enters(&format!("\\\"peer\\\":\\\"9.9.9.9\\\" {n}")) == 401).count();
    assert_eq!((looked_at, enters("carols password")), (5, 429));
    let rows = json_of(&data, &["blocks", "list"]);
    let (user, peer) = (&rows["blocks"][0]["user"], &rows["blocks"][0]["peer"]);
    assert_eq!(
        (user, peer, &rows["blocks"][0]["failures"]),
        (&json!("carol"), &json!(format!("uid:{}", std::fs::metadata("/proc/self").unwrap().uid())), &json!(5))
    );
    let log = server.log();
    let line = log.lines().find(|line| line.contains("authentication failed")).unwrap();
    let form = "\"message\":\"authentication failed\",\"peer\":\"127.0.0.1\",\"method\":\"basic\",\"reason\":\"a wrong password, \
                or no such user\",\"user\":\"carol\",\"target\":\"faregate_auth::failed\"}";
    assert!(line.ends_with(form), "as docs/failed-sign-ins.md has it: {line}");
    let guide = include_str!("../../../docs/failed-sign-ins.md");
    assert!(guide.contains(&form.replace("127.0.0.1", "192.0.2.7").replace("carol", "alice")));
    assert_eq!(done(&data, &["blocks", "lift", "--user", "carol", "--why", "she called"]), "Blocks lifted: 1.\n");
    eventually("the block is lifted", || enters("carols password") == 200);
    assert_eq!(done(&data, &["blocks", "lift", "--peer", "192.0.2.7"]), "Blocks lifted: 0.\n");
    let said = admin(&data, &["blocks", "lift"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn users_and_tokens_enter_a_gateway_that_runs() {
    let mut server = Server::start("[auth]\nmethods = [\"basic\", \"tokens\"]\n");
    let data = server.data_dir.clone();
    let enters = |credentials: &str| ask(&server, credentials, "GET", "/api/v1/clusters/").0;
    let reads = |words: &[&str], input: &str| {
        let said = admin_reads(&data, words, input);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}: {}", said.out);
        said.out
    };
    assert_eq!(done(&data, &["users", "list"]), "Nobody has a password of their own.\n");
    assert_eq!(enters("alice:first password"), 401);
    let added = reads(&["users", "add", "alice"], "first password\nand more\n");
    assert!(added.starts_with("USER   PASSWORD SET (UTC)\nalice  20"), "{added}");
    assert_eq!(done(&data, &["users", "list"]), added);
    assert_eq!((enters("alice:first password"), enters("alice:first password\n")), (200, 401));
    reads(&["users", "passwd", "alice", "--why", "she forgot it"], "second password");
    assert_eq!((enters("alice:first password"), enters("alice:second password")), (401, 200));

    assert_eq!(done(&data, &["tokens", "list"]), "There are no machine tokens.\n");
    let create = ["tokens", "create", "--user", "alice", "--name", "nightly", "--scope", "read", "--group", "team"];
    let made = json_of(&data, &[&create[..], &["--days", "2"]].concat());
    let (id, text) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(made["groups"], json!([format!("token:{id}"), "team"]));
    assert_eq!(made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap(), 2 * 24 * 3_600_000);
    assert_eq!(enters(&format!("alice:{text}")), 200);
    assert_eq!(ask(&server, &format!("alice:{text}"), "POST", "/api/v1/clusters/").0, 403);
    let printed = done(&data, &create);
    let other = printed.lines().next().unwrap();
    assert!(other.starts_with("fgt_") && printed.contains("shown this once"), "{printed}");
    let revoked = done(&data, &["tokens", "revoke", &other[4..20]]);
    assert!(revoked.contains("nightly") && revoked.contains("revoked 20"), "{revoked}");
    assert_eq!(enters(&format!(":{other}")), 401);
    let listed = json_of(&data, &["tokens", "list", "--user", "alice"]);
    let listed = listed["tokens"].as_array().unwrap();
    assert_eq!(listed.iter().filter(|token| token["valid"] == true && token["last_used_at"].is_i64()).count(), 1);
    assert_eq!(listed.len(), 2);
    assert_eq!(json_of(&data, &["tokens", "list", "--user", "bob"]), json!({"tokens": []}));

    assert_eq!(done(&data, &["users", "remove", "alice"]), "Removed alice; machine tokens revoked: 1.\n");
    assert_eq!(enters("alice:second password"), 401);
    let expected =
        ["add-user", "set-password", "make-token", "make-token", "revoke-token", "remove-user", "stop-clusters"];
    assert_eq!(actions(&data), expected);
    assert!(server.stop().success());
}

#[test]
fn users_and_tokens_that_cannot_be_are_refused_and_leave_no_record() {
    let mut server = Server::start("");
    let data = server.data_dir.clone();
    for (words, input, code, says) in [
        (&["users", "add", "bob"][..], "short\n", 2, "`password` must have 8 to 1024 characters, not 5"),
        (&["users", "add", "bob"], "", 2, "`password` must have 8 to 1024 characters, not 0"),
        (&["users", "add", "b:b"], "long enough", 2, "`name` has a colon"),
        (&["users", "passwd", "alice"], "long enough", 1, "there is no user `alice` with a password"),
        (&["users", "remove", "alice"], "", 1, "there is no user `alice` with a password"),
        (&["users", "add", "bob", "a password"], "", 2, "unexpected argument"),
        (&["tokens", "create", "--user", "bob", "--name", "x"], "", 2, "--scope"),
        (&["tokens", "create", "--user", "bob", "--name", "x", "--scope", "all"], "", 2, "create, read, connect, stop"),
        (&["tokens", "create", "--user", "bob", "--name", "x", "--scope", "read", "--days", "367"], "", 2, "1..=366"),
        (&["tokens", "create", "--user", "bob", "--name", "", "--scope", "read"], "", 2, "`name` must have 1 to 64"),
        (&["tokens", "revoke", "0123456789abcdef"], "", 1, "there is no token `0123456789abcdef`"),
    ] {
        let said = admin_reads(&data, words, input);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{words:?}: {}", said.err);
        assert!(said.err.contains(says), "{words:?}: {}", said.err);
    }
    assert_eq!(actions(&data), [""; 0]);
    assert!(server.stop().success());
}
