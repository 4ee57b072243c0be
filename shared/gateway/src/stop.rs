//! Stopping: one conditional write, one wake.

use super::context::wake;
use super::read::not_yours;
use super::{Clusters, Context, ServiceError};
use faregate_core::model::{ClusterName, Identity, Reason, ReasonCode, Status};
use faregate_core::ports::{Host, StopRequest, Store, TransactError, Wakes};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A user: their own clusters only.
    User(Identity),
    /// The cluster of this name itself, by its token.
    Cluster(ClusterName),
}

impl Clusters {
    /// Turns a cluster towards STOPPED. Also fine for one that does not exist, or has ended: a cluster that ends itself asks once
    /// and never again.
    pub async fn stop(&self, caller: &Caller, name: &ClusterName) -> Result<(), ServiceError> {
        let (user, reason) = match caller {
            Caller::User(who) => (Some(who.name.clone()), Reason::new(ReasonCode::UserStopped, "stopped by its user")),
            Caller::Cluster(own) if own == name => {
                (None, Reason::new(ReasonCode::SchedulerExited, "the scheduler asked to be stopped"))
            }
            Caller::Cluster(_) => return Err(not_yours(name)),
        };
        if self.context.end(name, user.clone(), Status::Stopped, reason).await? {
            return Ok(());
        }
        match user {
            // none of that name is theirs: is it another's?
            Some(_) if self.context.store.cluster(name).await?.is_some() => Err(not_yours(name)),
            _ => Ok(()),
        }
    }

    /// Stops every active cluster of every user (the gateway itself is stopping). How many.
    pub async fn stop_all(&self, reason: &Reason) -> Result<usize, ServiceError> {
        let mut cursor = None;
        let mut stopped = 0;
        loop {
            let page = self.context.store.active(cursor.as_deref(), 100).await?;
            // one that has ended is only listed until the last late call has landed
            for row in page.items.into_iter().filter(|row| !row.cluster.status.is_ended()) {
                self.context.end(&row.cluster.name, None, Status::Stopped, reason.clone()).await?;
                stopped += 1;
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(stopped);
            }
        }
    }
}

impl Context {
    /// One conditional write, and a wake when it changed something. False when there is no such cluster (of that user).
    pub(crate) async fn end(
        &self,
        name: &ClusterName,
        user: Option<String>,
        target: Status,
        reason: Reason,
    ) -> Result<bool, ServiceError> {
        let request = StopRequest { name: name.clone(), user, target, reason, now: self.now() };
        Ok(end(&*self.store, &*self.wakes, &*self.host, &request).await?.is_some())
    }
}

/// The one way to turn a cluster towards its end, also for whoever has no gateway: none when there is no such cluster (of that user),
/// true when this call changed it.
pub(super) async fn end(
    store: &dyn Store,
    wakes: &dyn Wakes,
    host: &dyn Host,
    request: &StopRequest,
) -> Result<Option<bool>, ServiceError> {
    let name = &request.name;
    match store.stop(request).await {
        Ok(found) => {
            let changed = found.map(|(_, changed)| changed);
            if changed == Some(true) {
                tracing::info!(cluster = %name, reason = request.reason.message, "cluster stopping");
                wake(wakes, host, name, 0).await;
            }
            Ok(changed)
        }
        Err(TransactError::Failed(error)) => Err(error.into()),
        Err(_) => Err(ServiceError::Conflict(format!("Cluster '{name}' is being worked on; try again"))),
    }
}
