//! Performs one action of a plan.

use super::Reconciler;
use super::reconciler::ReconcileError;
use faregate_core::model::TaskId;
use faregate_core::ports::{Answer, Ask, Credentials, LaunchError, PrepareError, Question};
use faregate_core::reconcile::{Action, Observation, Snapshot};
use faregate_keys::Use;
use std::net::SocketAddr;

impl Reconciler {
    /// What it taught us, if anything. A stop or a description that fails is asked for again when it is due. Longer than a function should be: one arm for each
    /// action, so that what the reconciler can do is read in one place.
    pub(super) async fn act(&self, snapshot: &Snapshot, action: &Action) -> Result<Vec<Observation>, ReconcileError> {
        let name = &snapshot.cluster.value.name;
        let failed = |error: &dyn std::error::Error| ReconcileError::Action(error.to_string());
        match action {
            Action::Prepare(launch) => {
                let cluster = &snapshot.cluster.value;
                let credentials = Credentials {
                    cluster: name.clone(),
                    user: cluster.user.clone(),
                    tls_cert: cluster.tls_cert.clone(),
                    tls_key: self.context.open_key(cluster)?,
                    token: self.context.token(cluster, Use::Cluster)?,
                };
                match self.launcher.prepare(&credentials).await {
                    Ok(()) => {}
                    // as the launch would be, which is then not called
                    Err(PrepareError::Refused(why)) => {
                        tracing::warn!(cluster = %name, %launch, error = why, "launch failed");
                        let result = Err(LaunchError::Rejected(why));
                        return Ok(vec![Observation::Launched { launch: launch.clone(), result }]);
                    }
                    Err(error) => return Err(failed(&error)),
                }
            }
            Action::Launch(launch) => {
                let result = self.launcher.launch(launch, self.context.now()).await;
                match &result {
                    Ok(launched) => {
                        tracing::info!(cluster = %name, launch = %launch.id, tasks = launched.tasks.len(), "tasks launched");
                    }
                    Err(error) => tracing::warn!(cluster = %name, launch = %launch.id, %error, "launch failed"),
                }
                return Ok(vec![Observation::Launched { launch: launch.id.clone(), result }]);
            }
            Action::Stop(task) => {
                if let Err(error) = self.launcher.stop(task).await {
                    tracing::warn!(cluster = %name, %task, %error, "stopping a task failed; it is tried again");
                }
            }
            Action::Describe(tasks) => {
                let at = self.context.now();
                match self.launcher.describe(tasks).await {
                    Ok(found) => {
                        let described = tasks.iter().cloned().zip(found);
                        return Ok(described.map(|(task, facts)| Observation::Described { task, at, facts }).collect());
                    }
                    Err(error) => tracing::warn!(cluster = %name, %error, "describing tasks failed; it is tried again"),
                }
            }
            Action::Observe(task) => match self.launcher.activity(task).await {
                Ok(activity) => return Ok(vec![Observation::Activity { activity }]),
                Err(error) => {
                    tracing::warn!(cluster = %name, %task, %error, "describing a scheduler's process failed")
                }
            },
            Action::List(launch) => {
                let at = self.context.now();
                match self.launcher.list_launch(launch).await {
                    Ok(tasks) => return Ok(vec![Observation::Listed { launch: launch.clone(), at, tasks }]),
                    Err(error) => {
                        tracing::warn!(cluster = %name, %launch, %error, "listing a launch's tasks failed; it is tried again")
                    }
                }
            }
            Action::AskSeen(address, tasks) => return self.ask_seen(snapshot, *address, tasks).await,
            Action::Publish(route) => self.routes.publish(name, route).await.map_err(|e| failed(&e))?,
            Action::Unpublish => self.routes.remove(name).await.map_err(|e| failed(&e))?,
            Action::Discard => self.launcher.discard(name).await.map_err(|e| failed(&e))?,
        }
        Ok(Vec::new())
    }

    /// No answer teaches nothing: the scheduler's next heartbeat will.
    async fn ask_seen(
        &self,
        snapshot: &Snapshot,
        address: SocketAddr,
        tasks: &[TaskId],
    ) -> Result<Vec<Observation>, ReconcileError> {
        let cluster = &snapshot.cluster.value;
        let ask = Ask {
            cluster: cluster.name.clone(),
            address,
            token: self.context.token(cluster, Use::Cluster)?,
            question: Question::Workers { names: tasks.iter().map(TaskId::worker_name).collect() },
        };
        match self.schedulers.ask(vec![ask]).await.pop() {
            Some(Ok(Answer::Workers(seen))) => return Ok(vec![Observation::Seen { asked: tasks.to_vec(), seen }]),
            Some(Err(error)) => {
                tracing::debug!(cluster = %cluster.name, %error, "the scheduler did not say which workers it has seen");
            }
            Some(Ok(Answer::Ok | Answer::Idle(_))) | None => {}
        }
        Ok(Vec::new())
    }
}
