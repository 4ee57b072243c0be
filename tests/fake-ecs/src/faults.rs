//! Faults: what the next calls of an action meet. Pure.

use crate::checks;
use crate::wire::{ApiError, short_name, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the next calls that match meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The action, for example `RunTask`.
    pub action: String,
    /// How many calls.
    #[serde(default = "once")]
    pub times: u32,
    /// Which calls; all by default.
    #[serde(default)]
    pub when: When,
    /// What they meet.
    pub then: Then,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// What the next `times` calls of an action meet.
    pub fn next(times: u32, action: &str, then: Then) -> Fault {
        Fault { action: action.into(), times, when: When::default(), then }
    }
}

/// Which calls a fault meets: those that have everything that is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct When {
    /// Those on this capacity provider (`FARGATE_SPOT`).
    pub capacity_provider: Option<String>,
    /// Those whose `startedBy` begins so.
    pub started_by: Option<String>,
    /// Those whose task definition has this image.
    pub image: Option<String>,
    /// Those in this subnet.
    pub subnet: Option<String>,
    /// Those that name this task (id or ARN).
    pub task: Option<String>,
}

impl When {
    /// Does it hold for this call, of this image?
    pub fn holds(&self, body: &Value, image: &str) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        let begins = |prefix: &str| text(body, "startedBy").is_some_and(|by| by.starts_with(prefix));
        is(&self.capacity_provider, checks::capacity_provider(body))
            && self.started_by.as_deref().is_none_or(begins)
            && is(&self.image, Some(image))
            && is(&self.subnet, checks::subnet(body).as_deref())
            && is(&self.task.as_deref().map(|task| short_name(task).to_owned()), text(body, "task").map(short_name))
    }
}

/// What a call meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Then {
    /// `ThrottlingException`; nothing is done.
    Throttled,
    /// RunTask starts only so many and answers `RESOURCE:MEMORY` for the rest.
    NoMemory {
        /// How many start.
        #[serde(default)]
        start: u64,
    },
    /// RunTask starts only so many and answers that capacity is unavailable for the rest.
    NoCapacity {
        /// How many start.
        #[serde(default)]
        start: u64,
    },
    /// The account may not run more vCPUs; nothing is done.
    VcpuLimit,
    /// RunTask accepts, but the subnet has no address for these tasks: they stop before they start.
    NoAddresses,
    /// Done, but the caller never hears of it: the connection ends, or status 500 if `status`.
    ReplyLost {
        /// Answer a status 500 in place of an end of the connection.
        #[serde(default)]
        status: bool,
    },
    /// The connection ends at once, and the call is done later.
    LandsLater {
        /// How much later.
        after_ms: u64,
    },
    /// The call takes longer. It is done even if the caller leaves.
    Slow {
        /// How much longer before it is done.
        by_ms: u64,
    },
    /// This error; nothing is done.
    Error {
        /// The HTTP status.
        status: u16,
        /// The name.
        name: String,
        /// The message.
        message: String,
    },
}

/// How ECS says that an account's quota of vCPUs is used up
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html>).
pub const VCPU_LIMIT: &str = "You've reached the limit on the number of vCPUs you can run concurrently";

/// How ECS says that Fargate has no capacity (<https://repost.aws/knowledge-center/ecs-fargate-runtask-capacity>).
pub const NO_CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

impl Then {
    /// The error that it is, if it is one.
    pub fn error(&self) -> Option<ApiError> {
        match self {
            Then::Throttled => Some(ApiError::throttled()),
            Then::VcpuLimit => Some(ApiError::client(VCPU_LIMIT)),
            Then::Error { status, name, message } => {
                Some(ApiError { status: *status, ..ApiError::new(name, message.clone()) })
            }
            _ => None,
        }
    }

    /// The reason of those that do not start, and how many do.
    pub fn shortage(&self) -> Option<(u64, &'static str)> {
        match self {
            Then::NoMemory { start } => Some((*start, "RESOURCE:MEMORY")),
            Then::NoCapacity { start } => Some((*start, NO_CAPACITY)),
            _ => None,
        }
    }
}

/// The faults that wait for their calls.
#[derive(Clone, Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// What this call meets, if anything: the oldest fault that matches, once less.
    pub fn take(&mut self, action: &str, body: &Value, image: &str) -> Option<Then> {
        let meets = |fault: &Fault| fault.action == action && fault.times > 0 && fault.when.holds(body, image);
        let index = self.0.iter().position(meets)?;
        let fault = &mut self.0[index];
        fault.times -= 1;
        let then = fault.then.clone();
        self.0.retain(|fault| fault.times > 0);
        Some(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_meets_the_next_calls_that_match_and_no_more() {
        let mut faults = Faults(vec![Fault::next(2, "RunTask", Then::Throttled)]);
        let mut met = || faults.take("RunTask", &json!({}), "i").is_some();
        assert_eq!([met(), met(), met()], [true, true, false]);
        assert_eq!(Faults(vec![Fault::next(1, "RunTask", Then::Throttled)]).take("StopTask", &json!({}), "i"), None);
    }

    #[test]
    fn calls_are_told_apart_by_what_they_ask_for() {
        let spot = json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}], "startedBy": "abc-1",
                          "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}});
        let when = |value: Value| serde_json::from_value::<When>(value).unwrap();
        assert!(when(json!({"capacityProvider": "FARGATE_SPOT", "startedBy": "abc"})).holds(&spot, "i"));
        assert!(when(json!({"image": "i", "subnet": "subnet-1"})).holds(&spot, "i"));
        assert!(!when(json!({"capacityProvider": "FARGATE"})).holds(&spot, "i"));
        assert!(!when(json!({"startedBy": "b"})).holds(&spot, "i"));
        assert!(when(json!({"task": "arn/x"})).holds(&json!({"task": "x"}), ""));
    }

    #[test]
    fn faults_are_read_from_json() {
        let read: Fault = serde_json::from_value(
            json!({"action": "RunTask", "times": 3, "when": {"image": "x"}, "then": {"kind": "landsLater", "afterMs": 5}}),
        )
        .unwrap();
        assert_eq!(read.then, Then::LandsLater { after_ms: 5 });
        let read: Fault = serde_json::from_value(json!({"action": "RunTask", "then": {"kind": "noCapacity"}})).unwrap();
        assert_eq!((read.times, read.then.shortage()), (1, Some((0, NO_CAPACITY))));
    }
}
