//! Why a task stopped, in words for the user whose task it was.
//!
//! Codes and prefixes: Amazon ECS developer guide, "Amazon ECS stopped task error messages".

use crate::task::EcsTask;

/// The signal of a container that used too much memory: 128 + SIGKILL.
const KILLED: i32 = 137;

/// A sentence, without a closing full stop.
pub(crate) fn stop_reason(task: &EcsTask) -> String {
    let container = task.container();
    let of_container = container.and_then(|container| container.reason.as_deref());
    let of_task = task.stopped_reason.as_deref();
    let exit_code = container.and_then(|container| container.exit_code);
    let said = |prefix: &str| [of_container, of_task].into_iter().flatten().find_map(|text| after(text, prefix));
    let by_itself = task.stop_code.as_deref() == Some("EssentialContainerExited");
    let sentence = if said("OutOfMemoryError").is_some() {
        format!("it ran out of memory: {}", memory(task))
    } else if let Some(why) = said("CannotPullContainerError") {
        let image = container.and_then(|container| container.image.as_deref()).unwrap_or("of the task");
        format!("the image `{image}` cannot be pulled: {why}")
    } else if let Some(why) = said("ResourceInitializationError") {
        format!("the task could not be set up: {why}")
    } else if let Some(why) = said("InsufficientFreeAddressesInSubnet") {
        format!("the subnet has no free address left: {why}")
    } else if task.stop_code.as_deref() == Some("SpotInterruption") {
        "its Spot capacity was taken back".to_owned()
    } else if by_itself && exit_code == Some(KILLED) {
        format!("it was killed, as a task is that runs out of memory: {}", memory(task))
    } else if let (true, Some(code)) = (by_itself, exit_code) {
        return format!("exited with code {code}");
    } else {
        let words = of_task.or(of_container).or(task.stop_code.as_deref());
        words.unwrap_or("stopped, and ECS does not say why").to_owned()
    };
    let sentence = sentence.trim_end_matches(['.', ' ']);
    match exit_code {
        Some(code) => format!("{sentence} (exit code {code})"),
        None => sentence.to_owned(),
    }
}

/// Errors of a start that name whose fault it is in what follows, and else nobody's.
const START_ERRORS: [&str; 3] =
    ["cannotpullcontainererror", "cannotpullimagemanifesterror", "resourceinitializationerror"];

/// What says of such an error that no time will make it right: the image, the file or the permission is not there, or does not fit.
const LASTING: [&str; 14] = [
    "not found",
    "notfound",
    "does not exist",
    "nosuchkey",
    "no such",
    "manifest unknown",
    "denied",
    "unauthorized",
    "not authorized",
    "authorization failed",
    "no basic auth",
    "invalid reference",
    "descriptor matching platform",
    "no space left",
];

/// What says of it that a registry or a service was busy or away, whatever else it says.
const PASSING: [&str; 15] = [
    "timeout",
    "timed out",
    "deadline exceeded",
    "toomanyrequests",
    "too many requests",
    "rate exceeded",
    "throttl",
    "connection reset",
    "connection refused",
    "unexpected eof",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway",
    "temporary failure",
];

/// Errors of a container that could not be started as it is: a bad entry point, a wrong architecture.
const OWN_FAULTS: [&str; 3] = ["cannotstartcontainererror", "cannotcreatecontainererror", "containerruntimeerror"];

/// Did it end, or never begin, for want of capacity or by the platform's fault? Of Fargate's starts one in a hundred fails so: a network
/// interface that is not there in time, a registry that answers 429 or 5xx, an error of EC2. What failed to start for reasons that nobody
/// knows is such a case, too. It is tried again and counts as no failure.
pub(crate) fn lost_its_place(task: &EcsTask) -> bool {
    let of_container = task.container().and_then(|container| container.reason.as_deref());
    let why = [task.stopped_reason.as_deref(), of_container].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let why = why.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| why.contains(words));
    match task.stop_code.as_deref() {
        Some("SpotInterruption" | "TerminationNotice") => true,
        Some("TaskFailedToStart") if says(&START_ERRORS) => says(&PASSING) || !says(&LASTING),
        Some("TaskFailedToStart") => !says(&OWN_FAULTS),
        _ => says(&["insufficientfreeaddressesinsubnet", "capacity is unavailable at this time"]),
    }
}

/// What follows `prefix` and a colon; the whole text where nothing does.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(prefix)?;
    let rest = rest.trim_start_matches([':', ' ']);
    Some(if rest.is_empty() { text } else { rest })
}

