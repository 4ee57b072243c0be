//! Whose fault it is that a task was not started, or was stopped: its own, or nobody's that it can help.
//!
//! Categories of errors: Amazon ECS developer guide, "Amazon ECS stopped tasks error messages", and the page of each category. The words
//! after them are of containerd, of registries and of other services of AWS.

use crate::task::EcsTask;

/// How the table sorts an error of a start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// The container cannot be started as it is (a bad entry point, too little memory), unless what follows says that something was away.
    Own,
    /// Nobody's, unless what follows says that the image, the file or the permission is not there, or does not fit.
    Either,
}

/// The categories that may be a task's own fault. The others are nobody's: `InternalError` (a network interface that was late),
/// `ContainerRuntimeTimeoutError`, `CannotInspectContainerError`, `CannotStopContainerError`, `CannotCreateVolumeError`, and all that has no
/// category, such as "Timeout waiting for network interface provisioning to complete" and "Unexpected EC2 error".
const CATEGORIES: [(&str, Sort); 8] = [
    ("cannotstartcontainererror", Sort::Own),
    ("cannotcreatecontainererror", Sort::Own),
    ("outofmemoryerror", Sort::Own),
    ("cannotpullcontainer", Sort::Either),
    ("cannotpullimagemanifesterror", Sort::Either),
    ("resourceinitializationerror", Sort::Either),
    ("resourcenotfoundexception", Sort::Either),
    // mostly an internal failure of the agent or of containerd, and what a wrong architecture comes to as well
    ("containerruntimeerror", Sort::Either),
];

/// What says of an error that no time will make it right.
const LASTING: [&str; 18] = [
    "not found",
    "notfound",
    "does not exist",
    "nosuchkey",
    "no such",
    "manifest unknown",
    "denied",
    "unauthorized",
    "403 forbidden",
    "not authorized",
    "authorization failed",
    "no basic auth",
    "has the permissions",
    "invalid reference",
    "descriptor matching platform",
    "exec format error",
    "oci runtime create failed",
    "no space left",
];

/// What says of it that a registry or a service was busy or away, whatever else it says.
const PASSING: [&str; 16] = [
    "timeout",
    "timed out",
    "deadline exceeded",
    "toomanyrequests",
    "too many requests",
    "rate exceeded",
    "throttl",
    "connection issue",
    "connection reset",
    "connection refused",
    "unexpected eof",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway",
    "temporary failure",
];

/// What says of a stop that AWS wanted it, whatever its code: retired tasks ("AWS Fargate task maintenance"), zones that are evened out.
const MOVED: [&str; 2] = ["performing maintenance on the underlying", "rebalancing"];

