//! What is on disk, and who may read it.

use super::PROGRAM;
use faregate_core::model::{Launch, TaskState};
use faregate_core::ports::Launcher;
use faregate_tests::launcher_suite::local::Local;
use faregate_tests::launcher_suite::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Everything below a directory.
fn tree(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        found.extend(fs::read_dir(path).unwrap().flat_map(|entry| tree(&entry.unwrap().path())));
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A cluster with credentials, and a task that runs.
async fn a_cluster(local: &Local) -> Launch {
    let request = launch(&new_cluster(), 1, local.spec(1, Runs::ForEver), local.now());
    local.launcher.prepare(&credentials(&request.cluster, "k1-secret")).await.unwrap();
    let task = started(local, &request).await.remove(0);
    reaches(local, &task, TaskState::Running).await;
    request
}

#[tokio::test]
async fn nobody_else_can_read_anything() {
    let local = Local::open(PROGRAM).await;
    let request = a_cluster(&local).await;
    let all = tree(&local.dir.path().join("clusters"));
    assert!(all.len() > 10, "{all:?}");
    for path in all {
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
    }
    let dir = local.cluster_dir(&request);
    assert_eq!(fs::read_to_string(dir.join("token")).unwrap(), "k1-secret");
    assert_eq!(fs::read_to_string(dir.join("tls.crt")).unwrap(), format!("certificate of {}", request.cluster));
    assert_eq!(fs::read_to_string(dir.join("tls.key")).unwrap(), format!("key of {}", request.cluster));
}

#[tokio::test]
async fn secrets_are_in_their_files_and_nowhere_else() {
    let local = Local::open(PROGRAM).await;
    let request = a_cluster(&local).await;
    let secrets = ["k1-secret".to_owned(), format!("key of {}", request.cluster)];
    let mut places: Vec<PathBuf> = tree(local.dir.path()).into_iter().filter(|path| path.is_file()).collect();
    places.retain(|path| !path.ends_with("token") && !path.ends_with("tls.key"));
    let processes = local.processes();
    assert_eq!(processes.len(), 2, "the supervisor and the command");
    for pid in processes {
        places.extend(["environ", "cmdline"].map(|file| PathBuf::from(format!("/proc/{pid}/{file}"))));
    }
    for place in places {
        let content = String::from_utf8_lossy(&fs::read(&place).unwrap()).into_owned();
        assert!(!secrets.iter().any(|secret| content.contains(secret)), "{place:?}");
    }
}

#[tokio::test]
async fn tasks_get_the_environment_that_dask_needs_and_nothing_of_the_gateways_own() {
    let local = Local::with(PROGRAM, |settings| settings.bin = Some("/opt/somewhere/bin".into())).await;
    let mut spec = worker_spec(1, &["env"]);
    spec.environment = vec![("DASK_GATEWAY_API_URL".to_owned(), "http://127.0.0.1:8000/api".to_owned())];
    let request = launch(&new_cluster(), 1, spec, local.now());
    let task = started(&local, &request).await.remove(0);
    reaches(&local, &task, TaskState::Stopped).await;
    let log = local.log(&request, &task);
    let dir = local.cluster_dir(&request).to_str().unwrap().to_owned();
    let get = |name: &str| log.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned);
    assert_eq!(get("DASK_GATEWAY_API_URL").unwrap(), "http://127.0.0.1:8000/api");
    assert_eq!(get("DASK_GATEWAY_CLUSTER_NAME").unwrap(), request.cluster.as_str());
    assert_eq!(get("DASK_GATEWAY_API_TOKEN").unwrap(), format!("{dir}/token"));
    assert_eq!(get("DASK_DISTRIBUTED__COMM__TLS__CA_FILE").unwrap(), format!("{dir}/tls.crt"));
    for role in ["SCHEDULER", "WORKER"] {
        assert_eq!(get(&format!("DASK_DISTRIBUTED__COMM__TLS__{role}__CERT")).unwrap(), format!("{dir}/tls.crt"));
        assert_eq!(get(&format!("DASK_DISTRIBUTED__COMM__TLS__{role}__KEY")).unwrap(), format!("{dir}/tls.key"));
    }
    assert_eq!(get("FAREGATE_TASK_ID").unwrap(), task.0);
    assert!(get("PATH").unwrap().starts_with("/opt/somewhere/bin:"));
    let of_dask = ["DASK_", "FAREGATE_TASK_ID"];
    let passed_on =
        ["PATH", "PYTHONPATH", "CONDA_ROOT", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "LANG", "LC_ALL", "HOME", "USER"];
    for name in log.lines().filter_map(|line| line.split('=').next()) {
        assert!(of_dask.iter().any(|start| name.starts_with(start)) || passed_on.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn logs_outlive_the_credentials_and_go_when_the_cluster_is_forgotten() {
    let local = Local::open(PROGRAM).await;
    let request = launch(
        &new_cluster(),
        1,
        worker_spec(1, &["sh", "-c", "echo spilled > spilled; echo up; exec sleep 100000"]),
        local.now(),
    );
    local.launcher.prepare(&credentials(&request.cluster, "k1-secret")).await.unwrap();
    let task = started(&local, &request).await.remove(0);
    until(&local, "up", || async { local.log(&request, &task).contains("up").then_some(()) }).await;
    let refused = local.launcher.forget(&request.cluster).await.unwrap_err();
    assert!(refused.to_string().contains(&task.0), "{refused}");
    stopped(&local, std::slice::from_ref(&task)).await;
    local.launcher.discard(&request.cluster).await.unwrap();
    assert!(
        !local.cluster_dir(&request).join("work").exists() && !local.cluster_dir(&request).join("tls.crt").exists()
    );
    assert_eq!(local.log(&request, &task), "up\n");
    assert!(described(&local, &task).await.is_some());
    for _ in 0..2 {
        local.launcher.forget(&request.cluster).await.unwrap();
    }
    assert_eq!(tree(&local.dir.path().join("clusters")).len(), 1);
    assert_eq!(described(&local, &task).await, None);
}
