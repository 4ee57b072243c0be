//! Who tasks run as, when the launcher runs as root: CI does.

use super::PROGRAM;
use faregate_core::model::{Launch, TaskFacts, TaskState};
use faregate_core::ports::{LaunchError, Launcher, PrepareError};
use faregate_processes::identity::{AccountRules, Separation, UidRange};
use faregate_processes::{ProcessLauncher, Settings};
use faregate_tests::accounts::Account;
use faregate_tests::launcher_suite::local::Local;
use faregate_tests::launcher_suite::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Says who it is, reads its own credentials, writes into its directory and home, and tries the records beside them.
const SCRIPT: &str = r#"id -u; id -G; echo "$USER"; cat "$DASK_GATEWAY_API_TOKEN"; echo; touch mine ~/mine; ls ..; cat ../tasks/*/log ../launches/*"#;

async fn separated(separation: Separation) -> Local {
    assert!(rustix::process::geteuid().is_root(), "these tests are for root");
    Local::with(PROGRAM, |settings| {
        fs::set_permissions(&settings.directory, Permissions::from_mode(0o711)).unwrap();
        settings.separation = separation;
    })
    .await
}

/// Uids that no other test has, and systemd has reserved for nobody.
fn uid_range() -> Separation {
    let first = 1_900_000_000 + std::process::id() * 10 % 200_000_000;
    Separation::UidRange(UidRange { first, last: first + 9 })
}

/// A task of this user that has run the script.
async fn runs(local: &Local, user: &str) -> (Launch, TaskFacts) {
    let mut spec = worker_spec(1, &["sh", "-c", SCRIPT]);
    spec.user = user.to_owned();
    let request = launch(&new_cluster(), 1, spec, local.now());
    let mut secrets = credentials(&request.cluster, "k1-secret");
    secrets.user = user.to_owned();
    local.launcher.prepare(&secrets).await.unwrap();
    let task = started(local, &request).await.remove(0);
    let rest = reaches(local, &task, TaskState::Stopped).await;
    (request, rest)
}

/// The uid that the script has run under; it has found what is its own, and nothing of ours.
fn uid_of(local: &Local, user: &str, (request, rest): &(Launch, TaskFacts)) -> u32 {
    let lines: Vec<&str> = rest.last_lines.iter().map(String::as_str).collect();
    assert_eq!((lines[2], lines[3]), (user, "k1-secret"), "{rest:?}");
    let denied = lines[4..].iter().filter(|line| line.contains("denied")).count();
    assert_eq!((denied, lines.len()), (3, 7), "neither the cluster's directory nor records nor logs: {lines:?}");
    let uid = lines[0].parse().unwrap();
    for path in ["tls.key", "tls.crt", "token", "work", "work/mine"] {
        assert_eq!(fs::metadata(local.cluster_dir(request).join(path)).unwrap().uid(), uid, "{path}");
    }
    assert_ne!(uid, 0);
    uid
}

async fn refused(local: &Local, user: &str) -> String {
    let mut spec = worker_spec(1, &["true"]);
    spec.user = user.to_owned();
    let request = launch(&new_cluster(), 1, spec, local.now());
    let mut secrets = credentials(&request.cluster, "k1-secret");
    secrets.user = user.to_owned();
    let prepared = local.launcher.prepare(&secrets).await;
    let launched = local.launcher.launch(&request, local.now()).await;
    match (prepared, launched) {
        (Err(PrepareError::Refused(why)), Err(LaunchError::Rejected(again))) if why == again => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn other_uids_need_root() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { separation: uid_range(), ..Settings::new(dir.path()) };
    let open = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // this thread alone is nobody from here on
        rustix::thread::set_thread_res_uid(
            rustix::fs::Uid::from_raw(65_534),
            rustix::fs::Uid::from_raw(65_534),
            rustix::fs::Uid::from_raw(65_534),
        )
        .unwrap();
        runtime.block_on(ProcessLauncher::open(settings)).err().map(|error| error.to_string())
    };
    let refused = std::thread::spawn(open).join().unwrap().unwrap();
    assert!(refused.contains("root"), "{refused}");
}

#[tokio::test]
async fn each_user_has_a_uid_of_their_own_and_a_home_that_is_theirs_alone() {
    let mut local = separated(uid_range()).await;
    let alice = uid_of(&local, "alice", &runs(&local, "alice").await);
    let bob = uid_of(&local, "bob", &runs(&local, "bob").await);
    assert_ne!(alice, bob);
    for uid in [alice, bob] {
        let home = fs::metadata(local.dir.path().join("homes").join(uid.to_string())).unwrap();
        assert_eq!((home.uid(), home.gid(), home.mode() & 0o777), (uid, uid, 0o700));
    }
    local.reopen().await;
    assert_eq!(uid_of(&local, "alice", &runs(&local, "alice").await), alice, "for good");
}

#[tokio::test]
async fn tasks_of_an_account_run_as_it() {
    let account = Account::new("runs", &["--shell", "/bin/sh"]);
    account.set_password("*");
    let local = separated(Separation::Accounts(AccountRules::default())).await;
    let done = runs(&local, &account.name).await;
    assert_eq!(uid_of(&local, &account.name, &done), account.uid());
    assert!(account.home().join("mine").exists());
}

#[tokio::test]
async fn accounts_that_nobody_works_with_are_refused_with_a_sentence() {
    let locked = Account::new("locked", &["--shell", "/bin/sh"]);
    locked.set_password("!x");
    let no_shell = Account::new("shellless", &["--shell", "/usr/sbin/nologin"]);
    no_shell.set_password("*");
    let outside = Account::new("outside", &["--shell", "/bin/sh"]);
    outside.set_password("*");
    let local = separated(Separation::Accounts(AccountRules { group: Some("no-such-group".to_owned()) })).await;
    for (user, why) in [
        ("nobody-of-this-name", "there is no system account"),
        ("root", "is not a person's"),
        ("daemon", "is not a person's"),
        ("nobody", "is not a person's"),
        (locked.name.as_str(), "locked"),
        (no_shell.name.as_str(), "nologin"),
        (outside.name.as_str(), "no-such-group"),
    ] {
        let sentence = refused(&local, user).await;
        assert!(sentence.contains(why) && sentence.contains(user), "{user}: {sentence}");
    }
}
