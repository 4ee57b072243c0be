//! What ECS checks in a RunTask call before it accepts it. Pure.
//!
//! The limits are those of <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>.

use crate::sizes;
use crate::wire::{ApiError, list, text, texts};
use serde_json::Value;

/// Refuses what ECS would refuse, the task definition known.
pub fn run_task(body: &Value, definition: &Value) -> Result<(), ApiError> {
    count(body)?;
    token(body)?;
    length("startedBy", text(body, "startedBy"), 128)?;
    tags(list(body, "tags"))?;
    placement(body)?;
    network(body)?;
    overrides(&body["overrides"], definition)
}

/// How many tasks the call asks for.
pub fn wanted(body: &Value) -> u64 {
    body["count"].as_u64().unwrap_or(1)
}

fn count(body: &Value) -> Result<(), ApiError> {
    match &body["count"] {
        Value::Null => Ok(()),
        count if count.as_i64().is_some_and(|count| (1..=10).contains(&count)) => Ok(()),
        count => Err(ApiError::invalid(format!("count must be from 1 to 10, not {count}."))),
    }
}

fn token(body: &Value) -> Result<(), ApiError> {
    let Some(token) = text(body, "clientToken") else { return Ok(()) };
    if token.len() > 64 || !token.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
        return Err(ApiError::invalid(format!(
            "clientToken must be at most 64 characters of the range 33 to 126, not `{token}` ({}).",
            token.len()
        )));
    }
    Ok(())
}

fn length(name: &str, value: Option<&str>, limit: usize) -> Result<(), ApiError> {
    match value.map(|value| value.chars().count()) {
        Some(length) if length > limit => {
            Err(ApiError::invalid(format!("{name} must be at most {limit} characters, not {length}.")))
        }
        _ => Ok(()),
    }
}

