//! Stopping what is somebody's.

use super::super::context::wake;
use super::super::read::not_found;
use super::super::{ServiceError, stop};
use super::{Act, Admin};
use faregate_core::model::{
    Cluster, ClusterName, MachineToken, Reason, ReasonCode, Record, Scope, Status, Stored, UserKey,
};
use faregate_core::ports::{Expect, Retries, StopRequest, TransactError, Write};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Clusters read at once.
const PAGE: usize = 100;

/// What was told to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// Clusters that were not on the way to their end already.
    pub stopped: Vec<ClusterName>,
}

impl Admin {
    /// Turns a cluster towards STOPPED, whosever it is. One that is ending, or has ended, is left as it is.
    pub async fn stop(&self, act: &Act, name: &ClusterName) -> Result<Stopped, ServiceError> {
        let cluster = self.store.cluster(name).await?.ok_or_else(|| not_found(name))?.value;
        if !cluster.wants_to_run() {
            return Ok(Stopped { stopped: Vec::new() });
        }
        self.record(act, "stop-cluster", name.to_string(), json!({"user": cluster.user})).await?;
        self.end(act, vec![cluster]).await
    }

    /// Turns every cluster of a user towards STOPPED.
    pub async fn stop_all_of(&self, act: &Act, user: &str) -> Result<Stopped, ServiceError> {
        let clusters = self.active(|cluster| cluster.user == user && cluster.wants_to_run()).await?;
        let names: Vec<&ClusterName> = clusters.iter().map(|cluster| &cluster.name).collect();
        let target = Scope::User(user.to_owned()).to_string();
        self.record(act, "stop-clusters", target, json!({"clusters": names})).await?;
        self.end(act, clusters).await
    }

    /// Turns every cluster of a user who was removed towards STOPPED, on record, with that reason. `key` is the user's partition, where
    /// it is known: what it lists is never late, as the index of the active may be.
    pub async fn stop_removed(&self, act: &Act, user: &str, key: Option<&UserKey>) -> Result<Stopped, ServiceError> {
        let clusters = self.all_of(user, key, Cluster::wants_to_run).await?;
        self.record_stop(act, Scope::User(user.to_owned()), "the user was removed", &clusters).await?;
        let reason = told("stopped as its user was removed by an administrator", act);
        self.turn_off(Reason::new(ReasonCode::UserRemoved, reason), clusters).await
    }

    /// Turns every cluster that was started with a machine token towards STOPPED, on record, with that reason; likewise.
    pub async fn stop_revoked(
        &self,
        act: &Act,
        token: &str,
        user: &str,
        key: Option<&UserKey>,
    ) -> Result<Stopped, ServiceError> {
        let group = MachineToken::own_group(token);
        let wanted = |cluster: &Cluster| cluster.groups.contains(&group) && cluster.wants_to_run();
        let clusters = self.all_of(user, key, wanted).await?;
        self.record_stop(act, Scope::Group(group.clone()), "the token was revoked", &clusters).await?;
        let reason = told(&format!("stopped as the machine token `{token}`, which started it, was revoked"), act);
        self.turn_off(Reason::new(ReasonCode::TokenRevoked, reason), clusters).await
    }

    /// Lets no new connection through to any cluster of a user who was removed while they run on; or lets them through again. How many
    /// clusters were changed. What is done is on record as the removal, or the addition, of the user.
    pub async fn close(&self, user: &str, key: Option<&UserKey>, closed: bool) -> Result<usize, ServiceError> {
        let wanted = |cluster: &Cluster| cluster.closed != closed && cluster.wants_to_run();
        let clusters = self.all_of(user, key, wanted).await?;
        for cluster in &clusters {
            self.close_one(&cluster.name, closed).await?;
        }
        Ok(clusters.len())
    }

    async fn close_one(&self, name: &ClusterName, closed: bool) -> Result<(), ServiceError> {
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let Some(Stored { mut value, version }) = self.store.cluster(name).await? else { return Ok(()) };
            value.close(closed, self.now());
            let write = Write::Put { record: Record::Cluster(Box::new(value)), expect: Expect::Version(version) };
            match self.store.transact(vec![write]).await {
                Ok(()) => {
                    tracing::info!(cluster = %name, closed, "cluster route to be changed");
                    wake(&*self.wakes, &*self.host, name, 0).await;
                    return Ok(());
                }
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
        }
        Err(ServiceError::Conflict(format!("Cluster '{name}' is being worked on; try again")))
    }

    async fn record_stop(
        &self,
        act: &Act,
        target: Scope,
        because: &str,
        clusters: &[Cluster],
    ) -> Result<(), ServiceError> {
        let names: Vec<&ClusterName> = clusters.iter().map(|cluster| &cluster.name).collect();
        let details = json!({"clusters": names, "because": because});
        self.record(act, "stop-clusters", target.to_string(), details).await
    }

    /// A user's clusters, as far as they are wanted: of their partition, where it is known, and of the index of the active.
    async fn all_of(
        &self,
        user: &str,
        key: Option<&UserKey>,
        wanted: impl Fn(&Cluster) -> bool,
    ) -> Result<Vec<Cluster>, ServiceError> {
        let mut found = BTreeMap::new();
        let mut cursor = None;
        while let Some(key) = key {
            let page = self.store.clusters(key, cursor.as_deref(), PAGE).await?;
            let own = page.items.into_iter().map(|stored| stored.value).filter(|c| c.user == user && wanted(c));
            found.extend(own.map(|cluster| (cluster.name.clone(), Cluster::clone(&cluster))));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let active = self.active(|cluster| cluster.user == user && wanted(cluster)).await?;
        found.extend(active.into_iter().map(|cluster| (cluster.name.clone(), cluster)));
        Ok(found.into_values().collect())
    }

    async fn end(&self, act: &Act, clusters: Vec<Cluster>) -> Result<Stopped, ServiceError> {
        let message = told("stopped by an administrator", act);
        self.turn_off(Reason::new(ReasonCode::AdminStopped, message), clusters).await
    }

    async fn turn_off(&self, reason: Reason, clusters: Vec<Cluster>) -> Result<Stopped, ServiceError> {
        let mut stopped = Vec::new();
        for Cluster { name, .. } in clusters {
            let request = StopRequest {
                name: name.clone(),
                user: None,
                target: Status::Stopped,
                reason: reason.clone(),
                now: self.now(),
            };
            if self.end_one(&request).await? {
                stopped.push(name);
            }
        }
        Ok(Stopped { stopped })
    }

    /// True when this call turned it.
    async fn end_one(&self, request: &StopRequest) -> Result<bool, ServiceError> {
        let mut retries = Retries::new(&*self.host);
        let mut refusal = None;
        while retries.next().await {
            match stop::end(&*self.store, &*self.wakes, &*self.host, request).await {
                Err(conflict @ ServiceError::Conflict(_)) => refusal = Some(conflict),
                outcome => return Ok(outcome? == Some(true)),
            }
        }
        refusal.map_or(Ok(false), Err)
    }
}

/// What is done, and why, for the users of what it is done to.
fn told(what: &str, act: &Act) -> String {
    match act.why() {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}
