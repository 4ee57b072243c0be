//! What users leave in their clusters' directories is removed by somebody else, whatever it is.

use super::PROGRAM;
use faregate_core::model::{Launch, TaskState};
use faregate_core::ports::Launcher;
use faregate_tests::launcher_suite::local::Local;
use faregate_tests::launcher_suite::*;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

/// A cluster whose tasks have left their files.
async fn a_cluster(local: &Local) -> Launch {
    let request =
        launch(&new_cluster(), 1, worker_spec(1, &["sh", "-c", "echo kept > log; mkdir -p a/b"]), local.now());
    local.launcher.prepare(&credentials(&request.cluster, "k1-secret")).await.unwrap();
    let task = started(local, &request).await.remove(0);
    reaches(local, &task, TaskState::Stopped).await;
    request
}

fn in_trash(local: &Local) -> usize {
    fs::read_dir(local.dir.path().join("trash")).unwrap().count()
}

async fn all_removed(local: &Local) {
    until(local, "an empty trash", || async { (in_trash(local) == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_directory_deeper_than_there_are_descriptors_is_removed_and_whoever_asks_does_not_wait_for_it() {
    let local = Local::open(PROGRAM).await;
    let request = a_cluster(&local).await;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut here = openat(CWD, local.cluster_dir(&request).join("work"), flags, Mode::empty()).unwrap();
    for _ in 0..3_000 {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = openat(&here, "d", flags, Mode::empty()).unwrap();
    }
    local.launcher.discard(&request.cluster).await.unwrap();
    assert!(!local.cluster_dir(&request).join("work").exists());
    all_removed(&local).await;
    local.launcher.discard(&request.cluster).await.unwrap();
    local.launcher.forget(&request.cluster).await.unwrap();
    all_removed(&local).await;
    assert!(!local.cluster_dir(&request).exists());
}

#[tokio::test]
async fn while_files_are_removed_other_clusters_start() {
    let gate = tempfile::tempdir().unwrap();
    let waits =
        format!("until [ -e '{}/open' ]; do sleep 0.01; done; exec '{PROGRAM}' remove \"$0\"", gate.path().display());
    let local = Local::with(PROGRAM, |settings| {
        settings.remover = ["sh".to_owned(), "-c".to_owned(), waits].map(Into::into).to_vec();
    })
    .await;
    // more than are removed at once
    for _ in 0..5 {
        let request = a_cluster(&local).await;
        for at in 0..200 {
            fs::write(local.cluster_dir(&request).join(format!("work/a/{at}")), "").unwrap();
        }
        local.launcher.discard(&request.cluster).await.unwrap();
    }
    a_cluster(&local).await;
    assert_eq!(in_trash(&local), 5, "none is removed yet");
    fs::write(gate.path().join("open"), "").unwrap();
    all_removed(&local).await;
}

#[tokio::test]
async fn what_an_earlier_launcher_left_is_removed_by_the_next() {
    let mut local = Local::with(PROGRAM, |settings| settings.remover = vec!["false".into()]).await;
    let request = a_cluster(&local).await;
    local.launcher.discard(&request.cluster).await.unwrap();
    assert_eq!(in_trash(&local), 1);
    local.change(|settings| settings.remover = vec![PROGRAM.into(), "remove".into()]);
    local.reopen().await;
    all_removed(&local).await;
}

#[tokio::test]
async fn what_cannot_be_removed_fails_nobody() {
    let local = Local::with(PROGRAM, |settings| settings.remover = vec!["/no/such/program".into()]).await;
    for _ in 0..3 {
        let request = a_cluster(&local).await;
        local.launcher.discard(&request.cluster).await.unwrap();
        local.launcher.forget(&request.cluster).await.unwrap();
    }
    assert_eq!(in_trash(&local), 6, "the working directory of each, and its records");
}

#[tokio::test]
async fn as_root_it_is_removed_with_the_rights_of_its_owner_and_no_others() {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user, and must be run as root");
    let local = Local::open(PROGRAM).await;
    let request = a_cluster(&local).await;
    let work = local.cluster_dir(&request).join("work");
    let (theirs, ours) = (work.join("a"), work.join("of-root"));
    for path in [&work, &theirs, &theirs.join("b"), &work.join("log")] {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    // not even its owner may enter it
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o000)).unwrap();
    fs::create_dir(&ours).unwrap();
    fs::write(ours.join("file"), "").unwrap();
    local.launcher.discard(&request.cluster).await.unwrap();
    let trash = fs::read_dir(local.dir.path().join("trash")).unwrap().next().unwrap().unwrap().path();
    let left = || fs::read_dir(&trash).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    until(&local, "the user's own files removed", || async { (left().len() == 1).then_some(()) }).await;
    local.launcher.settle(std::time::Duration::from_secs(60)).await;
    assert_eq!(fs::metadata(left()[0].join("file")).unwrap().uid(), 0, "root's file is not removed for a user");
}
