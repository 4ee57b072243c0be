//! Scale and adapt: requests to the cluster's own scheduler. Nothing is written; its next heartbeat tells what it wants.

use super::create::{refuse_frozen, refuse_unreadable};
use super::{Clusters, ServiceError};
use faregate_core::limits::Effective;
use faregate_core::limits::allowed_workers;
use faregate_core::model::{Addresses, Cluster, ClusterName, Identity, Ms, Status};
use faregate_core::ports::{Ask, Question, SchedulerError};
use faregate_keys::Use;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scaled {
    /// The request was clamped: the sentence the client shows as a warning.
    pub warning: Option<String>,
}

impl Clusters {
    /// Asks the scheduler for `count` workers, or as many as the cluster can ever have. What has no room at the moment is started when
    /// there is room.
    pub async fn scale(&self, who: &Identity, name: &ClusterName, count: u32) -> Result<Scaled, ServiceError> {
        let (cluster, addresses, limits) = self.scalable(who, name).await?;
        let (count, warning) = match allowed_workers(&cluster, &limits) {
            Some((max, limit)) if count > max => {
                let message =
                    format!("Scale request of {count} workers exceeds the limit {limit}. Scaling to {max} instead.");
                (max, Some(message))
            }
            _ => (count, None),
        };
        self.refuse_more(&cluster, &limits, count).await?;
        self.tell(&cluster, &addresses, Question::Scale { count }).await?;
        Ok(Scaled { warning })
    }

    /// Asks the scheduler to adapt. An absent bound is unbounded, and silently becomes the limit.
    pub async fn adapt(
        &self,
        who: &Identity,
        name: &ClusterName,
        minimum: Option<u32>,
        maximum: Option<u32>,
        active: bool,
    ) -> Result<Scaled, ServiceError> {
        let (cluster, addresses, limits) = self.scalable(who, name).await?;
        let (mut minimum, mut maximum, mut warning) = (minimum, maximum, None);
        if let Some((cap, limit)) = allowed_workers(&cluster, &limits) {
            let (asked_min, asked_max) = (minimum.unwrap_or(0), maximum.unwrap_or(cap));
            let (new_min, new_max) = (asked_min.min(cap), asked_max.min(cap));
            if (new_min, new_max) != (asked_min, asked_max) {
                warning = Some(format!(
                    "Adapt with `maximum={asked_max}, minimum={asked_min}` workers exceeds the limit {limit}. \
                     Using `maximum={new_max}, minimum={new_min}` instead."
                ));
            }
            (minimum, maximum) = (Some(new_min), Some(new_max));
        }
        if active {
            self.refuse_more(&cluster, &limits, minimum.unwrap_or(0)).await?;
        }
        self.tell(&cluster, &addresses, Question::Adapt { minimum, maximum, active }).await?;
        Ok(Scaled { warning })
    }

    /// The cluster, its scheduler's addresses, and what applies to its user.
    async fn scalable(
        &self,
        who: &Identity,
        name: &ClusterName,
    ) -> Result<(Cluster, Addresses, Effective), ServiceError> {
        let cluster = self.get(who, name).await?;
        let limits = self.context.limits_of(&cluster.user, &cluster.groups).await?;
        match cluster.addresses {
            Some(addresses) if cluster.status == Status::Running => {
                refuse_frozen(&limits)?;
                Ok((cluster, addresses, limits))
            }
            _ => Err(ServiceError::Conflict(format!("Cluster '{name}' is not running"))),
        }
    }

    /// Once the budget is spent, while the limits cannot be read, or on a full disk, no more workers than there are; fewer at any time.
    async fn refuse_more(&self, cluster: &Cluster, limits: &Effective, count: u32) -> Result<(), ServiceError> {
        if i64::from(count) > cluster.reserved.counts.workers {
            refuse_unreadable(limits)?;
            self.context.refuse_spent(&cluster.user, limits).await?;
            self.context.store.check_room()?;
        }
        Ok(())
    }

    /// Asks until it answers, or for long enough. A scheduler that is slow to answer is not failed for that.
    async fn tell(&self, cluster: &Cluster, addresses: &Addresses, question: Question) -> Result<(), ServiceError> {
        let host = &self.context.host;
        let deadline = host.uptime() + self.context.policy().scheduler_call_ms;
        let token = self.context.token(cluster, Use::Cluster)?;
        let mut pause: Ms = 100;
        loop {
            let ask = Ask {
                cluster: cluster.name.clone(),
                address: addresses.api,
                token: token.clone(),
                question: question.clone(),
            };
            let error = match self.schedulers.ask(vec![ask]).await.pop() {
                Some(Ok(_)) => return Ok(()),
                Some(Err(error)) => error,
                None => SchedulerError::Relay("no answer at all".into()),
            };
            if host.uptime() + pause >= deadline {
                tracing::warn!(cluster = %cluster.name, %error, "scheduler request failed");
                return Err(ServiceError::Conflict(format!(
                    "The scheduler of cluster '{}' did not take the request; it may be busy: try again",
                    cluster.name
                )));
            }
            host.sleep_ms(pause).await;
            pause = (pause * 2).min(2_000);
        }
    }
}
