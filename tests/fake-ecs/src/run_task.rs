//! RunTask.

use crate::faults::Then;
use crate::settings::Settings;
use crate::state::State;
use crate::tasks::Task;
use crate::wire::{Answer, ApiError, list, text};
use crate::{checks, clock, random};
use serde_json::{Value, json};

/// Accepts the call or refuses it. Returns the answer and the ids of the tasks that are new: their lives are to begin.
pub fn run_task(
    state: &mut State,
    settings: &Settings,
    body: &Value,
    fault: Option<&Then>,
) -> Result<(Value, Vec<String>), ApiError> {
    let cluster = state.clusters.find(body)?;
    let name = text(body, "taskDefinition").unwrap_or_default();
    let definition = state.definitions.get(name).cloned();
    let definition = definition.ok_or_else(|| ApiError::client("TaskDefinition not found."))?;
    checks::run_task(body, &definition)?;
    if let Some(known) = accepted_before(state, settings, body)? {
        return Ok((answer(state, settings, &known, Vec::new()), Vec::new()));
    }
    if definition["status"] != "ACTIVE" {
        return Err(ApiError::client("TaskDefinition is inactive"));
    }
    let wanted = checks::wanted(body);
    let (start, reason) = fault.and_then(Then::shortage).unwrap_or((wanted, ""));
    let started = start.min(wanted);
    let ids: Vec<String> = (0..started)
        .map(|_| {
            let number = state.tasks.len() as u64;
            let tags = tags_of(body, state.definitions.tags(name), &cluster);
            let mut task = Task::new(number, random::hex32(), &cluster, definition.clone(), body.clone(), tags);
            task.no_address = fault == Some(&Then::NoAddresses);
            task.start_failure = state.knobs.start_failures.of(number);
            let id = task.id.clone();
            state.tasks.insert(id.clone(), task);
            state.change(settings, &id, |_| ());
            id
        })
        .collect();
    if let (Some(token), [_, ..]) = (text(body, "clientToken"), ids.as_slice()) {
        state.tokens.bind(token, body, ids.clone(), clock::now());
    }
    let failures = (started..wanted).map(|_| json!({"reason": reason})).collect();
    Ok((answer(state, settings, &ids, failures), ids))
}

/// The tasks of an earlier call that was the same, if its token is still known.
pub fn accepted_before(state: &mut State, settings: &Settings, body: &Value) -> Result<Option<Vec<String>>, ApiError> {
    let Some(token) = text(body, "clientToken") else { return Ok(None) };
    let tasks = &state.tasks;
    let stopped_at = |id: &str| tasks.get(id).and_then(|task| task.stopped_at);
    let arn = |id: &str| tasks.get(id).map(|task| task.arn(settings)).unwrap_or_default();
    state.tokens.find(token, body, (clock::now(), &state.knobs), stopped_at, arn)
}

fn answer(state: &State, settings: &Settings, ids: &[String], failures: Vec<Value>) -> Value {
    let tasks = ids.iter().filter_map(|id| state.tasks.get(id)).map(|task| task.describe(settings, true));
    json!({"tasks": tasks.collect::<Vec<_>>(), "failures": failures})
}

fn tags_of(body: &Value, of_definition: &[Value], cluster: &str) -> Vec<Value> {
    let mut tags = list(body, "tags").to_vec();
    if text(body, "propagateTags") == Some("TASK_DEFINITION") {
        tags.extend(
            of_definition.iter().filter(|tag| !list(body, "tags").iter().any(|own| own["key"] == tag["key"])).cloned(),
        );
    }
    if body["enableECSManagedTags"] == true {
        tags.push(json!({"key": "aws:ecs:clusterName", "value": cluster}));
    }
    tags
}

/// StopTask.
pub fn stop_task(state: &mut State, settings: &Settings, body: &Value) -> Answer {
    let cluster = state.clusters.find(body)?;
    let name = text(body, "task").ok_or_else(|| ApiError::invalid("Task Identifier is empty."))?;
    let task = state.known_task(name)?;
    if task.cluster != cluster {
        return Err(ApiError::invalid("The referenced task was not found."));
    }
    let id = task.id.clone();
    crate::life::ask_to_stop(state, settings, &id, crate::tasks::Stop::user(text(body, "reason")));
    Ok(json!({"task": state.known_task(&id)?.describe(settings, true)}))
}
