//! The launcher: which calls are made, in which order.

use crate::calls::{Failure, once, patient};
use crate::definition::Definition;
use crate::definitions::Definitions;
use crate::request::{check, run_task};
use crate::task::EcsTask;
use crate::{Settings, credentials, refusal, reply};
use async_trait::async_trait;
use aws_sdk_ecs::types::DesiredStatus;
use faregate_core::model::{ClusterName, Launch, LaunchId, Ms, TaskFacts, TaskId, TaskState};
use faregate_core::ports::{Credentials, LaunchError, Launched, Launcher, LauncherError, PrepareError, TaskPage};
use faregate_core::{Later, later};
use std::collections::HashMap;
use std::time::Instant;

/// The most tasks of DescribeTasks, and of a page of ListTasks (Amazon ECS API reference).
const PAGE: i32 = 100;

/// Starts and stops tasks on Fargate. Cheap to make; knows nothing but which task definitions exist.
#[derive(Debug)]
pub struct EcsLauncher {
    settings: Settings,
    ecs: Later<aws_sdk_ecs::Client>,
    s3: Later<aws_sdk_s3::Client>,
    definitions: Definitions,
    page: i32,
}

impl EcsLauncher {
    /// Of the clients, each made for its first call, it takes endpoint, region and credentials. Calls of ECS are tried once, whatever
    /// the client is set to.
    pub fn new(
        settings: Settings,
        ecs: impl FnOnce() -> aws_sdk_ecs::Client + Send + 'static,
        s3: impl FnOnce() -> aws_sdk_s3::Client + Send + 'static,
    ) -> Self {
        let (ecs, s3) = (later(|| once(&ecs())), later(|| patient(&s3())));
        EcsLauncher { settings, ecs, s3, definitions: Definitions::default(), page: PAGE }
    }

    /// The same with smaller pages of lists: for tests.
    pub fn with_page(self, page: i32) -> Self {
        EcsLauncher { page, ..self }
    }

    /// What ECS says of these, by id; at most 100.
    async fn described(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, TaskFacts>, LauncherError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = ids.iter().map(|id| id.0.clone()).collect();
        let call = self.ecs.describe_tasks().cluster(&self.settings.cluster).set_tasks(Some(ids));
        let output = call.send().await.map_err(|error| Failure::of(&error))?;
        if let Some(failure) = output.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
            return Err(LauncherError(format!("a task was not described: {failure:?}")));
        }
        let facts = output.tasks().iter().filter_map(|task| EcsTask::from(task).facts());
        Ok(facts.map(|facts| (facts.id.clone(), facts)).collect())
    }

    /// The ids of a launch's tasks that are to run. ECS takes `startedBy` with no other filter, and lists those that are to run by default.
    async fn running_ids(&self, launch: &LaunchId) -> Result<Vec<TaskId>, LauncherError> {
        let call = self.ecs.list_tasks().cluster(&self.settings.cluster).started_by(&launch.0);
        let output = call.send().await.map_err(|error| Failure::of(&error))?;
        Ok(ids(output.task_arns()))
    }

    /// The ids of a launch's tasks that are to be stopped. The reference says that `startedBy` excludes other filters, and scripts use it
    /// with `desiredStatus` all the same: where ECS refuses that, everything that is to be stopped is listed, an hour's tasks at most. Not
    /// by `family`: that of a launch is another after an upgrade.
    async fn stopped_ids(&self, launch: &LaunchId) -> Result<Vec<TaskId>, LauncherError> {
        let call = || self.ecs.list_tasks().cluster(&self.settings.cluster).desired_status(DesiredStatus::Stopped);
        match call().started_by(&launch.0).send().await.map_err(|error| Failure::of(&error)) {
            Ok(output) => return Ok(ids(output.task_arns())),
            Err(Failure::Refused { code, .. }) if code == "InvalidParameterException" => {}
            Err(failure) => return Err(failure.into()),
        }
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let output = call()
                .max_results(self.page)
                .set_next_token(cursor)
                .send()
                .await
                .map_err(|error| Failure::of(&error))?;
            all.extend(ids(output.task_arns()));
            cursor = output.next_token().map(str::to_owned);
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}