/// `the task has 2 GiB`.
fn memory(task: &EcsTask) -> String {
    match task.memory.as_deref().and_then(|mib| mib.parse::<u32>().ok()) {
        Some(mib) if mib % 1024 == 0 => format!("the task has {} GiB", mib / 1024),
        Some(mib) => format!("the task has {mib} MiB"),
        None => "the task's memory is not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn reason(mut task: Value, container: Value) -> String {
        task["memory"] = "2048".into();
        task["containers"] = json!([container]);
        stop_reason(&serde_json::from_value(task).unwrap())
    }

    #[test]
    fn out_of_memory_is_named_with_how_much_there_was() {
        let told = reason(
            json!({"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}),
            json!({"name": "dask", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}),
        );
        assert_eq!(told, "it ran out of memory: the task has 2 GiB (exit code 137)");
        let guessed = reason(
            json!({"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}),
            json!({"name": "dask", "exitCode": 137}),
        );
        assert!(guessed.contains("out of memory: the task has 2 GiB"), "{guessed}");
        let stopped = reason(
            json!({"stopCode": "UserInitiated", "stoppedReason": "the cluster stops"}),
            json!({"name": "dask", "exitCode": 137}),
        );
        assert_eq!(stopped, "the cluster stops (exit code 137)");
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_named() {
        let why =
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): nobody/nothing:1: not found";
        for (task, container) in [
            (
                json!({"stopCode": "TaskFailedToStart", "stoppedReason": why}),
                json!({"name": "dask", "image": "nobody/nothing:1"}),
            ),
            (
                json!({"stopCode": "TaskFailedToStart"}),
                json!({"name": "dask", "image": "nobody/nothing:1", "reason": why}),
            ),
        ] {
            let sentence = reason(task, container);
            assert!(sentence.starts_with("the image `nobody/nothing:1` cannot be pulled: pull image"), "{sentence}");
        }
    }

    #[test]
    fn a_task_that_lost_its_place_is_told_from_one_that_failed() {
        let lost = |code: &str, why: &str| {
            let task = json!({"stopCode": code, "stoppedReason": why});
            lost_its_place(&serde_json::from_value(task).unwrap())
        };
        assert!(lost("SpotInterruption", "Your Spot Task was interrupted."));
        assert!(lost("TaskFailedToStart", "Unexpected EC2 error: InsufficientFreeAddressesInSubnet"));
        for passing in [
            "Timeout waiting for network interface provisioning to complete.",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': RequestLimitExceeded",
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): toomanyrequests: Rate exceeded",
            "CannotPullContainerError: httpReadSeeker: failed open: unexpected status code 503 Service Unavailable",
            "CannotPullContainerError: failed to resolve ref: dial tcp 10.0.0.1:443: i/o timeout",
            "ResourceInitializationError: unable to pull secrets or registry auth: context deadline exceeded",
            "something that nobody has seen before",
        ] {
            assert!(lost("TaskFailedToStart", passing), "{passing}");
        }
        for lasting in [
            "CannotPullContainerError: no such image",
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): docker.io/nobody/nothing:1: not found",
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
            "CannotStartContainerError: ResourceInitializationError: exec: \"dask\": executable file not found in $PATH",
            "ContainerRuntimeError: failed to create task for container: exec format error",
            "ResourceInitializationError: failed to download env files: file does not exist",
        ] {
            assert!(!lost("TaskFailedToStart", lasting), "{lasting}");
        }
        assert!(!lost("EssentialContainerExited", "Essential container in task exited"));
    }

    #[test]
    fn other_ends_have_their_own_words() {
        let task = |code: &str, why: &str| json!({"stopCode": code, "stoppedReason": why});
        let dask = json!({"name": "dask", "exitCode": 3});
        assert_eq!(
            reason(task("EssentialContainerExited", "Essential container in task exited"), dask),
            "exited with code 3"
        );
        let spot = task("SpotInterruption", "Your Spot Task was interrupted.");
        assert_eq!(
            reason(spot, json!({"name": "dask", "exitCode": 143})),
            "its Spot capacity was taken back (exit code 143)"
        );
        let setup = task("TaskFailedToStart", "ResourceInitializationError: failed to download env files: not found");
        assert_eq!(
            reason(setup, json!({"name": "dask"})),
            "the task could not be set up: failed to download env files: not found"
        );
        assert_eq!(reason(json!({}), json!({"name": "dask"})), "stopped, and ECS does not say why");
    }
}
