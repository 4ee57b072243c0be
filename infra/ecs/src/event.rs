//! Task state changes, and retirements of tasks, as EventBridge delivers them.

use crate::task::EcsTask;
use faregate_core::model::{TaskFacts, TaskId, TaskState};
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

/// What an event says.
#[derive(Debug, PartialEq)]
pub enum TaskEvent {
    /// What became of a task of ours.
    Changed(Box<TaskFacts>),
    /// AWS will stop tasks, to renew what they run on.
    Retirement {
        /// Which, among others.
        tasks: Vec<TaskId>,
        /// When, as AWS writes it.
        at: String,
    },
}

/// The notice of AWS Health ("Task retirement and maintenance for AWS Fargate on Amazon ECS", Amazon ECS developer guide).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    event_type_code: String,
    #[serde(default)]
    start_time: String,
    #[serde(default)]
    affected_entities: Vec<Entity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    entity_value: String,
}

/// Reads an event, given with its envelope; none = it is about something else, or about a task that is not ours.
pub fn read(event: &str) -> Result<Option<TaskEvent>, EventError> {
    let Envelope { kind, detail } = serde_json::from_str(event)?;
    match kind.as_str() {
        "ECS Task State Change" => {
            let task: EcsTask = serde_json::from_value(detail)?;
            Ok(task.facts().map(|facts| TaskEvent::Changed(Box::new(facts))))
        }
        "AWS Health Event" => Ok(retirement(serde_json::from_value(detail)?)),
        _ => Ok(None),
    }
}

/// The tasks that it names: by their ARN, which ends in the id. Services are named, too, which are not ours to warn of.
fn retirement(notice: Notice) -> Option<TaskEvent> {
    if notice.event_type_code != "AWS_ECS_TASK_PATCHING_RETIREMENT" {
        return None;
    }
    let entities = notice.affected_entities.into_iter();
    let tasks = entities
        .filter_map(|entity| entity.entity_value.rsplit(['/', '|']).next().map(|id| TaskId(id.to_owned())))
        .collect();
    let at = match notice.start_time.as_str() {
        "" => "at a time that it has not said".to_owned(),
        at => at.chars().take(LONGEST_TIME).collect(),
    };
    Some(TaskEvent::Retirement { tasks, at })
}

/// No time is longer, however it is written.
const LONGEST_TIME: usize = 60;

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

    fn facts(event: &str) -> TaskFacts {
        let Some(TaskEvent::Changed(facts)) = read(event).unwrap() else { panic!("no facts: {event}") };
        *facts
    }

    #[test]
    fn an_event_about_a_task_of_ours_is_facts() {
        let ours = event("ECS Task State Change", "0123456789ab0123456789abcdef0123-000001");
        let facts = facts(&ours);
        assert_eq!((facts.role, facts.state, facts.version), (TaskRole::Scheduler, TaskState::Running, 4));
        assert_eq!(facts.started_at.map(|at| at - facts.accepted_at), Some(59_500));
    }

    #[test]
    fn what_failed_by_itself_is_told_from_what_was_stopped_or_ended_well() {
        let facts = facts(&event("ECS Task State Change", "0123456789ab0123456789abcdef0123-000001"));
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

    fn notice(code: &str, start: &str) -> String {
        let entities =
            ["arn:aws:ecs:eu-central-1:1:task/dask/c13b4cb40f1f4fe4a2971f76ae5a47ad", "faregate-proxy|faregate-proxy"];
        let entities = entities.map(|value| json!({"entityValue": value}));
        json!({
            "version": "0", "id": "x", "detail-type": "AWS Health Event", "source": "aws.health",
            "detail": {
                "service": "ECS", "eventTypeCode": code, "eventTypeCategory": "scheduledChange", "startTime": start,
                "affectedEntities": entities,
            },
        })
        .to_string()
    }

    #[test]
    fn a_notice_of_a_retirement_names_its_tasks_and_says_when_as_aws_writes_it() {
        let read = read(&notice("AWS_ECS_TASK_PATCHING_RETIREMENT", "Tue, 8 Dec 2026 10:00:00 GMT")).unwrap();
        let Some(TaskEvent::Retirement { tasks, at }) = read else { panic!("{read:?}") };
        assert_eq!(tasks[0].0, "c13b4cb40f1f4fe4a2971f76ae5a47ad");
        assert_eq!(at, "Tue, 8 Dec 2026 10:00:00 GMT");
    }

    #[test]
    fn a_notice_without_a_time_is_one_all_the_same() {
        let read = read(&notice("AWS_ECS_TASK_PATCHING_RETIREMENT", "")).unwrap();
        assert!(
            matches!(&read, Some(TaskEvent::Retirement { at, .. }) if at == "at a time that it has not said"),
            "{read:?}"
        );
    }

    #[test]
    fn other_notices_are_none() {
        assert_eq!(read(&notice("AWS_ECS_OPERATIONAL_ISSUE", "")).unwrap(), None);
    }

    #[test]
    fn other_events_are_none_and_other_texts_are_errors() {
        assert_eq!(read(&event("ECS Task State Change", "ecs-svc/1")).unwrap(), None);
        assert_eq!(read(&event("ECS Service Action", "x")).unwrap(), None);
        for text in ["", "{}", "nonsense", r#"{"detail-type": "ECS Task State Change", "detail": {"version": "x"}}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
