//! What RunTask answered.

use crate::Settings;
use crate::calls::Failure;
use crate::refusal;
use crate::task::{EcsTask, id_of};
use aws_sdk_ecs::error::SdkError;
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use faregate_core::model::{Launch, TaskFacts};
use faregate_core::ports::{LaunchError, Launched};

/// It was accepted: tasks, or the reason why there is none.
pub(crate) fn accepted(settings: &Settings, launch: &Launch, output: &RunTaskOutput) -> Result<Launched, LaunchError> {
    let tasks: Vec<TaskFacts> = output.tasks().iter().filter_map(|task| EcsTask::from(task).facts()).collect();
    let refused = output.failures().iter().map(|failure| {
        let (reason, detail) = (failure.reason().unwrap_or("no reason given"), failure.detail());
        let why = detail.map_or(reason.to_owned(), |detail| format!("{reason}: {detail}"));
        refusal::of_task(settings, launch, why.trim_end_matches('.'))
    });
    let mut refused: Vec<LaunchError> = refused.collect();
    match (tasks.is_empty(), refused.pop()) {
        (false, why) => Ok(Launched { tasks, shortfall: why.map(|why| why.to_string()) }),
        (true, Some(why)) => Err(why),
        (true, None) => Err(LaunchError::Unknown("RunTask named neither tasks nor failures".to_owned())),
    }
}

/// It was not.
pub(crate) fn refused(settings: &Settings, launch: &Launch, error: &SdkError<RunTaskError>) -> LaunchError {
    match error.as_service_error() {
        Some(RunTaskError::ConflictException(conflict)) => {
            LaunchError::Conflict(conflict.resource_ids().iter().map(|arn| id_of(arn)).collect())
        }
        _ => refusal::of_call(settings, launch, &Failure::of(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::example;
    use aws_sdk_ecs::error::ErrorMetadata;
    use aws_sdk_ecs::types;
    use faregate_core::model::TaskId;

    fn task(launch: &Launch, n: u32) -> types::Task {
        types::Task::builder()
            .task_arn(format!("arn:aws:ecs:eu-central-1:1:task/dask/{n:032x}"))
            .started_by(&launch.id.0)
            .group(format!("worker:{}", launch.cluster))
            .last_status("PROVISIONING")
            .version(1)
            .build()
    }

    fn failure(reason: &str) -> types::Failure {
        types::Failure::builder().reason(reason).build()
    }

    #[test]
    fn some_tasks_are_a_launch_with_a_shortfall_and_none_is_a_wait() {
        let (settings, launch) = (Settings::example(), example(3));
        let output = RunTaskOutput::builder().tasks(task(&launch, 1)).tasks(task(&launch, 2));
        let all = accepted(&settings, &launch, &output.clone().build()).unwrap();
        assert_eq!((all.tasks.len(), all.shortfall), (2, None));
        let short = accepted(&settings, &launch, &output.failures(failure("RESOURCE:MEMORY")).build()).unwrap();
        assert_eq!(short.tasks.len(), 2);
        assert_eq!(short.shortfall.as_deref(), Some("no capacity: RESOURCE:MEMORY"));
        let none = RunTaskOutput::builder().failures(failure("Capacity is unavailable at this time.")).build();
        let error = accepted(&settings, &launch, &none).unwrap_err();
        assert_eq!(error, LaunchError::NoCapacity("Capacity is unavailable at this time".into()));
        let nothing = accepted(&settings, &launch, &RunTaskOutput::builder().build());
        assert!(matches!(nothing, Err(LaunchError::Unknown(_))));
    }

    #[test]
    fn a_conflict_names_the_tasks_of_the_other_call() {
        let conflict = types::error::ConflictException::builder()
            .resource_ids("arn:aws:ecs:eu-central-1:1:task/dask/0123456789abcdef0123456789abcdef")
            .meta(ErrorMetadata::builder().code("ConflictException").build())
            .build();
        let raw = aws_sdk_ecs::config::http::HttpResponse::new(400.try_into().unwrap(), "".into());
        let error = SdkError::service_error(RunTaskError::ConflictException(conflict), raw);
        assert_eq!(
            refused(&Settings::example(), &example(1), &error),
            LaunchError::Conflict(vec![TaskId("0123456789abcdef0123456789abcdef".into())])
        );
    }

    #[test]
    fn an_answer_of_the_server_that_it_failed_says_nothing_about_the_call() {
        let broken = types::error::ServerException::builder()
            .meta(ErrorMetadata::builder().code("ServerException").message("try again").build())
            .build();
        let raw = aws_sdk_ecs::config::http::HttpResponse::new(500.try_into().unwrap(), "".into());
        let error = SdkError::service_error(RunTaskError::ServerException(broken), raw);
        assert!(matches!(refused(&Settings::example(), &example(1), &error), LaunchError::Unknown(_)));
    }
}
