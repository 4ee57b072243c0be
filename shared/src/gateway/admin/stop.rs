//! Stopping what is somebody's.

use super::super::read::not_found;
use super::super::{Refusal, stop};
use super::{Act, Admin};
use crate::model::{Cluster, ClusterName, Ms, Reason, ReasonCode, Scope, Status};
use crate::ports::StopRequest;
use serde::Serialize;
use serde_json::json;

/// Tries of a stop that meets others at the same cluster.
const TRIES: u32 = 8;

/// What was told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// Clusters that were not on the way to their end already.
    pub stopped: Vec<ClusterName>,
}

impl Admin {
    /// Turns a cluster towards STOPPED, whosever it is. One that is ending, or has ended, is left as it is.
    pub async fn stop(&self, act: &Act, name: &ClusterName) -> Result<Stopped, Refusal> {
        let cluster = self.store.cluster(name).await?.ok_or_else(|| not_found(name))?.value;
        if !cluster.wants_to_run() {
            return Ok(Stopped { stopped: Vec::new() });
        }
        self.record(act, "stop-cluster", name.to_string(), json!({"user": cluster.user})).await?;
        self.end(act, vec![cluster]).await
    }

    /// Turns every cluster of a user towards STOPPED.
    pub async fn stop_all_of(&self, act: &Act, user: &str) -> Result<Stopped, Refusal> {
        let clusters = self.active(|cluster| cluster.user == user && cluster.wants_to_run()).await?;
        let names: Vec<&ClusterName> = clusters.iter().map(|cluster| &cluster.name).collect();
        let target = Scope::User(user.to_owned()).to_string();
        self.record(act, "stop-clusters", target, json!({"clusters": names})).await?;
        self.end(act, clusters).await
    }

    async fn end(&self, act: &Act, clusters: Vec<Cluster>) -> Result<Stopped, Refusal> {
        let message = match &act.why {
            Some(why) => format!("stopped by an administrator: {why}"),
            None => "stopped by an administrator".to_owned(),
        };
        let mut stopped = Vec::new();
        for Cluster { name, .. } in clusters {
            let request = StopRequest {
                name: name.clone(),
                user: None,
                target: Status::Stopped,
                reason: Reason::new(ReasonCode::AdminStopped, message.clone()),
                now: self.now(),
            };
            if self.end_one(&request).await? {
                stopped.push(name);
            }
        }
        Ok(Stopped { stopped })
    }

    /// True when this call turned it.
    async fn end_one(&self, request: &StopRequest) -> Result<bool, Refusal> {
        let mut attempt = 0;
        loop {
            match stop::end(&*self.store, &*self.wakes, &*self.host, request).await {
                Err(Refusal::Conflict(_)) if attempt < TRIES => {
                    let most = 20u64 << attempt;
                    self.host.sleep_ms((self.host.random() % most) as Ms).await;
                    attempt += 1;
                }
                outcome => return Ok(outcome? == Some(true)),
            }
        }
    }
}