/// Refuses tags that ECS would refuse
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html>).
pub fn tags(tags: &[Value]) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(ApiError::invalid(format!("a resource has at most 50 tags, not {}.", tags.len())));
    }
    let mut seen = std::collections::BTreeSet::new();
    for tag in tags {
        let (key, value) = (tag["key"].as_str().unwrap_or(""), tag["value"].as_str().unwrap_or(""));
        let (keys, values) = (key.chars().count(), value.chars().count());
        if keys == 0 || keys > 128 || values > 256 {
            return Err(ApiError::invalid(format!(
                "a tag's key has 1 to 128 characters and its value at most 256; `{key}` has {keys} and {values}."
            )));
        }
        let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
        if let Some(c) = key.chars().chain(value.chars()).find(|c| !allowed(*c)) {
            return Err(ApiError::invalid(format!(
                "tag `{key}` holds {c:?}; letters, digits, spaces and + - = . _ : / @ are allowed."
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::invalid(format!("tag `{key}`: the prefix aws: is reserved.")));
        }
        if !seen.insert(key) {
            return Err(ApiError::invalid(format!("tag `{key}` is given twice.")));
        }
    }
    Ok(())
}

fn placement(body: &Value) -> Result<(), ApiError> {
    let strategy = list(body, "capacityProviderStrategy");
    match (text(body, "launchType"), strategy) {
        (Some(_), [_, ..]) => {
            Err(ApiError::invalid("Specifying both a launch type and capacity provider strategy is not supported."))
        }
        (Some("FARGATE"), []) => Ok(()),
        (Some(other), []) => Err(ApiError::invalid(format!("launch type {other}: only FARGATE has capacity here."))),
        (None, []) => Err(ApiError::invalid("No Container Instances were found in your cluster.")),
        (None, strategy) => {
            for item in strategy {
                match item["capacityProvider"].as_str() {
                    Some("FARGATE" | "FARGATE_SPOT") => {}
                    other => {
                        let name = other.unwrap_or_default();
                        return Err(ApiError::invalid(format!(
                            "The specified capacity provider `{name}` was not found."
                        )));
                    }
                }
            }
            Ok(())
        }
    }
}

/// The capacity provider that the call's tasks run on; none with a launch type.
pub fn capacity_provider(body: &Value) -> Option<&str> {
    let strategy = list(body, "capacityProviderStrategy");
    let weight = |item: &&Value| (item["base"].as_u64().unwrap_or(0), item["weight"].as_u64().unwrap_or(0));
    strategy.iter().max_by_key(weight).and_then(|item| item["capacityProvider"].as_str())
}

/// The subnet that the call's tasks get their addresses from: the first.
pub fn subnet(body: &Value) -> Option<String> {
    texts(&body["networkConfiguration"]["awsvpcConfiguration"], "subnets").into_iter().next()
}

fn network(body: &Value) -> Result<(), ApiError> {
    let network = &body["networkConfiguration"]["awsvpcConfiguration"];
    if network.is_null() {
        return Err(ApiError::invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    }
    let (subnets, groups) = (texts(network, "subnets").len(), texts(network, "securityGroups").len());
    match (subnets, groups) {
        (0, _) => Err(ApiError::invalid("subnets can not be empty.")),
        (17.., _) => Err(ApiError::invalid("subnets can have at most 16 items.")),
        (_, 6..) => Err(ApiError::invalid("securityGroups can have at most 5 items.")),
        _ => match text(network, "assignPublicIp") {
            None | Some("ENABLED" | "DISABLED") => Ok(()),
            Some(other) => Err(ApiError::invalid(format!("assignPublicIp is ENABLED or DISABLED, not {other}."))),
        },
    }
}

fn overrides(overrides: &Value, definition: &Value) -> Result<(), ApiError> {
    if !overrides.is_null() && overrides.to_string().chars().count() > 8192 {
        return Err(ApiError::invalid("Container Overrides length must be at most 8192"));
    }
    for container in list(overrides, "containerOverrides") {
        let name = container["name"].as_str().unwrap_or_default();
        if !list(definition, "containerDefinitions").iter().any(|known| known["name"] == name) {
            return Err(ApiError::invalid(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
    }
    let (cpu, memory) = size(overrides, definition);
    sizes::check(&cpu, &memory)?;
    ephemeral_storage(&overrides["ephemeralStorage"])
}

/// CPU and memory of a task: what the override says, else the definition.
pub fn size(overrides: &Value, definition: &Value) -> (String, String) {
    let of = |name| text(overrides, name).or(text(definition, name)).unwrap_or_default().to_owned();
    (of("cpu"), of("memory"))
}

/// Refuses a size of ephemeral storage that is not 21 to 200 GiB
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html>).
pub fn ephemeral_storage(storage: &Value) -> Result<(), ApiError> {
    match (storage, storage["sizeInGiB"].as_i64()) {
        (Value::Null, _) | (_, Some(21..=200)) => Ok(()),
        (_, size) => Err(ApiError::invalid(format!(
            "ephemeralStorage.sizeInGiB must be from 21 to 200, not {}.",
            size.map_or("nothing".into(), |size| size.to_string())
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition() -> Value {
        json!({"cpu": "1024", "memory": "2048", "containerDefinitions": [{"name": "dask"}]})
    }

    fn call(change: Value) -> Result<(), ApiError> {
        let mut body = json!({
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        run_task(&body, &definition())
    }

    fn refused(change: Value, kind: &str, part: &str) {
        let error = call(change).unwrap_err();
        assert!(error.kind == kind && error.message.contains(part), "{error:?}");
    }

    const INVALID: &str = "InvalidParameterException";

    #[test]
    fn a_plain_call_is_accepted() {
        call(json!({"count": 10, "clientToken": "a".repeat(64), "startedBy": "b".repeat(128)})).unwrap();
        call(json!({"tags": [{"key": "cluster", "value": "é a+b-c=d.e_f:g/h@i 1"}]})).unwrap();
        call(json!({"overrides": {"cpu": "4096", "memory": "8192", "ephemeralStorage": {"sizeInGiB": 21}}})).unwrap();
        call(json!({"launchType": null, "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]})).unwrap();
    }

    #[test]
    fn limits_are_kept() {
        refused(json!({"count": 0}), INVALID, "1 to 10");
        refused(json!({"count": 11}), INVALID, "1 to 10");
        refused(json!({"clientToken": "a".repeat(65)}), INVALID, "clientToken");
        refused(json!({"clientToken": "a b"}), INVALID, "clientToken");
        refused(json!({"startedBy": "b".repeat(129)}), INVALID, "startedBy");
        refused(json!({"tags": [{"key": "a", "value": "x,y"}]}), INVALID, "','");
        refused(json!({"tags": vec![json!({"key": "a"}); 51]}), INVALID, "50");
        refused(json!({"tags": [{"key": "k".repeat(129), "value": ""}]}), INVALID, "128");
        refused(json!({"overrides": {"ephemeralStorage": {"sizeInGiB": 20}}}), INVALID, "21 to 200");
    }

    #[test]
    fn where_a_task_runs_is_said_once() {
        let spot = json!([{"capacityProvider": "FARGATE_SPOT"}]);
        refused(json!({"capacityProviderStrategy": spot}), INVALID, "both");
        refused(json!({"launchType": null}), INVALID, "No Container Instances");
        refused(json!({"networkConfiguration": null}), INVALID, "Network Configuration");
        refused(json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}), INVALID, "subnets");
    }

    #[test]
    fn overrides_fit_the_definition_fargate_and_the_limit() {
        refused(json!({"overrides": {"memory": "1024"}}), "ClientException", "No Fargate configuration");
        refused(json!({"overrides": {"containerOverrides": [{"name": "x"}]}}), INVALID, "named x");
        let long =
            |length| json!({"overrides": {"containerOverrides": [{"name": "dask", "command": ["c".repeat(length)]}]}});
        let frame = long(0)["overrides"].to_string().len();
        call(long(8192 - frame)).unwrap();
        refused(long(8193 - frame), INVALID, "8192");
    }
}
