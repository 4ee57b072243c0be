//! The task metadata endpoint, version 4
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html>).

use crate::state::Inner;
use crate::tasks::Task;
use crate::{checks, clock, sizes};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// `/v4/<task>`: the container.
pub async fn container(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    inner.look(&id, |task| Json(describe_container(&inner, task))).ok_or(StatusCode::NOT_FOUND)
}

/// `/v4/<task>/task`: the task.
pub async fn task(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    inner.look(&id, |task| Json(describe_task(&inner, task))).ok_or(StatusCode::NOT_FOUND)
}

fn describe_task(inner: &Inner, task: &Task) -> Value {
    let (cpu, memory) = checks::size(&task.request["overrides"], &task.definition);
    json!({
        "Cluster": inner.settings.arn(&format!("cluster/{}", task.cluster)),
        "TaskARN": task.arn(&inner.settings),
        "Family": task.definition["family"],
        "Revision": task.definition["revision"].to_string(),
        "DesiredStatus": if task.to_stop { "STOPPED" } else { "RUNNING" },
        "KnownStatus": task.status.name(),
        "Limits": {
            "CPU": sizes::cpu_units(&cpu).map(|units| f64::from(units) / 1024.0),
            "Memory": sizes::memory_mib(&memory),
        },
        "PullStartedAt": task.times.get("pullStartedAt").map(|at| clock::iso(*at)),
        "PullStoppedAt": task.times.get("pullStoppedAt").map(|at| clock::iso(*at)),
        "AvailabilityZone": format!("{}a", inner.settings.region),
        "LaunchType": "FARGATE",
        "Containers": [describe_container(inner, task)],
    })
}

fn describe_container(inner: &Inner, task: &Task) -> Value {
    let family = task.definition["family"].as_str().unwrap_or_default();
    let name = task.container()["name"].as_str().unwrap_or_default();
    json!({
        "DockerId": format!("{}-1", task.id),
        "Name": name,
        "DockerName": name,
        "Image": task.image(),
        "Labels": {
            "com.amazonaws.ecs.cluster": inner.settings.arn(&format!("cluster/{}", task.cluster)),
            "com.amazonaws.ecs.container-name": name,
            "com.amazonaws.ecs.task-arn": task.arn(&inner.settings),
            "com.amazonaws.ecs.task-definition-family": family,
            "com.amazonaws.ecs.task-definition-version": task.definition["revision"].to_string(),
        },
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Type": "NORMAL",
        "Networks": [{
            "NetworkMode": "awsvpc",
            "IPv4Addresses": task.address.iter().collect::<Vec<_>>(),
            "AttachmentIndex": 0,
        }],
        "CreatedAt": clock::iso(task.created_at),
        "StartedAt": task.times.get("startedAt").map(|at| clock::iso(*at)),
    })
}
