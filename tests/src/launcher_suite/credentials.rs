//! The cluster's secrets.

use super::{Fixture, Runs, launch, new_cluster, reaches, started};
use faregate_core::model::{ClusterName, TaskState};
use faregate_core::ports::Credentials;

/// Credentials that say whose they are.
pub fn credentials(cluster: &ClusterName, token: &str) -> Credentials {
    Credentials {
        cluster: cluster.clone(),
        user: "alice".to_owned(),
        tls_cert: format!("certificate of {cluster}"),
        tls_key: format!("key of {cluster}"),
        token: token.to_owned(),
    }
}

/// Launches one task that reports, and gives its id's worker name and what it wrote.
async fn report(fixture: &dyn Fixture, cluster: &ClusterName, n: u32) -> (String, Vec<String>) {
    let tasks = started(fixture, &launch(cluster, n, fixture.spec(1, Runs::Reports), fixture.now())).await;
    let rest = reaches(fixture, &tasks[0], TaskState::Stopped).await;
    (tasks[0].worker_name(), fixture.written_by(&rest).await)
}

/// Ten that start with one call have ten names.
pub async fn every_task_is_told_its_worker_name_and_finds_the_credentials(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    fixture.launcher().prepare(&credentials(&cluster, "k1-secret")).await.unwrap();
    let tasks = started(fixture, &launch(&cluster, 1, fixture.spec(3, Runs::Reports), fixture.now())).await;
    for task in &tasks {
        let rest = reaches(fixture, task, TaskState::Stopped).await;
        let expected = [format!("worker_name={}", task.worker_name()), "token=k1-secret".to_owned()];
        assert_eq!(fixture.written_by(&rest).await, expected);
    }
    fixture.launcher().discard(&cluster).await.unwrap();
}

/// Prepared again, they are the new ones.
pub async fn credentials_can_be_replaced(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    for token in ["a-rather-long-first-one", "second"] {
        fixture.launcher().prepare(&credentials(&cluster, token)).await.unwrap();
    }
    let (name, lines) = report(fixture, &cluster, 1).await;
    assert_eq!(lines, [format!("worker_name={name}"), "token=second".to_owned()]);
    fixture.launcher().discard(&cluster).await.unwrap();
}

/// Also of a cluster that never had any.
pub async fn no_credentials_are_left_after_they_were_discarded(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    fixture.launcher().discard(&cluster).await.unwrap();
    fixture.launcher().prepare(&credentials(&cluster, "k1-secret")).await.unwrap();
    for _ in 0..2 {
        fixture.launcher().discard(&cluster).await.unwrap();
    }
    let (_, lines) = report(fixture, &cluster, 1).await;
    assert!(!lines.iter().any(|line| line.contains("k1-secret")), "{lines:?}");
}
