//! The gateway's ports, onto the world.

use super::World;
use super::calls::Unknown;
use super::executor::lock;
use super::records::{INDEX_LAG_MS, Records};
use super::state::State;
use async_trait::async_trait;
use faregate_core::model::{
    Audit, Certificate, Cluster, ClusterName, Heartbeat, Launch, LaunchId, LedgerEntry, Limits, Month, Ms, Scope,
    Stored, Task, TaskFacts, TaskId, Usage, UserKey, Version,
};
use faregate_core::ports::{
    ActiveRow, Answer, Ask, Children, Credentials, Host, LaunchError, Launched, Launcher, LauncherError, LimitItems,
    Page, PrepareError, Route, Routes, RoutesError, SchedulerError, Schedulers, StopRequest, Store, StoreError,
    TaskPage, Touch, TransactError, Wake, Wakes, WakesError, Write,
};
use faregate_core::safety_rule;
use std::sync::Arc;

impl From<Unknown> for StoreError {
    fn from(_: Unknown) -> Self {
        StoreError::Failed("an internal error".into())
    }
}

fn launcher_error(_: Unknown) -> LauncherError {
    LauncherError("an internal error".into())
}

impl World {
    async fn read<R: Send + 'static>(
        &self,
        of: &'static str,
        read: impl FnOnce(&Records) -> R + Send + 'static,
    ) -> Result<R, StoreError> {
        Ok(self.call(of, move |state| read(&state.records)).await?)
    }
}

#[async_trait]
impl Store for World {
    async fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<Cluster>>, StoreError> {
        let name = name.clone();
        self.read("store.cluster", move |r| r.clusters.get(&name).cloned()).await
    }

    async fn clusters(
        &self,
        user: &UserKey,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Stored<Arc<Cluster>>>, StoreError> {
        let (user, cursor) = (user.clone(), cursor.map(str::to_owned));
        self.read("store.clusters", move |r| r.page(user.as_str(), cursor.as_deref(), limit)).await?
    }

    async fn children(&self, name: &ClusterName) -> Result<Children, StoreError> {
        let name = name.clone();
        self.read("store.children", move |r| r.children(&name)).await
    }

    async fn task(&self, name: &ClusterName, id: &TaskId) -> Result<Option<Stored<Task>>, StoreError> {
        let (name, id) = (name.clone(), id.clone());
        self.read("store.task", move |r| r.nests.get(&name).and_then(|n| n.tasks.get(&id)).cloned()).await
    }

    async fn heartbeats(&self, names: &[ClusterName]) -> Result<Vec<Option<Stored<Heartbeat>>>, StoreError> {
        let names = names.to_vec();
        self.read("store.heartbeats", move |r| names.iter().map(|n| r.heartbeat(n).cloned()).collect()).await
    }

    async fn usage(&self, scopes: &[Scope]) -> Result<Vec<Stored<Usage>>, StoreError> {
        let scopes = scopes.to_vec();
        self.read("store.usage", move |r| r.counters(&scopes)).await
    }

    async fn put_usage(&self, usage: &Usage, version: Version) -> Result<(), TransactError> {
        let usage = usage.clone();
        let put = move |state: &mut State| {
            let now = state.now;
            let result = state.records.put_usage(&usage, version, now);
            if result.is_ok() && !state.still {
                state.check_recount(&usage);
            }
            result
        };
        self.call("store.put_usage", put).await.map_err(StoreError::from)?
    }

    async fn limits(&self) -> Result<LimitItems, StoreError> {
        self.read("store.limits", |r| r.limits.read()).await
    }

    async fn keep_limits(&self, items: &LimitItems) -> Result<usize, StoreError> {
        let items = items.clone();
        let keep = move |state: &mut State| {
            let kept = state.records.limits.keep(&items);
            // what is spoilt has a last good value now
            state.note_limits();
            kept
        };
        Ok(self.call("store.keep_limits", keep).await?)
    }

    async fn put_limits(&self, scope: &Scope, limits: Option<&Limits>) -> Result<(), StoreError> {
        let (scope, limits) = (scope.clone(), limits.cloned());
        let put = move |state: &mut State| {
            state.records.put_limits(&scope, limits.as_ref());
            state.note_limits();
        };
        Ok(self.call("store.put_limits", put).await?)
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TransactError> {
        self.call("store.transact", move |state| state.transact(writes)).await.map_err(StoreError::from)?
    }

    async fn touch(&self, name: &ClusterName, digest: &str, now: Ms) -> Result<Touch, TransactError> {
        let (name, digest) = (name.clone(), digest.to_owned());
        let touch = move |state: &mut State| match state.meets_another() {
            true => Err(TransactError::Contention),
            false => Ok(state.records.touch(&name, &digest, now)),
        };
        self.call("store.touch", touch).await.map_err(StoreError::from)?
    }

    async fn stop(&self, request: &StopRequest) -> Result<Option<(Stored<Cluster>, bool)>, TransactError> {
        let request = request.clone();
        let stop = move |state: &mut State| {
            if state.meets_another() {
                return Err(TransactError::Contention);
            }
            let now = state.now;
            let result = state.records.stop(&request, now);
            if result.as_ref().is_some_and(|(_, changed)| *changed) {
                state.check_end(&request.name, request.target, &request.reason);
            }
            Ok(result)
        };
        self.call("store.stop", stop).await.map_err(StoreError::from)?
    }

    async fn active(&self, cursor: Option<&str>, limit: usize) -> Result<Page<ActiveRow>, StoreError> {
        let cursor = cursor.map(str::to_owned);
        let page = move |state: &mut State| {
            let (now, faulty, visibility) = (state.now, state.faulty(), state.setup.policy.visibility_ms);
            let dice = &mut state.dice;
            let lag = || if faulty { dice.below(INDEX_LAG_MS.min(visibility)) } else { 0 };
            state.records.active(cursor.as_deref(), limit, now, lag)
        };
        self.call("store.active", page).await?
    }

    async fn ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        let (user, cursor) = (user.cloned(), cursor.map(str::to_owned));
        self.read("store.ledger", move |r| r.ledger.page(month, user.as_ref(), cursor.as_deref(), r.entries_a_page))
            .await?
    }

    async fn audit(&self, audit: &Audit) -> Result<(), StoreError> {
        let audit = audit.clone();
        self.call("store.audit", move |state| state.records.audits.write(&audit)).await?
    }

    async fn audits(&self, month: Month, cursor: Option<&str>) -> Result<Page<Audit>, StoreError> {
        let cursor = cursor.map(str::to_owned);
        self.read("store.audits", move |r| r.audits.page(month, cursor.as_deref(), r.entries_a_page)).await?
    }

    fn item_limit(&self) -> usize {
        lock(&self.state).records.item_limit
    }

    async fn forget_expired(&self, now: Ms) -> Result<usize, StoreError> {
        Ok(self.call("store.forget_expired", move |state| state.records.forget_expired(now)).await?)
    }
}

#[async_trait]
impl Wakes for World {
    async fn wake(&self, wake: Wake, delay_ms: Ms) -> Result<(), WakesError> {
        let sent = self.call("wakes.wake", move |state| state.send(wake, delay_ms)).await;
        sent.map_err(|_| WakesError("an internal error".into()))
    }
}

#[async_trait]
impl Launcher for World {
    async fn prepare(&self, credentials: &Credentials) -> Result<(), PrepareError> {
        let name = credentials.cluster.clone();
        let prepared = self.call("launcher.prepare", move |state| state.credentials.insert(name)).await;
        prepared.map(|_| ()).map_err(|unknown| launcher_error(unknown).into())
    }

