//! What must be so when the dust has settled.

use super::caps::{exceeded, started_twice};
use super::fleet::fleet;
use super::records::Records;
use super::rest::unsettled;
use super::setup::{PATIENCE_MS, QUIET_MS, policy};
use super::stage::{Stage, now};
use crate::inside::Inside;
use faregate_core::model::ClusterName;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Waits until the world is at rest, and says what it is not. Nothing, if all is well.
pub async fn settle(inside: &Inside, stage: &Stage) -> (Option<Records>, Vec<String>) {
    let begun = now();
    let mut calm = 0;
    loop {
        let (records, wrong) = match Records::read(inside, stage).await {
            Ok(records) => {
                let wrong = unsettled(&records, &fleet(&inside.ecs), &mut stage.lock());
                (Some(records), wrong)
            }
            Err(error) => (None, vec![error.to_string()]),
        };
        tracing::debug!(?wrong, "after {} ms", now() - begun);
        calm = if wrong.is_empty() { calm + 1 } else { 0 };
        // twice: what a heartbeat under way will say is not known yet
        if calm > 1 || now() - begun > PATIENCE_MS {
            stage.lock().stats.rest_ms = now() - begun;
            return (records, wrong);
        }
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
}

/// Judges what cannot be waited for.
pub async fn judge(inside: &Inside, stage: &Stage, records: &Records) -> Vec<String> {
    let tasks = fleet(&inside.ecs);
    let mut wrong = of_ends(stage, records);
    wrong.extend(exceeded(records, &tasks, &stage.lock()));
    wrong.extend(started_twice(records, &tasks));
    let users = stage.lock().setup.users.clone();
    for user in users {
        match inside.enforcer.recount(&user.name).await {
            Ok(false) => {}
            Ok(true) => wrong.push(format!("a recount of {} repaired something at rest", user.name)),
            Err(refusal) => wrong.push(format!("no recount: {refusal}")),
        }
    }
    let repaired = inside.repaired.load(Ordering::Relaxed);
    if repaired > 0 {
        wrong.push(format!("recounts repaired {repaired} counters on the way"));
    }
    wrong.extend(restless(inside, records).await);
    wrong
}

fn of_ends(stage: &Stage, records: &Records) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut state = stage.lock();
    for (cluster, _) in records.clusters.values() {
        let ground_truth = state.ground_truth(&cluster.name);
        let why = match cluster.status.is_ended() {
            true => ground_truth.objects(cluster, &policy()),
            false => ground_truth.stop_taken.then(|| "it has not ended, and its user was told that it stops".into()),
        };
        wrong.extend(why.map(|why| format!("{}: {why}", cluster.name)));
    }
    wrong
}

/// At rest nothing is written but when a scheduler was last heard, and nobody is woken; save for those who wait for room.
async fn restless(inside: &Inside, records: &Records) -> Vec<String> {
    let waits = |name: &ClusterName| records.clusters.get(name).is_some_and(|(cluster, _)| cluster.due_at.is_some());
    let quiet: BTreeSet<&ClusterName> = records.clusters.keys().filter(|name| !waits(name)).collect();
    inside.aws.take();
    tokio::time::sleep(Duration::from_millis(QUIET_MS)).await;
    let mut wrong = Vec::new();
    for call in inside.aws.take() {
        let is_write = ["dynamodb:PutItem", "dynamodb:TransactWriteItems", "sqs:SendMessage", "s3:PutObject"];
        let body = String::from_utf8_lossy(&call.body).into_owned() + &call.resource;
        let of = quiet.iter().find(|name| body.contains(name.as_str()));
        if let Some(name) = of.filter(|_| is_write.contains(&call.action.as_str())) {
            wrong.push(format!("{} at rest for {name}", call.action));
        }
    }
    wrong
}
