//! A task as it is kept, and as the API and events tell of it.

use crate::settings::{Knobs, Settings};
use crate::start_failures::StartFailure;
use crate::wire::{list, text};
use crate::{checks, clock};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use tokio::sync::watch;

/// Where a task is in its life
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Its network is being made.
    Provisioning,
    /// Its image is being pulled.
    Pending,
    /// Its container runs.
    Running,
    /// About to be stopped.
    Deactivating,
    /// Its container is told to end.
    Stopping,
    /// Its network is being taken away.
    Deprovisioning,
    /// At rest.
    Stopped,
}

impl Status {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Provisioning => "PROVISIONING",
            Status::Pending => "PENDING",
            Status::Running => "RUNNING",
            Status::Deactivating => "DEACTIVATING",
            Status::Stopping => "STOPPING",
            Status::Deprovisioning => "DEPROVISIONING",
            Status::Stopped => "STOPPED",
        }
    }
}

/// Why a task is to stop, or has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// `stopCode`.
    pub code: &'static str,
    /// `stoppedReason`.
    pub reason: String,
}

impl Stop {
    /// Someone called StopTask.
    pub fn user(reason: Option<&str>) -> Stop {
        Stop { code: "UserInitiated", reason: reason.unwrap_or("Task stopped by user").to_owned() }
    }

    /// Spot takes its capacity back
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>).
    pub fn spot() -> Stop {
        Stop { code: "SpotInterruption", reason: "Your Spot Task was interrupted.".into() }
    }

    /// AWS retires it, to renew what it runs on. The reason is documented
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html>), the code is what users see.
    pub fn retired() -> Stop {
        let reason = "ECS is performing maintenance on the underlying infrastructure hosting the task.";
        Stop { code: "ServiceSchedulerInitiated", reason: reason.into() }
    }

    /// Zones are evened out. Documented for services alone, and without its words.
    pub fn rebalanced() -> Stop {
        Stop { code: "ServiceSchedulerInitiated", reason: "Availability Zone rebalancing stopped the task.".into() }
    }

    /// The task's container ended.
    pub fn exited() -> Stop {
        Stop { code: "EssentialContainerExited", reason: "Essential container in task exited".into() }
    }

    /// The task could not be started.
    pub fn not_started(reason: impl Into<String>) -> Stop {
        Stop { code: "TaskFailedToStart", reason: reason.into() }
    }
}

/// What a task's life is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// To stop.
    Stop,
    /// That its container ended with this code; only where no processes are run.
    Ended(i32),
}

/// A task.
#[derive(Debug)]
pub struct Task {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its place among all tasks, in the order of acceptance.
    pub number: u64,
    /// The short name of its cluster.
    pub cluster: String,
    /// Its definition as it was then.
    pub definition: Value,
    /// The call that asked for it.
    pub request: Value,
    /// Its tags.
    pub tags: Vec<Value>,
    /// Where it is in its life.
    pub status: Status,
    /// Is it to stop, or has it stopped?
    pub to_stop: bool,
    /// Grows with each change.
    pub version: u64,
    /// When it was accepted, in epoch seconds.
    pub created_at: f64,
    /// When it stopped.
    pub stopped_at: Option<f64>,
    /// Its other times, by member name.
    pub times: BTreeMap<&'static str, f64>,
    /// Why it stops.
    pub stop: Option<Stop>,
    /// Its container's own reason.
    pub container_reason: Option<String>,
    /// Its container's exit code.
    pub exit_code: Option<i32>,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// The process of its container.
    pub pid: Option<i32>,
    /// Was it killed for its memory?
    pub out_of_memory: bool,
    /// Does its subnet have no address for it?
    pub no_address: bool,
    /// How its start fails by nobody's fault.
    pub start_failure: Option<StartFailure>,
    /// Tells its life what happens to it.
    pub tell: watch::Sender<Told>,
}

impl Task {
    /// A task that was just accepted.
    pub fn new(number: u64, id: String, cluster: &str, definition: Value, request: Value, tags: Vec<Value>) -> Task {
        Task {
            id,
            number,
            cluster: cluster.to_owned(),
            definition,
            request,
            tags,
            status: Status::Provisioning,
            to_stop: false,
            version: 0,
            created_at: clock::now(),
            stopped_at: None,
            times: BTreeMap::new(),
            stop: None,
            container_reason: None,
            exit_code: None,
            address: None,
            pid: None,
            out_of_memory: false,
            no_address: false,
            start_failure: None,
            tell: watch::Sender::new(Told::Nothing),
        }
    }

    /// Its ARN.
    pub fn arn(&self, settings: &Settings) -> String {
        settings.arn(&format!("task/{}/{}", self.cluster, self.id))
    }