/// Did it end, or never begin, for want of capacity or by the platform's fault? Of Fargate's starts one in a hundred fails so: a network
/// interface that is not there in time, a registry that answers 429 or 5xx, an error of EC2. What failed to start for reasons that nobody
/// knows is such a case, too. It is tried again and counts as no failure.
pub(crate) fn lost_its_place(task: &EcsTask) -> bool {
    let container = task.container();
    let of_container = container.and_then(|container| container.reason.as_deref());
    let why = [task.stopped_reason.as_deref(), of_container].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let why = why.to_lowercase();
    // an image may be called anything
    let image = container.and_then(|container| container.image.as_deref()).unwrap_or_default().to_lowercase();
    let why = if image.is_empty() { why } else { why.replace(&image, "") };
    let says = |words: &[&str]| words.iter().any(|words| why.contains(words));
    match task.stop_code.as_deref() {
        Some("SpotInterruption" | "TerminationNotice" | "ServiceSchedulerInitiated") => true,
        Some("TaskFailedToStart") => match CATEGORIES.iter().find(|(category, _)| why.contains(category)) {
            Some((_, Sort::Own)) => says(&PASSING) && !says(&LASTING),
            Some((_, Sort::Either)) => says(&PASSING) || !says(&LASTING),
            None => true,
        },
        _ => says(&["insufficientfreeaddressesinsubnet", "capacity is unavailable at this time"]) || says(&MOVED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lost(task: Value) -> bool {
        lost_its_place(&serde_json::from_value(task).unwrap())
    }

    fn lost_of(code: &str, why: &str) -> bool {
        let container = json!({"name": "dask", "image": "registry.example/timeout-not-found:1"});
        lost(json!({"stopCode": code, "stoppedReason": why, "containers": [container]}))
    }

    #[test]
    fn starts_that_fail_by_nobodys_fault_are_waits() {
        for passing in [
            // "Troubleshooting Amazon ECS TaskFailedToStart errors"
            "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
            "InternalError: Network interface provisioning",
            "Unable to attach network interface to unused device index",
            "AGENT",
            // as users report them
            "Timeout waiting for network interface provisioning to complete.",
            "Timeout waiting for EphemeralStorage provisioning to complete.",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': RequestLimitExceeded",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': AuthFailure",
            "Unexpected EC2 error while attempting to attach network interface to instance",
            "Unexpected EC2 error while attempting to tag the network interface: TagPolicyViolation",
            // "CannotPullContainer task errors in Amazon ECS"
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): toomanyrequests: Rate exceeded",
            "CannotPullContainerError: ERROR: toomanyrequests: Too Many Requests or You have reached your pull rate limit.",
            "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code 503 Service Unavailable",
            "CannotPullContainerError: failed to resolve ref registry.example/timeout-not-found:1: failed to do request: Head: net/http: request canceled while waiting for connection",
            "CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout",
            "CannotPullContainerError: The task cannot pull 'a' from the Amazon ECR repository 'b'. There is a connection issue between the task and Amazon ECR.",
            "CannotPullContainerError: pull command failed: panic: runtime error: invalid memory address or nil pointer dereference",
            "CannotPullContainerError: context canceled",
            "CannotPullContainerError: failed to copy: unexpected EOF",
            // "Troubleshooting Amazon ECS ResourceInitializationError errors"
            "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR.",
            "ResourceInitializationError: unable to pull secrets or registry auth: context deadline exceeded",
            "ResourceInitializationError: failed to configure ENI: failed to setup regular eni: netplugin failed with no error message",
            "ResourceInitializationError: failed to initialize logging driver: RequestCanceled: request context canceled caused by: context deadline exceeded",
            // the other categories
            "ContainerRuntimeError: failed to create container runtime task: containerd is not there",
            "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m",
            "CannotInspectContainerError: Could not transition to inspecting; timed out after waiting 30s",
            "CannotCreateVolumeError: the plugin does not answer",
            "CannotStartContainerError: failed to initialize logging driver: context deadline exceeded",
            "something that nobody has seen before",
            "",
        ] {
            assert!(lost_of("TaskFailedToStart", passing), "{passing}");
        }
        assert!(lost(json!({"stopCode": "TaskFailedToStart"})), "without a word");
    }

    #[test]
    fn starts_that_can_never_work_are_failures() {
        for lasting in [
            "CannotPullContainerError: no such image",
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): docker.io/nobody/nothing:1: not found",
            "CannotPullContainerError: failed to resolve ref registry.example/timeout-not-found:1: registry.example/timeout-not-found:1: not found",
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
            "CannotPullContainerError: pull access denied, repository does not exist or may require authorization",
            "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to pull images from the registry.",
            "CannotPullContainerError: failed open: unexpected status code 403 Forbidden",
            "CannotPullContainerError: write /var/lib/containerd: no space left on device",
            "CannotPullImageManifestError: manifest unknown",
            "CannotStartContainerError: ResourceInitializationError: exec: \"dask\": executable file not found in $PATH",
            "CannotStartContainerError: ResourceInitializationError: exec: \"timeout\": executable file not found in $PATH",
            "CannotStartContainerError: failed to get container status: the memory is too little",
            "CannotCreateContainerError: the working directory is no directory",
            "OutOfMemoryError: Container killed due to memory usage",
            "ContainerRuntimeError: failed to create task for container: exec format error",
            "ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed: runc create failed",
            "ResourceInitializationError: failed to download env files: file does not exist",
            "ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException: the role is not authorized",
            "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
            "ResourceNotFoundException: The task can't retrieve the secret. Check that it exists.",
        ] {
            assert!(!lost_of("TaskFailedToStart", lasting), "{lasting}");
        }
    }

    #[test]
    fn tasks_that_aws_stops_lost_their_place_and_those_that_exit_did_not() {
        // all stop codes that there are (`TaskStopCode`), save `TaskFailedToStart`
        assert!(lost_of("SpotInterruption", "Your Spot Task was interrupted."));
        assert!(lost_of("TerminationNotice", "Your Spot Task was interrupted."));
        assert!(lost_of("ServiceSchedulerInitiated", "(service x) has stopped 1 running tasks"));
        assert!(!lost_of("EssentialContainerExited", "Essential container in task exited"));
        assert!(!lost_of("UserInitiated", "Task stopped by user"));
        let retired = "ECS is performing maintenance on the underlying infrastructure hosting the task.";
        for code in ["ServiceSchedulerInitiated", "UserInitiated", "of tomorrow"] {
            assert!(lost_of(code, retired), "{code}");
            assert!(lost_of(code, "Availability Zone rebalancing"), "{code}");
        }
        assert!(lost(json!({"stoppedReason": retired})), "without a code");
    }

    #[test]
    fn the_reason_of_the_container_counts_like_that_of_the_task() {
        let container = json!({"name": "dask", "image": "a:1", "reason": "CannotPullContainerError: a:1: not found"});
        let task = json!({"stopCode": "TaskFailedToStart", "stoppedReason": "Task failed to start", "containers": [container]});
        assert!(!lost(task));
    }
}
