//! What a launch asks for: the tasks of a cluster, as its configuration has them.

use super::changes::Changes;
use crate::command::{self, Listen};
use crate::model::{Cluster, Counts, Launch, LaunchId, LaunchSpec, LaunchState, Policy, TaskRole};
use std::net::SocketAddr;

/// Its scheduler.
pub fn scheduler_spec(cluster: &Cluster, policy: &Policy, listen: &Listen, api_url: &str) -> LaunchSpec {
    let config = &cluster.config;
    LaunchSpec {
        role: TaskRole::Scheduler,
        count: 1,
        cores: config.scheduler_cores,
        memory_bytes: config.scheduler_memory,
        command: command::scheduler_command(config, policy, listen),
        environment: command::environment(config, api_url, &cluster.name),
        user: cluster.user.clone(),
        groups: cluster.groups.clone(),
        image: config.image.clone(),
        fargate: config.fargate(false, cluster.place),
    }
}

/// So many of its workers, for the scheduler at this address, on Spot capacity or on demand.
pub fn worker_spec(
    cluster: &Cluster,
    (count, spot): (u32, bool),
    scheduler: SocketAddr,
    listen: &Listen,
    api_url: &str,
) -> LaunchSpec {
    let config = &cluster.config;
    LaunchSpec {
        role: TaskRole::Worker,
        count,
        cores: config.worker_cores,
        memory_bytes: config.worker_memory,
        command: command::worker_command(config, scheduler, listen),
        environment: command::environment(config, api_url, &cluster.name),
        user: cluster.user.clone(),
        groups: cluster.groups.clone(),
        image: config.image.clone(),
        fargate: config.fargate(spot, cluster.place),
    }
}

/// Writes a launch down; its call follows the save.
pub(super) fn write_launch(changes: &mut Changes, spec: LaunchSpec, unit: Counts) {
    changes.cluster.launches += 1;
    let (cluster, now) = (&changes.cluster, changes.now);
    changes.add_launch(Launch {
        id: LaunchId::new(&cluster.name, cluster.launches),
        cluster: cluster.name.clone(),
        spec,
        unit,
        state: LaunchState::Pending,
        created_at: now,
        not_after: now + changes.policy.launch_window_ms,
        calls: 0,
        throttled: 0,
        next_try: now,
        outcome: None,
        expires_at: None,
    });
}
