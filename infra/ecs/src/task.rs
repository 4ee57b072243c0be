//! A task as ECS describes it, in replies and in events, and what it says to us.

use crate::ending::stop_reason;
use crate::overrides::CONTAINER;
use crate::start_errors::lost_its_place;
use crate::tags::role;
use aws_sdk_ecs::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ecs::types;
use faregate_core::model::{LaunchId, Ms, TaskFacts, TaskId, TaskRole, TaskState};
use serde::{Deserialize, Deserializer};

/// The parts of a task that matter here; events have the same names as replies.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EcsTask {
    pub task_arn: String,
    pub started_by: String,
    pub group: String,
    pub version: u64,
    pub last_status: String,
    #[serde(deserialize_with = "time")]
    pub created_at: Option<Ms>,
    #[serde(deserialize_with = "time")]
    pub pull_started_at: Option<Ms>,
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Ms>,
    #[serde(deserialize_with = "time")]
    pub stopped_at: Option<Ms>,
    pub stop_code: Option<String>,
    pub stopped_reason: Option<String>,
    /// MiB.
    pub memory: Option<String>,
    pub capacity_provider_name: Option<String>,
    pub launch_type: Option<String>,
    pub attachments: Vec<Attachment>,
    pub containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attachment {
    details: Vec<Detail>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Detail {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container {
    pub name: String,
    pub image: Option<String>,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
}

/// The id at the end of an ARN.
pub(crate) fn id_of(arn: &str) -> TaskId {
    TaskId(arn.rsplit('/').next().unwrap_or(arn).to_owned())
}

/// `<cluster>-<digits>`, which is how we call launches, and nobody else what they start.
fn launch_of(started_by: &str) -> Option<LaunchId> {
    let launch = LaunchId(started_by.to_owned());
    launch.cluster().ok()?;
    let digits = started_by.get(32..)?.strip_prefix('-')?;
    (digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(launch)
}

impl EcsTask {
    /// What it says to us; none = it is not one of ours.
    pub(crate) fn facts(&self) -> Option<TaskFacts> {
        let launch = launch_of(&self.started_by)?;
        let (kind, _) = self.group.split_once(':')?;
        let role = [TaskRole::Scheduler, TaskRole::Worker].into_iter().find(|known| role(*known) == kind)?;
        let state = self.state();
        Some(TaskFacts {
            id: id_of(&self.task_arn),
            launch,
            role,
            version: self.version,
            state,
            accepted_at: self.created_at.unwrap_or_default(),
            // as AWS bills it, from the moment the download of the image begins ("AWS Fargate pricing")
            pulled_at: self.pull_started_at,
            started_at: self.started_at,
            stopped_at: self.stopped_at,
            stop_code: self.stop_code.clone(),
            stop_reason: (state == TaskState::Stopped).then(|| stop_reason(self)),
            exit_code: self.container().and_then(|container| container.exit_code),
            capacity: self.capacity_provider_name.clone().or_else(|| self.launch_type.clone()),
            address: self.address(),
            ports: None,
            lost_to_platform: state == TaskState::Stopped && lost_its_place(self),
            last_lines: Vec::new(),
        })
    }

    /// The one that is ours.
    pub(crate) fn container(&self) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == CONTAINER)
    }

    /// Statuses: Amazon ECS developer guide, "Amazon ECS task lifecycle". A task that is taken down without having run is not
    /// said to run.
    fn state(&self) -> TaskState {
        match self.last_status.as_str() {
            "STOPPED" | "DELETED" => TaskState::Stopped,
            "PROVISIONING" | "PENDING" | "ACTIVATING" => TaskState::Starting,
            "RUNNING" => TaskState::Running,
            _ if self.started_at.is_some() => TaskState::Running,
            _ => TaskState::Starting,
        }
    }

    fn address(&self) -> Option<std::net::IpAddr> {
        let mut details = self.attachments.iter().flat_map(|attachment| &attachment.details);
        details.find(|detail| detail.name == "privateIPv4Address")?.value.parse().ok()
    }
}

impl From<&types::Task> for EcsTask {
    fn from(task: &types::Task) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let time = |time: Option<&DateTime>| time.map(millis);
        let detail = |pair: &types::KeyValuePair| Detail {
            name: pair.name().unwrap_or_default().to_owned(),
            value: pair.value().unwrap_or_default().to_owned(),
        };
        let attachment = |of: &types::Attachment| Attachment { details: of.details().iter().map(detail).collect() };
        let container = |of: &types::Container| Container {
            name: of.name().unwrap_or_default().to_owned(),
            image: text(of.image()),
            exit_code: of.exit_code(),
            reason: text(of.reason()),
        };
        EcsTask {
            task_arn: task.task_arn().unwrap_or_default().to_owned(),
            started_by: task.started_by().unwrap_or_default().to_owned(),
            group: task.group().unwrap_or_default().to_owned(),
            version: u64::try_from(task.version()).unwrap_or_default(),
            last_status: task.last_status().unwrap_or_default().to_owned(),
            created_at: time(task.created_at()),
            pull_started_at: time(task.pull_started_at()),
            started_at: time(task.started_at()),
            stopped_at: time(task.stopped_at()),
            stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
            stopped_reason: text(task.stopped_reason()),
            memory: text(task.memory()),
            capacity_provider_name: text(task.capacity_provider_name()),
            launch_type: task.launch_type().map(|kind| kind.as_str().to_owned()),
            attachments: task.attachments().iter().map(attachment).collect(),
            containers: task.containers().iter().map(container).collect(),
        }
    }
}

