//! Task state changes, as EventBridge delivers them.

use crate::task::EcsTask;
use faregate_core::model::{TaskFacts, TaskState};
use serde::Deserialize;

/// A text is no event that we understand.
#[derive(Debug, thiserror::Error)]
#[error("not an event of EventBridge about an ECS task")]
pub struct EventError(#[from] serde_json::Error);

/// The envelope around every event (Amazon EventBridge user guide, "Event structure").
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "detail-type")]
    kind: String,
    detail: serde_json::Value,
}

/// The facts in an event, given with its envelope; none = it is about something else, or about a task that is not ours.
pub fn task_facts(event: &str) -> Result<Option<TaskFacts>, EventError> {
    let Envelope { kind, detail } = serde_json::from_str(event)?;
    if kind != "ECS Task State Change" {
        return Ok(None);
    }
    let task: EcsTask = serde_json::from_value(detail)?;
    Ok(task.facts())
}

/// Did the task fail of what it ran? Then the end of its log says more than its exit code.
pub fn failed_by_itself(facts: &TaskFacts) -> bool {
    let by_itself = facts.stop_code.as_deref() == Some("EssentialContainerExited");
    facts.state == TaskState::Stopped && by_itself && facts.exit_code.is_some_and(|code| code != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::{TaskRole, TaskState};
    use serde_json::json;

    fn event(kind: &str, started_by: &str) -> String {
        json!({
            "version": "0", "id": "x", "detail-type": kind, "source": "aws.ecs", "time": "2026-11-20T10:00:00Z",
            "detail": {
                "taskArn": "arn:aws:ecs:eu-central-1:1:task/dask/c13b4cb40f1f4fe4a2971f76ae5a47ad",
                "startedBy": started_by, "group": "scheduler:0123456789ab0123456789abcdef0123",
                "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "version": 4,
                "createdAt": "2026-11-20T09:59:00.5Z", "startedAt": "2026-11-20T10:00:00Z",
                "overrides": {"containerOverrides": [{"name": "dask"}]}, "containers": [{"name": "dask"}],
            },
        })
        .to_string()
    }

    #[test]
    fn an_event_about_a_task_of_ours_is_facts() {
        let ours = event("ECS Task State Change", "0123456789ab0123456789abcdef0123-000001");
        let facts = task_facts(&ours).unwrap().unwrap();
        assert_eq!((facts.role, facts.state, facts.version), (TaskRole::Scheduler, TaskState::Running, 4));
        assert_eq!(facts.started_at.map(|at| at - facts.accepted_at), Some(59_500));
    }

    #[test]
    fn what_failed_by_itself_is_told_from_what_was_stopped_or_ended_well() {
        let facts =
            task_facts(&event("ECS Task State Change", "0123456789ab0123456789abcdef0123-000001")).unwrap().unwrap();
        let ended = |stop_code: &str, exit_code| TaskFacts {
            state: TaskState::Stopped,
            stop_code: Some(stop_code.into()),
            exit_code,
            ..facts.clone()
        };
        assert!(failed_by_itself(&ended("EssentialContainerExited", Some(1))));
        for other in [
            facts.clone(),
            ended("EssentialContainerExited", Some(0)),
            ended("EssentialContainerExited", None),
            ended("UserInitiated", Some(143)),
            ended("TaskFailedToStart", None),
        ] {
            assert!(!failed_by_itself(&other), "{other:?}");
        }
    }

    #[test]
    fn other_events_are_none_and_other_texts_are_errors() {
        assert_eq!(task_facts(&event("ECS Task State Change", "ecs-svc/1")).unwrap(), None);
        assert_eq!(task_facts(&event("ECS Service Action", "x")).unwrap(), None);
        for text in ["", "{}", "nonsense", r#"{"detail-type": "ECS Task State Change", "detail": {"version": "x"}}"#] {
            assert!(task_facts(text).is_err(), "{text}");
        }
    }
}
