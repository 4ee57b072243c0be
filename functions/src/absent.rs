//! Ports that a function does not have. One writer starts and stops tasks, so only `reconcile` has the launcher; only those that ask
//! schedulers have a way to them; the proxy reads the records, so nobody publishes routes.

use async_trait::async_trait;
use faregate_core::model::{ClusterName, Launch, LaunchId, Ms, TaskFacts, TaskId};
use faregate_core::ports::{
    Answer, Ask, Credentials, LaunchError, Launched, Launcher, LauncherError, PrepareError, Route, Routes, RoutesError,
    SchedulerError, Schedulers, TaskPage,
};

/// Nothing here: every call says so. As [`Routes`] it has nothing to do.
pub struct Absent;

const NO_LAUNCHER: &str = "this function starts and stops no tasks";

fn no_launcher() -> LauncherError {
    LauncherError(NO_LAUNCHER.into())
}

#[async_trait]
impl Launcher for Absent {
    async fn prepare(&self, _: &Credentials) -> Result<(), PrepareError> {
        Err(no_launcher().into())
    }

    async fn discard(&self, _: &ClusterName) -> Result<(), LauncherError> {
        Err(no_launcher())
    }

    async fn launch(&self, _: &Launch, _: Ms) -> Result<Launched, LaunchError> {
        Err(LaunchError::Unknown(NO_LAUNCHER.into()))
    }

    async fn stop(&self, _: &TaskId) -> Result<(), LauncherError> {
        Err(no_launcher())
    }

    async fn describe(&self, _: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        Err(no_launcher())
    }

    async fn list_launch(&self, _: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        Err(no_launcher())
    }

    async fn list(&self, _: Option<&str>) -> Result<TaskPage, LauncherError> {
        Err(no_launcher())
    }
}

#[async_trait]
impl Schedulers for Absent {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let no_way = || Err(SchedulerError::Relay("this function has no way to the schedulers".into()));
        asks.iter().map(|_| no_way()).collect()
    }
}

#[async_trait]
impl Routes for Absent {
    async fn publish(&self, _: &ClusterName, _: &Route) -> Result<(), RoutesError> {
        Ok(())
    }

    async fn remove(&self, _: &ClusterName) -> Result<(), RoutesError> {
        Ok(())
    }
}
