//! What every launcher must do, whatever its tasks are: processes, Fargate tasks, or a world's imagination.
//!
//! [`launcher_suite!`](crate::launcher_suite!) makes a test of each function, over a [`Fixture`] of yours.

mod credentials;
mod ending;
mod launching;
pub mod local;

pub use credentials::*;
pub use ending::*;
pub use launching::*;

use async_trait::async_trait;
use faregate_core::model::{
    ClusterName, Counts, Launch, LaunchId, LaunchSpec, LaunchState, Ms, TaskFacts, TaskId, TaskRole, TaskState, UserKey,
};
use faregate_core::ports::Launcher;
use std::future::Future;
use std::time::{Duration, Instant};

/// What a task of the suite does.
#[derive(Clone, Copy, Debug)]
pub enum Runs {
    /// Runs until it is stopped.
    ForEver,
    /// Writes the line `so it ends`, and exits with this code.
    Exits(i32),
    /// Writes the lines `worker_name=<its worker's name>` and `token=<the API token it finds>`, and exits with 0.
    Reports,
}

/// A launcher, and what the suite needs to know of its world.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The launcher.
    fn launcher(&self) -> &dyn Launcher;
    /// Now, by the clock of the launcher's world.
    fn now(&self) -> Ms;
    /// What makes `count` workers do this.
    fn spec(&self, count: u32, runs: Runs) -> LaunchSpec;
    /// Lets a little time pass.
    async fn pause(&self);
    /// What a task that has ended wrote.
    async fn written_by(&self, task: &TaskFacts) -> Vec<String> {
        task.last_lines.clone()
    }
}

/// A cluster that nobody else has.
pub fn new_cluster() -> ClusterName {
    use std::hash::{BuildHasher, Hasher};
    let random = std::hash::RandomState::new().build_hasher().finish();
    ClusterName::mint(&UserKey::from_digest(&random.to_be_bytes()), 1_000, random)
}

/// A launch, five minutes wide.
pub fn launch(cluster: &ClusterName, n: u32, spec: LaunchSpec, now: Ms) -> Launch {
    Launch {
        id: LaunchId::new(cluster, n),
        cluster: cluster.clone(),
        spec,
        unit: Counts::default(),
        state: LaunchState::Pending,
        created_at: now,
        not_after: now + 300_000,
        calls: 1,
        throttled: 0,
        next_try: now,
        outcome: None,
        expires_at: None,
    }
}

/// Waits until `look` finds something; panics with `what` when it never does.
pub async fn until<T, F: Future<Output = Option<T>>>(fixture: &dyn Fixture, what: &str, look: impl Fn() -> F) -> T {
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < patience, "never seen: {what}");
        fixture.pause().await;
    }
}

/// Launches, and gives the tasks' ids.
pub async fn started(fixture: &dyn Fixture, launch: &Launch) -> Vec<TaskId> {
    let launched = fixture.launcher().launch(launch, fixture.now()).await.unwrap();
    assert_eq!(launched.shortfall, None);
    ids(&launched.tasks)
}

/// The ids, sorted.
pub fn ids(tasks: &[TaskFacts]) -> Vec<TaskId> {
    let mut ids: Vec<TaskId> = tasks.iter().map(|facts| facts.id.clone()).collect();
    ids.sort();
    ids
}

/// What the launcher says of one task.
pub async fn described(fixture: &dyn Fixture, task: &TaskId) -> Option<TaskFacts> {
    fixture.launcher().describe(std::slice::from_ref(task)).await.unwrap().remove(0)
}

/// Waits until a task is in this state (or further).
pub async fn reaches(fixture: &dyn Fixture, task: &TaskId, state: TaskState) -> TaskFacts {
    let look = || async { described(fixture, task).await.filter(|facts| facts.state >= state) };
    until(fixture, &format!("task {task} {state:?}"), look).await
}

/// Everything that is not at rest, page by page.
pub async fn listed(fixture: &dyn Fixture) -> Vec<TaskFacts> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = fixture.launcher().list(cursor.as_deref()).await.unwrap();
        found.extend(page.tasks);
        cursor = page.cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

/// Stops tasks, and waits until they are at rest.
pub async fn stopped(fixture: &dyn Fixture, tasks: &[TaskId]) {
    for task in tasks {
        fixture.launcher().stop(task).await.unwrap();
    }
    for task in tasks {
        reaches(fixture, task, TaskState::Stopped).await;
    }
}

/// A worker's request; fixtures fill in what theirs needs.
pub fn worker_spec(count: u32, command: &[&str]) -> LaunchSpec {
    LaunchSpec {
        role: TaskRole::Worker,
        count,
        cores: 1.0,
        memory_bytes: 1 << 30,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        environment: Vec::new(),
        user: "alice".to_owned(),
        groups: Vec::new(),
        image: None,
        fargate: Default::default(),
    }
}

/// One test for each function of the suite. `$fixture` makes a [`Fixture`] of its own for each, and may await.
#[macro_export]
macro_rules! launcher_suite {
    ($fixture:expr) => {
        $crate::launcher_suite!(@tests $fixture;
            the_same_launch_again_returns_the_same_tasks,
            a_launch_whose_tasks_have_ended_starts_nothing_again,
            calls_at_the_same_time_start_the_tasks_of_one_launch_once,
            ten_workers_are_one_launch,
            two_launches_have_nothing_in_common,
            a_launch_after_its_window_is_not_made,
            a_launch_of_nothing_is_refused,
            descriptions_and_lists_agree,
            a_list_holds_every_task_once_however_many_pages_it_has,
            unknown_ids_are_unknown_and_can_be_stopped,
            a_task_that_is_stopped_comes_to_rest_and_stays_there,
            a_task_that_ends_by_itself_shows_how,
            facts_never_go_back,
            every_task_is_told_its_worker_name_and_finds_the_credentials,
            credentials_can_be_replaced,
            no_credentials_are_left_after_they_were_discarded,
        );
    };
    (@tests $fixture:expr; $($name:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let fixture = $fixture;
            $crate::launcher_suite::$name(&fixture).await;
        })*
    };
}
