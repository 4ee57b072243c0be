//! What truly runs: the fake's own tasks.

use fake_ecs::FakeEcs;
use faregate_core::model::{ClusterName, LaunchId, Ms, TaskId, TaskRole};
use serde_json::Value;
use std::net::IpAddr;

/// A task as ECS itself has it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: TaskId,
    pub cluster: ClusterName,
    pub role: TaskRole,
    pub launch: LaunchId,
    pub address: Option<IpAddr>,
    /// Its container runs.
    pub runs: bool,
    pub created_at: Ms,
    /// None = it lives.
    pub stopped_at: Option<Ms>,
}

impl Seen {
    pub fn lives(&self) -> bool {
        self.stopped_at.is_none()
    }

    fn read(task: &Value) -> Seen {
        let text = |field: &str| task[field].as_str().unwrap_or_default().to_owned();
        let (arn, group, launch) = (text("taskArn"), text("group"), LaunchId(text("startedBy")));
        let details = task["attachments"][0]["details"].as_array();
        let address = details.into_iter().flatten().find(|detail| detail["name"] == "privateIPv4Address");
        let ms = |field: &str| task[field].as_f64().map(|seconds| (seconds * 1000.0).round() as Ms);
        Seen {
            id: TaskId(arn.rsplit('/').next().unwrap_or_default().to_owned()),
            cluster: launch.cluster().unwrap(),
            role: if group.starts_with("scheduler:") { TaskRole::Scheduler } else { TaskRole::Worker },
            launch,
            address: address.and_then(|detail| detail["value"].as_str()?.parse().ok()),
            runs: ["RUNNING", "DEACTIVATING", "STOPPING"].contains(&text("lastStatus").as_str()),
            created_at: ms("createdAt").unwrap_or_default(),
            stopped_at: ms("stoppedAt"),
        }
    }
}

/// All tasks that ever were.
pub fn fleet(ecs: &FakeEcs) -> Vec<Seen> {
    ecs.tasks().iter().map(Seen::read).collect()
}

/// Those of a cluster that have not stopped.
pub fn living<'a>(fleet: &'a [Seen], name: &'a ClusterName, role: TaskRole) -> impl Iterator<Item = &'a Seen> {
    fleet.iter().filter(move |task| task.lives() && task.role == role && task.cluster == *name)
}
