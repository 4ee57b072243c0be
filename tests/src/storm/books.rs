//! Counters against what they count: clusters, launches and tasks, added up here once more.

use super::running::keys;
use super::{Host, People};
use faregate_core::model::{Cluster, Counts, LaunchState, Scope, Stored};
use faregate_core::ports::Children;
use std::sync::Arc;

/// Clusters read at once.
const PAGE: usize = 100;

/// Does a counter say what the records of those who are counted under it say? None when it was written meanwhile.
pub async fn compare(host: &Host, people: &People, scope: &Scope) -> Option<Result<(), String>> {
    let counter = async || host.store.usage(std::slice::from_ref(scope)).await.unwrap().remove(0);
    let before = counter().await;
    let mut sum = Counts::default();
    for user in people.users.keys().filter(|user| people.keys(user).contains(scope)) {
        for cluster in clusters(host, user).await {
            if !cluster.value.status.is_ended() {
                sum = sum + Counts::CLUSTER + workers(&host.store.children(&cluster.value.name).await.unwrap());
            }
            assert!(keys(people, &cluster.value).contains(scope));
        }
    }
    if counter().await.version != before.version {
        return None;
    }
    let counts = before.value.counts;
    Some(if counts == sum {
        Ok(())
    } else {
        Err(format!("the counter of {scope} says {counts:?}, its records {sum:?}"))
    })
}

/// All clusters of a user that there are records of.
pub async fn clusters(host: &Host, user: &str) -> Vec<Stored<Arc<Cluster>>> {
    let (key, mut cursor, mut all) = (host.ring.user_key(user), None, Vec::new());
    loop {
        let page = host.store.clusters(&key, cursor.as_deref(), PAGE).await.unwrap();
        all.extend(page.items);
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

/// What a cluster's workers count for: what a launch may still bring, and what of it is not known to be gone.
fn workers(children: &Children) -> Counts {
    let units = children.launches.iter().map(|launch| &launch.value).map(|launch| {
        let unsettled = children
            .tasks
            .iter()
            .map(|task| &task.value)
            .filter(|task| task.facts.launch == launch.id && !task.settled && !task.orphan);
        launch.unit
            * match launch.state {
                LaunchState::Pending | LaunchState::Expired | LaunchState::Cancelled => i64::from(launch.spec.count),
                LaunchState::Accepted => unsettled.count() as i64,
                LaunchState::Failed | LaunchState::NotAccepted => 0,
            }
    });
    units.fold(Counts::default(), |sum, unit| sum + unit)
}
