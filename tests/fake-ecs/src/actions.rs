//! The actions: which there are, and those that only read or tag tasks.

use crate::definitions::merge_tags;
use crate::faults::Then;
use crate::state::{Inner, State};
use crate::wire::{Answer, ApiError, list, short_name, text, texts};
use crate::{checks, clock, life, run_task};
use serde_json::{Value, json};
use std::sync::Arc;

/// Does what a call asks for. Must run within the server's runtime: tasks begin their lives here.
pub fn perform(inner: &Arc<Inner>, action: &str, body: &Value, fault: Option<&Then>) -> Answer {
    let settings = &inner.settings;
    let mut state = inner.lock();
    let state = &mut *state;
    match action {
        "RunTask" => {
            let (answer, new) = run_task::run_task(state, settings, body, fault)?;
            new.into_iter().for_each(|id| life::begin(inner, state, id));
            Ok(answer)
        }
        "StopTask" => run_task::stop_task(state, settings, body),
        "DescribeTasks" => describe_tasks(inner, state, body),
        "ListTasks" => list_tasks(inner, state, body),
        "TagResource" => tag(state, body),
        "RegisterTaskDefinition" => state.definitions.register(settings, body),
        "DescribeTaskDefinition" => state.definitions.describe(body),
        "ListTaskDefinitionFamilies" => state.definitions.families(body),
        "ListTaskDefinitions" => state.definitions.list(body),
        "DeregisterTaskDefinition" => state.definitions.deregister(body),
        "DeleteTaskDefinitions" => state.definitions.delete(body),
        "CreateCluster" => state.clusters.create(settings, body),
        "DescribeClusters" => state.clusters.describe(body),
        "ListClusters" => state.clusters.list(),
        "DeleteCluster" => {
            let tasks = &state.tasks;
            state
                .clusters
                .delete(body, |name| tasks.values().any(|task| task.cluster == name && task.stopped_at.is_none()))
        }
        "CreateService" => state.clusters.create_service(settings, body),
        "DescribeServices" => state.clusters.describe_services(body),
        "UpdateService" => state.clusters.update_service(body),
        "DeleteService" => state.clusters.delete_service(body),
        other => Err(ApiError::new("UnknownOperationException", format!("`{other}` is not an action here."))),
    }
}

/// The image of the task definition that a call names, for faults that look at it.
pub fn image(state: &State, body: &Value) -> String {
    let definition = text(body, "taskDefinition").and_then(|name| state.definitions.get(name));
    let image = definition.and_then(|definition| definition["containerDefinitions"][0]["image"].as_str());
    image.unwrap_or_default().to_owned()
}

/// At most 100 tasks a call (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>).
fn describe_tasks(inner: &Inner, state: &State, body: &Value) -> Answer {
    let cluster = state.clusters.find(body)?;
    let names = texts(body, "tasks");
    if names.is_empty() {
        return Err(ApiError::invalid("Tasks cannot be empty."));
    }
    if names.len() > 100 {
        return Err(ApiError::invalid(format!("tasks can have at most 100 items, not {}.", names.len())));
    }
    let with_tags = texts(body, "include").contains(&"TAGS".to_owned());
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let found = state.tasks.get(short_name(&name));
        match found.filter(|task| task.cluster == cluster && task.shown(clock::now(), &state.knobs)) {
            Some(task) => tasks.push(task.describe(&inner.settings, with_tags)),
            None => {
                let arn = inner.settings.arn(&format!("task/{cluster}/{}", short_name(&name)));
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"tasks": tasks, "failures": failures}))
}

/// At most 100 tasks a page; `startedBy` admits no `family` or `serviceName` beside it, and where that is kept strictly no other filter
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>).
fn list_tasks(inner: &Inner, state: &State, body: &Value) -> Answer {
    let cluster = state.clusters.find(body)?;
    let (started_by, family) = (text(body, "startedBy"), text(body, "family"));
    let strict = state.knobs.strict_filters && text(body, "desiredStatus").is_some();
    if started_by.is_some() && (family.is_some() || text(body, "serviceName").is_some() || strict) {
        return Err(ApiError::invalid("startedBy must be the only filter."));
    }
    let to_stop = match text(body, "desiredStatus") {
        None | Some("RUNNING") => false,
        Some("STOPPED") => true,
        Some("PENDING") => return Ok(json!({"taskArns": []})),
        Some(other) => {
            return Err(ApiError::invalid(format!("desiredStatus is RUNNING, PENDING or STOPPED, not {other}.")));
        }
    };
    let most = match &body["maxResults"] {
        Value::Null => 100,
        most => match most.as_u64() {
            Some(most @ 1..=100) => most as usize,
            _ => return Err(ApiError::invalid(format!("maxResults must be from 1 to 100, not {most}."))),
        },
    };
    let after = match text(body, "nextToken").map(str::parse::<u64>) {
        None => None,
        Some(Ok(after)) => Some(after),
        Some(Err(_)) => return Err(ApiError::invalid("Invalid token")),
    };
    let now = clock::now();
    let mut found: Vec<_> = (state.tasks.values())
        .filter(|task| task.cluster == cluster && task.to_stop == to_stop && task.shown(now, &state.knobs))
        .filter(|task| started_by.is_none_or(|by| task.started_by() == Some(by)))
        .filter(|task| family.is_none_or(|family| task.definition["family"] == family))
        .filter(|task| after.is_none_or(|after| task.number > after))
        .collect();
    found.sort_by_key(|task| task.number);
    let more = found.len() > most;
    found.truncate(most);
    let mut answer = json!({"taskArns": found.iter().map(|task| task.arn(&inner.settings)).collect::<Vec<_>>()});
    if let (true, Some(last)) = (more, found.last()) {
        answer["nextToken"] = json!(last.number.to_string());
    }
    Ok(answer)
}

fn tag(state: &mut State, body: &Value) -> Answer {
    let (arn, tags) = (text(body, "resourceArn").unwrap_or_default(), list(body, "tags"));
    checks::tags(tags)?;
    if arn.contains(":task-definition/") {
        state.definitions.tag(arn, tags)?;
    } else {
        let id =
            state.known_task(arn).map_err(|_| ApiError::invalid("The specified resource was not found."))?.id.clone();
        if let Some(task) = state.tasks.get_mut(&id) {
            merge_tags(&mut task.tags, tags);
        }
    }
    Ok(json!({}))
}
