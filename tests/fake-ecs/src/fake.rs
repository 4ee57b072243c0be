//! The fake as tests hold it.

use crate::addresses::Addresses;
use crate::calls::Count;
use crate::faults::Fault;
use crate::settings::{Knobs, Settings};
use crate::state::Inner;
use crate::{events, inside, random, server};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// A running fake. Every process that it started is killed when it is dropped.
#[derive(Debug)]
pub struct FakeEcs {
    inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

impl FakeEcs {
    /// Starts it, on threads of its own.
    pub fn start(mut settings: Settings) -> io::Result<FakeEcs> {
        std::fs::create_dir_all(&settings.dir)?;
        settings.dir = settings.dir.canonicalize()?;
        let listener = TcpListener::bind(settings.listen)?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let (outgoing, incoming) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner::new(settings, url, Addresses::take(random::any())?, outgoing));
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("fake-ecs").enable_all().build()?;
        runtime.spawn(events::send_all(inner.clone(), incoming));
        let router = server::router(inner.clone());
        runtime.spawn(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    let _ = axum::serve(listener, router).await;
                }
                Err(error) => tracing::error!("the listener cannot be used: {error}"),
            }
        });
        Ok(FakeEcs { inner, runtime: Some(runtime) })
    }

    /// Where it listens: what `AWS_ENDPOINT_URL_ECS` is to be.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// There is such a cluster.
    pub fn add_cluster(&self, name: &str) {
        inside::add_cluster(&self.inner, name);
    }

    /// Turns knobs.
    pub fn turn(&self, turn: impl FnOnce(&mut Knobs)) {
        turn(&mut self.inner.lock().knobs);
    }

    /// The knobs as they are turned now.
    pub fn knobs(&self) -> Knobs {
        self.inner.knobs()
    }

    /// Lets the next calls that match meet a fault. Of several, the oldest comes first.
    pub fn fail(&self, fault: Fault) {
        self.inner.lock().faults.0.push(fault);
    }

    /// The faults that still wait for their calls.
    pub fn faults(&self) -> Vec<Fault> {
        self.inner.lock().faults.0.clone()
    }

    /// Forgets all faults that wait.
    pub fn clear_faults(&self) {
        self.inner.lock().faults.0.clear();
    }

    /// How often each action was called, and the most within a second.
    pub fn counts(&self) -> BTreeMap<String, Count> {
        self.inner.lock().calls.counts()
    }

    /// How often one action was called.
    pub fn calls(&self, action: &str) -> u64 {
        self.counts().get(action).map_or(0, |count| count.calls)
    }

    /// The bodies of an action's calls, in order.
    pub fn bodies(&self, action: &str) -> Vec<String> {
        self.inner.lock().calls.bodies(action)
    }

    /// The bodies of all calls, by action.
    pub fn all_bodies(&self) -> BTreeMap<String, Vec<String>> {
        self.inner.lock().calls.all_bodies()
    }

    /// Counts from zero again, and forgets the bodies.
    pub fn forget_calls(&self) {
        self.inner.lock().calls.clear();
    }

    /// All tasks that ever were, also those that ECS tells of no more, as DescribeTasks tells them, with `pid` and `log`.
    pub fn tasks(&self) -> Vec<Value> {
        inside::tasks(&self.inner)
    }

    /// How many tasks have not stopped.
    pub fn living(&self) -> usize {
        self.inner.lock().tasks.values().filter(|task| task.stopped_at.is_none()).count()
    }

    /// All events, as EventBridge envelopes, in the order in which they happened.
    pub fn events(&self) -> Vec<Value> {
        self.inner.lock().events.clone()
    }

    /// Sends SIGKILL to the process of a task's container (id or ARN). False if it does not run.
    pub fn kill(&self, task: &str) -> bool {
        inside::kill(&self.inner, task)
    }

    /// Spot takes the task's capacity back. False if it stops already.
    pub fn interrupt(&self, task: &str) -> bool {
        inside::interrupt(&self.inner, task)
    }

    /// AWS stops the task to renew what it runs on. False if it stops already.
    pub fn retire(&self, task: &str) -> bool {
        inside::retire(&self.inner, task)
    }

    /// The task is stopped to even out zones. False if it stops already.
    pub fn rebalance(&self, task: &str) -> bool {
        inside::rebalance(&self.inner, task)
    }

    /// AWS Health sends the notice that the task will be retired; nothing else happens. False if there is no such task.
    pub fn announce_retirement(&self, task: &str) -> bool {
        inside::announce_retirement(&self.inner, task)
    }

    /// The task's container uses too much memory and is killed. False if it does not run.
    pub fn run_out_of_memory(&self, task: &str) -> bool {
        inside::run_out_of_memory(&self.inner, task)
    }
}

impl Drop for FakeEcs {
    fn drop(&mut self) {
        inside::end_all(&self.inner);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