    /// The first container of its definition: the one that is run.
    pub fn container(&self) -> &Value {
        &self.definition["containerDefinitions"][0]
    }

    /// What the call says about that container.
    pub fn container_override(&self) -> &Value {
        let overrides = list(&self.request["overrides"], "containerOverrides");
        overrides.iter().find(|item| item["name"] == self.container()["name"]).unwrap_or(&Value::Null)
    }

    /// Its image.
    pub fn image(&self) -> &str {
        text(self.container(), "image").unwrap_or_default()
    }

    /// What it was started by.
    pub fn started_by(&self) -> Option<&str> {
        text(&self.request, "startedBy")
    }

    /// Is it told of at this time? Not yet for a while after its start, and no more some time after its end.
    pub fn shown(&self, now: f64, knobs: &Knobs) -> bool {
        let visible = now >= self.created_at + knobs.visible_after_ms as f64 / 1000.0;
        visible && self.kept(now, knobs)
    }

    /// Does ECS still know of it at this time?
    pub fn kept(&self, now: f64, knobs: &Knobs) -> bool {
        self.stopped_at.is_none_or(|stopped| now < stopped + knobs.stopped_shown_ms as f64 / 1000.0)
    }

    /// As the API tells it: times in epoch seconds.
    pub fn describe(&self, settings: &Settings, with_tags: bool) -> Value {
        let mut task = self.body(settings, &|at| json!(at));
        task["tags"] = if with_tags { json!(self.tags) } else { json!([]) };
        task
    }

    /// As an event tells it: times in ISO 8601, no tags.
    pub fn event_detail(&self, settings: &Settings) -> Value {
        let mut task = self.body(settings, &|at| json!(clock::iso(at)));
        task["updatedAt"] = json!(clock::iso(clock::now()));
        task
    }

    fn body(&self, settings: &Settings, time: &dyn Fn(f64) -> Value) -> Value {
        let overrides = &self.request["overrides"];
        let (cpu, memory) = checks::size(overrides, &self.definition);
        let family = text(&self.definition, "family").unwrap_or_default();
        let storage = [&overrides["ephemeralStorage"], &self.definition["ephemeralStorage"]];
        let mut task = json!({
            "taskArn": self.arn(settings),
            "clusterArn": settings.arn(&format!("cluster/{}", self.cluster)),
            "taskDefinitionArn": self.definition["taskDefinitionArn"],
            "attachments": [self.attachment(settings)],
            "attributes": [],
            "availabilityZone": format!("{}a", settings.region),
            "connectivity": "CONNECTED",
            "containers": [self.describe_container(settings)],
            "cpu": cpu,
            "memory": memory,
            "createdAt": time(self.created_at),
            "desiredStatus": if self.to_stop { "STOPPED" } else { "RUNNING" },
            "enableExecuteCommand": false,
            "group": text(&self.request, "group").map_or_else(|| format!("family:{family}"), str::to_owned),
            "healthStatus": "UNKNOWN",
            "inferenceAccelerators": [],
            "lastStatus": self.status.name(),
            "launchType": "FARGATE",
            "overrides": self.describe_overrides(),
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "version": self.version,
            // Without any setting a task has 20 GiB
            // (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html).
            "ephemeralStorage": storage.iter().find(|item| !item.is_null()).map_or(json!({"sizeInGiB": 20}), |item| (*item).clone()),
        });
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                task[name] = value;
            }
        };
        set("startedBy", self.started_by().map(Value::from));
        set("capacityProviderName", checks::capacity_provider(&self.request).map(Value::from));
        set("stopCode", self.stop.as_ref().map(|stop| stop.code.into()));
        set("stoppedReason", self.stop.as_ref().map(|stop| stop.reason.as_str().into()));
        set("stoppedAt", self.stopped_at.map(time));
        for (name, at) in &self.times {
            set(name, Some(time(*at)));
        }
        task
    }

    fn describe_overrides(&self) -> Value {
        let mut overrides = self.request["overrides"].as_object().cloned().unwrap_or_else(Map::new);
        overrides.entry("containerOverrides").or_insert_with(|| json!([{"name": self.container()["name"]}]));
        overrides.entry("inferenceAcceleratorOverrides").or_insert_with(|| json!([]));
        overrides.into()
    }

    fn attachment(&self, settings: &Settings) -> Value {
        let mut details = vec![json!({"name": "subnetId", "value": checks::subnet(&self.request)})];
        if let Some(address) = self.address {
            details.push(json!({"name": "networkInterfaceId", "value": format!("eni-{}", &self.id[..17])}));
            details.push(json!({"name": "privateIPv4Address", "value": address}));
            let name = format!("ip-{}.{}.compute.internal", address.to_string().replace('.', "-"), settings.region);
            details.push(json!({"name": "privateDnsName", "value": name}));
        }
        let status = match self.status {
            Status::Provisioning => "PRECREATED",
            Status::Stopped => "DELETED",
            _ if self.address.is_none() => "PRECREATED",
            _ => "ATTACHED",
        };
        json!({"id": uuid(&self.id, 'a'), "type": "ElasticNetworkInterface", "status": status, "details": details})
    }

    fn describe_container(&self, settings: &Settings) -> Value {
        let status = match self.status {
            Status::Provisioning | Status::Pending => "PENDING",
            Status::Running | Status::Deactivating | Status::Stopping => "RUNNING",
            Status::Deprovisioning | Status::Stopped => "STOPPED",
        };
        let interfaces: Vec<Value> = (self.address.iter())
            .map(|address| json!({"attachmentId": uuid(&self.id, 'a'), "privateIpv4Address": address}))
            .collect();
        let container = uuid(&self.id, 'c');
        let (cpu, memory) = checks::size(&self.request["overrides"], &self.definition);
        let mut described = json!({
            "containerArn": settings.arn(&format!("container/{}/{}/{container}", self.cluster, self.id)),
            "taskArn": self.arn(settings),
            "name": self.container()["name"],
            "image": self.image(),
            "lastStatus": status,
            "networkBindings": [],
            "networkInterfaces": interfaces,
            "healthStatus": "UNKNOWN",
            "managedAgents": [],
            "cpu": cpu,
            "memory": memory,
        });
        if self.times.contains_key("startedAt") {
            described["runtimeId"] = json!(format!("{}-1", self.id));
        }
        if let Some(code) = self.exit_code {
            described["exitCode"] = json!(code);
        }
        if let Some(reason) = &self.container_reason {
            described["reason"] = json!(reason);
        }
        described
    }
}