    async fn discard(&self, cluster: &ClusterName) -> Result<(), LauncherError> {
        let name = cluster.clone();
        let discarded = self.call("launcher.discard", move |state| state.credentials.remove(&name)).await;
        discarded.map(|_| ()).map_err(launcher_error)
    }

    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        let lost = {
            let mut state = lock(&self.state);
            // the launcher's own part of the rule, taken away with it
            if now > launch.not_after && safety_rule!(state.setup.policy, wait_for_late_calls) {
                return Err(LaunchError::Unknown("its time is over".into()));
            }
            let lost = state.setup.faults.reply_lost;
            state.fault(lost)
        };
        let launch = launch.clone();
        match self.call("launcher.launch", move |state| state.launch(&launch)).await {
            Ok(Ok(_)) if lost => Err(LaunchError::Unknown("the reply was lost".into())),
            Ok(result) => result,
            Err(Unknown) => Err(LaunchError::Unknown("an internal error".into())),
        }
    }

    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError> {
        let id = task.clone();
        self.call("launcher.stop", move |state| state.stop_task(&id)).await.map_err(launcher_error)
    }

    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        let ids = tasks.to_vec();
        let describe = move |state: &mut State| ids.iter().map(|id| state.describe(id)).collect();
        self.call("launcher.describe", describe).await.map_err(launcher_error)
    }

    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        let id = launch.clone();
        self.call("launcher.list_launch", move |state| state.list_launch(&id)).await.map_err(launcher_error)
    }

    async fn list(&self, cursor: Option<&str>) -> Result<TaskPage, LauncherError> {
        let cursor = cursor.map(str::to_owned);
        self.call("launcher.list", move |state| state.list(cursor.as_deref())).await.map_err(launcher_error)
    }
}

#[async_trait]
impl Schedulers for World {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        if asks.is_empty() {
            return Vec::new();
        }
        let count = asks.len();
        let answers =
            self.call("schedulers.ask", move |state| asks.iter().map(|ask| state.answer(ask)).collect()).await;
        let relay = || Err(SchedulerError::Relay("an internal error".into()));
        answers.unwrap_or_else(|Unknown| std::iter::repeat_with(relay).take(count).collect())
    }
}

#[async_trait]
impl Routes for World {
    async fn publish(&self, name: &ClusterName, route: &Route) -> Result<(), RoutesError> {
        let (name, route) = (name.clone(), route.clone());
        let publish = move |state: &mut State| {
            state.routes.insert(name, route);
        };
        self.call("routes.publish", publish).await.map_err(|_| RoutesError("an internal error".into()))
    }

    async fn remove(&self, name: &ClusterName) -> Result<(), RoutesError> {
        let name = name.clone();
        let remove = move |state: &mut State| {
            state.routes.remove(&name);
        };
        self.call("routes.remove", remove).await.map_err(|_| RoutesError("an internal error".into()))
    }
}

#[async_trait]
impl Host for World {
    fn now(&self) -> Ms {
        lock(&self.state).wall()
    }

    fn uptime(&self) -> Ms {
        lock(&self.state).now
    }

    fn steady_since(&self) -> Ms {
        lock(&self.state).steady_since()
    }

    fn random(&self) -> u64 {
        lock(&self.state).dice.bits()
    }

    fn nonce(&self) -> [u8; 12] {
        let (a, b) = (self.random().to_be_bytes(), self.random().to_be_bytes());
        std::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] })
    }

    fn certificate(&self, _: &ClusterName) -> Result<Certificate, String> {
        Ok(Certificate { cert_pem: "a certificate".into(), key_pem: "a private key".into() })
    }

    async fn sleep_ms(&self, duration: Ms) {
        self.pause(duration).await;
    }

    async fn changed(&self, _: &ClusterName, duration: Ms) {
        self.pause(duration).await;
    }

    fn announce(&self, _: &ClusterName) {}
}