/// To the nearest: replies have seconds, 1.481 of which may come as 1.48099…
fn millis(time: &DateTime) -> Ms {
    (time.as_nanos() + 500_000).div_euclid(1_000_000) as Ms
}

/// Events write times as text, replies as seconds.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Ms>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Time {
        Text(String),
        Seconds(f64),
    }
    let parsed = match Option::<Time>::deserialize(from)? {
        None => return Ok(None),
        Some(Time::Seconds(seconds)) => Ok(DateTime::from_secs_f64(seconds)),
        Some(Time::Text(text)) => DateTime::from_str(&text, DateTimeFormat::DateTimeWithOffset),
    };
    parsed.map(|time| Some(millis(&time))).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const CLUSTER: &str = "0123456789ab0123456789abcdef0123";

    fn ours() -> EcsTask {
        EcsTask {
            task_arn: "arn:aws:ecs:eu-central-1:1:task/dask/c13b4cb40f1f4fe4a2971f76ae5a47ad".into(),
            started_by: format!("{CLUSTER}-000001"),
            group: format!("worker:{CLUSTER}"),
            ..EcsTask::default()
        }
    }

    #[test]
    fn tasks_of_services_and_of_other_people_are_not_ours() {
        assert!(ours().facts().is_some());
        for started_by in ["", "ecs-svc/1234567890123456789", CLUSTER, "c-000001", &format!("{CLUSTER}-00000x")] {
            assert_eq!(EcsTask { started_by: started_by.to_owned(), ..ours() }.facts(), None, "{started_by}");
        }
        assert_eq!(EcsTask { group: "family:web".into(), ..ours() }.facts(), None);
        let late = EcsTask { started_by: format!("{CLUSTER}-1000000"), ..ours() };
        assert!(late.facts().is_some(), "the millionth launch has more digits");
    }

    #[test]
    fn a_task_runs_between_its_start_and_its_end() {
        let state = |status: &str, started_at| {
            EcsTask { last_status: status.into(), started_at, ..ours() }.facts().unwrap().state
        };
        for status in ["PROVISIONING", "PENDING", "ACTIVATING"] {
            assert_eq!(state(status, None), TaskState::Starting, "{status}");
        }
        for status in ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"] {
            assert_eq!(state(status, Some(1)), TaskState::Running, "{status}");
        }
        assert_eq!(state("DEPROVISIONING", None), TaskState::Starting, "it never ran");
        assert_eq!(state("STOPPED", Some(1)), TaskState::Stopped);
        assert_eq!(state("DELETED", None), TaskState::Stopped);
    }

    #[test]
    fn replies_and_events_say_the_same() {
        let detail = |name: &str, value: &str| types::KeyValuePair::builder().name(name).value(value).build();
        let interface = types::Attachment::builder()
            .r#type("ElasticNetworkInterface")
            .details(detail("subnetId", "subnet-a"))
            .details(detail("privateIPv4Address", "10.0.7.9"));
        let container = types::Container::builder().name("dask").image("dask:1").exit_code(3).reason("why");
        let reply = types::Task::builder()
            .task_arn(ours().task_arn)
            .started_by(ours().started_by)
            .group(ours().group)
            .version(5)
            .last_status("STOPPED")
            .created_at(DateTime::from_millis(1_700_000_000_123))
            .pull_started_at(DateTime::from_millis(1_700_000_001_000))
            .started_at(DateTime::from_millis(1_700_000_002_000))
            .stopped_at(DateTime::from_millis(1_700_000_003_000))
            .stop_code(types::TaskStopCode::EssentialContainerExited)
            .stopped_reason("Essential container in task exited")
            .memory("2048")
            .capacity_provider_name("FARGATE_SPOT")
            .launch_type(types::LaunchType::Fargate)
            .attachments(interface.build())
            .containers(container.build())
            .build();
        let event = serde_json::json!({
            "taskArn": ours().task_arn, "startedBy": ours().started_by, "group": ours().group, "version": 5,
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "createdAt": "2023-11-14T22:13:20.123Z",
            "pullStartedAt": "2023-11-14T22:13:21Z", "startedAt": "2023-11-14T22:13:22Z", "stoppedAt": 1700000003.0,
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "memory": "2048", "cpu": "256", "capacityProviderName": "FARGATE_SPOT", "launchType": "FARGATE",
            "attachments": [{"id": "x", "type": "eni", "status": "DELETED", "details": [
                {"name": "subnetId", "value": "subnet-a"}, {"name": "privateIPv4Address", "value": "10.0.7.9"}]}],
            "containers": [{"name": "dask", "image": "dask:1", "exitCode": 3, "reason": "why"}],
        });
        let event: EcsTask = serde_json::from_value(event).unwrap();
        assert_eq!(EcsTask::from(&reply), event);
        let facts = event.facts().unwrap();
        assert_eq!(facts.id.0, "c13b4cb40f1f4fe4a2971f76ae5a47ad");
        assert_eq!((facts.accepted_at, facts.started_at), (1_700_000_000_123, Some(1_700_000_002_000)));
        assert_eq!((facts.exit_code, facts.capacity.as_deref()), (Some(3), Some("FARGATE_SPOT")));
        assert_eq!((facts.address, facts.ports), ("10.0.7.9".parse().ok(), None));
    }
}