/// A UUID made of a task's id, another one for each kind.
pub fn uuid(id: &str, kind: char) -> String {
    let digits: String = id.chars().skip(1).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{kind}{}-{}-{}-{}-{}", part(0, 7), part(7, 11), part(11, 15), part(15, 19), part(19, 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        let definition = json!({"family": "f", "taskDefinitionArn": "arn:f:1", "cpu": "256", "memory": "512",
                                "containerDefinitions": [{"name": "dask", "image": "image"}]});
        let request = json!({"startedBy": "me", "overrides": {"cpu": "512", "memory": "1024"},
                             "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}});
        let tags = vec![json!({"key": "user", "value": "ada"})];
        Task::new(1, "0123456789abcdef0123456789abcdef".into(), "c", definition, request, tags)
    }

    #[test]
    fn the_api_tells_epoch_seconds_and_events_dates() {
        let (settings, mut task) = (Settings::new(""), task());
        task.times.insert("startedAt", 0.5);
        assert_eq!(task.describe(&settings, true)["startedAt"], json!(0.5));
        assert_eq!(task.event_detail(&settings)["startedAt"], "1970-01-01T00:00:00.500Z");
    }

    #[test]
    fn a_new_task_has_its_overrides_and_no_address_yet() {
        let described = task().describe(&Settings::new(""), true);
        assert_eq!(described["taskArn"], "arn:aws:ecs:eu-west-1:000000000000:task/c/0123456789abcdef0123456789abcdef");
        assert_eq!((&described["cpu"], &described["memory"]), (&json!("512"), &json!("1024")));
        assert_eq!(described["attachments"][0]["details"], json!([{"name": "subnetId", "value": "subnet-1"}]));
        assert_eq!(described["containers"][0]["networkInterfaces"], json!([]));
        assert_eq!(described["tags"], json!([{"key": "user", "value": "ada"}]));
        assert_eq!(described.get("stopCode"), None);
    }

    #[test]
    fn tags_are_told_when_asked_for() {
        assert_eq!(task().describe(&Settings::new(""), false)["tags"], json!([]));
        assert_eq!(task().event_detail(&Settings::new("")).get("tags"), None);
    }

    #[test]
    fn a_task_shows_late_and_is_forgotten_later() {
        let knobs = Knobs { visible_after_ms: 1000, stopped_shown_ms: 5000, ..Knobs::default() };
        let mut task = task();
        task.created_at = 100.0;
        assert!(!task.shown(100.9, &knobs) && task.shown(101.0, &knobs));
        task.stopped_at = Some(200.0);
        assert!(task.shown(204.9, &knobs) && !task.shown(205.0, &knobs));
    }
}