fn ids(arns: &[String]) -> Vec<TaskId> {
    arns.iter().map(|arn| crate::task::id_of(arn)).collect()
}

/// ECS refuses a whole call for one id that cannot be a task's: 32 hex digits (36 characters with old hyphens).
fn can_be_a_task(id: &TaskId) -> bool {
    [32, 36].contains(&id.0.len()) && id.0.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[async_trait]
impl Launcher for EcsLauncher {
    async fn prepare(&self, credentials: &Credentials) -> Result<(), PrepareError> {
        Ok(credentials::put(&self.s3, &self.settings, credentials).await?)
    }

    async fn discard(&self, cluster: &ClusterName) -> Result<(), LauncherError> {
        credentials::delete(&self.s3, &self.settings, cluster).await
    }

    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        let begun = Instant::now();
        let (ecs, settings) = (&self.ecs, &self.settings);
        check(launch).map_err(LaunchError::Rejected)?;
        let in_time = || match now + begun.elapsed().as_millis() as Ms {
            now if now > launch.not_after => Err(LaunchError::Unknown("its time has passed: it was not called".into())),
            _ => Ok(()),
        };
        in_time()?;
        let definition = Definition::of(settings, &launch.spec);
        let family = self.definitions.family(ecs, settings, &definition).await;
        let family = family.map_err(|failure| refusal::of_call(settings, launch, &failure))?;
        let call = run_task(ecs, settings, launch, &family).map_err(LaunchError::Rejected)?;
        in_time()?;
        match call.send().await {
            Ok(output) => reply::accepted(settings, launch, &output),
            Err(error) if is_about_definition(&Failure::of(&error)) => {
                self.definitions.forget(&family).await;
                Err(LaunchError::Unknown(format!("the task definition `{family}` is gone: it is registered anew")))
            }
            Err(error) => Err(reply::refused(settings, launch, &error)),
        }
    }

    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError> {
        if !can_be_a_task(task) {
            return Ok(());
        }
        let call = self.ecs.stop_task().cluster(&self.settings.cluster).task(&task.0).reason("stopped by the gateway");
        match call.send().await.map_err(|error| Failure::of(&error)) {
            Err(failure) if !failure.says("task was not found") => Err(failure.into()),
            _ => Ok(()),
        }
    }

    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        let possible: Vec<TaskId> = tasks.iter().filter(|id| can_be_a_task(id)).cloned().collect();
        let mut known = HashMap::new();
        for some in possible.chunks(PAGE as usize) {
            known.extend(self.described(some).await?);
        }
        Ok(tasks.iter().map(|id| known.get(id).cloned()).collect())
    }

    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        let mut ids = self.running_ids(launch).await?;
        ids.extend(self.stopped_ids(launch).await?);
        ids.sort();
        ids.dedup();
        let mut known = HashMap::new();
        for some in ids.chunks(PAGE as usize) {
            known.extend(self.described(some).await?);
        }
        Ok(known.into_values().filter(|facts| facts.launch == *launch).collect())
    }

    async fn list(&self, cursor: Option<&str>) -> Result<TaskPage, LauncherError> {
        let call = self.ecs.list_tasks().cluster(&self.settings.cluster).desired_status(DesiredStatus::Running);
        let call = call.max_results(self.page).set_next_token(cursor.map(str::to_owned));
        let output = call.send().await.map_err(|error| Failure::of(&error))?;
        let known = self.described(&ids(output.task_arns())).await?;
        let tasks = known.into_values().filter(|facts| facts.state != TaskState::Stopped).collect();
        Ok(TaskPage { tasks, cursor: output.next_token().map(str::to_owned) })
    }
}

/// The family that was there is not there any more.
fn is_about_definition(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { code, .. } if code == "ClientException")
        && (failure.says("taskdefinition") || failure.says("task definition"))
        && (failure.says("not found") || failure.says("inactive"))
}
