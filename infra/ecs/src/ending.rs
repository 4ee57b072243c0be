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
