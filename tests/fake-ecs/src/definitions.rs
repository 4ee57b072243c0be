//! Task definitions: families and their revisions.

use crate::clock;
use crate::settings::Settings;
use crate::sizes;
use crate::wire::{Answer, ApiError, list, short_name, text, texts};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// All task definitions, by family and revision.
#[derive(Debug, Default)]
pub struct Definitions(BTreeMap<(String, u64), Definition>);

#[derive(Debug)]
struct Definition {
    body: Value,
    tags: Vec<Value>,
}

/// What a definition is made of, as the caller gave it.
const MEMBERS: [&str; 14] = [
    "containerDefinitions",
    "cpu",
    "ephemeralStorage",
    "executionRoleArn",
    "family",
    "ipcMode",
    "memory",
    "networkMode",
    "pidMode",
    "placementConstraints",
    "requiresCompatibilities",
    "runtimePlatform",
    "taskRoleArn",
    "volumes",
];

impl Definitions {
    /// RegisterTaskDefinition.
    pub fn register(&mut self, settings: &Settings, body: &Value) -> Answer {
        check(body)?;
        let family = text(body, "family").unwrap_or_default();
        let revision = 1 + self.0.range(family_range(family)).next_back().map_or(0, |((_, revision), _)| *revision);
        let mut stored = json!({
            "taskDefinitionArn": settings.arn(&format!("task-definition/{family}:{revision}")),
            "revision": revision,
            "status": "ACTIVE",
            "compatibilities": ["EC2", "FARGATE"],
            "placementConstraints": [],
            "volumes": [],
            "registeredAt": clock::now(),
        });
        for name in MEMBERS.iter().filter(|name| !body[**name].is_null()) {
            stored[*name] = body[*name].clone();
        }
        let tags = list(body, "tags").to_vec();
        let answer = json!({"taskDefinition": stored, "tags": tags});
        self.0.insert((family.to_owned(), revision), Definition { body: stored, tags });
        Ok(answer)
    }

    /// The definition that `family`, `family:revision` or an ARN names.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).map(|definition| &definition.body)
    }

    /// The tags of a definition.
    pub fn tags(&self, name: &str) -> &[Value] {
        self.find(name).map_or(&[], |definition| &definition.tags)
    }

    fn find(&self, name: &str) -> Option<&Definition> {
        match short_name(name).split_once(':') {
            Some((family, revision)) => self.0.get(&(family.to_owned(), revision.parse().ok()?)),
            None => {
                let mut revisions = self.0.range(family_range(short_name(name))).rev();
                revisions
                    .find(|(_, definition)| definition.body["status"] == "ACTIVE")
                    .map(|(_, definition)| definition)
            }
        }
    }

    fn find_mut(&mut self, name: &str) -> Option<&mut Definition> {
        let (family, revision) = short_name(name).split_once(':')?;
        self.0.get_mut(&(family.to_owned(), revision.parse().ok()?))
    }

    /// DescribeTaskDefinition.
    pub fn describe(&self, body: &Value) -> Answer {
        let name = text(body, "taskDefinition").unwrap_or_default();
        let definition = self.find(name).ok_or_else(|| ApiError::client("Unable to describe task definition."))?;
        let mut answer = json!({"taskDefinition": definition.body});
        if texts(body, "include").contains(&"TAGS".to_owned()) {
            answer["tags"] = json!(definition.tags);
        }
        Ok(answer)
    }

    /// ListTaskDefinitionFamilies: a family is active while a revision of it is.
    pub fn families(&self, body: &Value) -> Answer {
        let (status, prefix) =
            (text(body, "status").unwrap_or("ACTIVE"), text(body, "familyPrefix").unwrap_or_default());
        let with = |status: &str| -> BTreeSet<&str> {
            let shown = self.0.iter().filter(|(_, definition)| definition.body["status"] == status);
            shown.map(|((family, _), _)| family.as_str()).filter(|family| family.starts_with(prefix)).collect()
        };
        let (active, inactive) = (with("ACTIVE"), with("INACTIVE"));
        let families: Vec<&str> = match status {
            "ACTIVE" => active.into_iter().collect(),
            "INACTIVE" => inactive.difference(&active).copied().collect(),
            _ => active.union(&inactive).copied().collect(),
        };
        Ok(json!({ "families": families }))
    }

    /// ListTaskDefinitions.
    pub fn list(&self, body: &Value) -> Answer {
        let status = text(body, "status").unwrap_or("ACTIVE");
        let prefix = text(body, "familyPrefix");
        let shown = |(family, _): &(String, u64), definition: &Definition| {
            definition.body["status"] == status && prefix.is_none_or(|prefix| prefix == family)
        };
        let mut arns: Vec<&Value> = self
            .0
            .iter()
            .filter(|(key, value)| shown(key, value))
            .map(|(_, value)| &value.body["taskDefinitionArn"])
            .collect();
        if text(body, "sort") == Some("DESC") {
            arns.reverse();
        }
        let from = text(body, "nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
        let most = body["maxResults"].as_u64().unwrap_or(100).clamp(1, 100) as usize;
        let page: Vec<_> = arns.iter().skip(from).take(most).collect();
        let mut answer = json!({"taskDefinitionArns": page});
        if from + most < arns.len() {
            answer["nextToken"] = json!((from + most).to_string());
        }
        Ok(answer)
    }

    /// DeregisterTaskDefinition.
    pub fn deregister(&mut self, body: &Value) -> Answer {
        let name = text(body, "taskDefinition").unwrap_or_default();
        let found = self.find_mut(name);
        let definition = found.ok_or_else(|| ApiError::client("The specified task definition does not exist."))?;
        definition.body["status"] = json!("INACTIVE");
        definition.body["deregisteredAt"] = json!(clock::now());
        Ok(json!({"taskDefinition": definition.body}))
    }

    /// DeleteTaskDefinitions: only those that were deregistered, at most ten a call
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>).
    pub fn delete(&mut self, body: &Value) -> Answer {
        let names = texts(body, "taskDefinitions");
        if names.is_empty() || names.len() > 10 {
            return Err(ApiError::invalid(format!("taskDefinitions must hold 1 to 10 items, not {}.", names.len())));
        }
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match self.find_mut(&name) {
                None => failures.push(json!({"arn": name, "reason": "TASK_DEFINITION_NOT_FOUND"})),
                Some(definition) if definition.body["status"] == "ACTIVE" => failures.push(json!({
                    "arn": name,
                    "reason": "The specified task definition is still in ACTIVE status. \
                               Please deregister the target and try again.",
                })),
                Some(definition) => {
                    definition.body["status"] = json!("DELETE_IN_PROGRESS");
                    definition.body["deleteRequestedAt"] = json!(clock::now());
                    deleted.push(definition.body.clone());
                }
            }
        }
        Ok(json!({"taskDefinitions": deleted, "failures": failures}))
    }

    /// Adds tags to a definition.
    pub fn tag(&mut self, name: &str, tags: &[Value]) -> Result<(), ApiError> {
        let definition =
            self.find_mut(name).ok_or_else(|| ApiError::invalid("The specified resource was not found."))?;
        merge_tags(&mut definition.tags, tags);
        Ok(())
    }
}

fn family_range(family: &str) -> std::ops::RangeInclusive<(String, u64)> {
    (family.to_owned(), 0)..=(family.to_owned(), u64::MAX)
}

/// Puts tags over those that are there.
pub fn merge_tags(tags: &mut Vec<Value>, new: &[Value]) {
    for tag in new {
        tags.retain(|old| old["key"] != tag["key"]);
        tags.push(tag.clone());
    }
}

fn check(body: &Value) -> Result<(), ApiError> {
    let family = text(body, "family").unwrap_or_default();
    let named = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if family.is_empty() || family.len() > 255 || !named(family) {
        return Err(ApiError::client(format!(
            "Family contains invalid characters or is longer than 255: `{family}` (letters, digits, - and _)."
        )));
    }
    let containers = list(body, "containerDefinitions");
    if containers.is_empty() {
        return Err(ApiError::client("Container list cannot be empty."));
    }
    if containers.iter().any(|container| text(container, "name").is_none() || text(container, "image").is_none()) {
        return Err(ApiError::client("Container.name and Container.image should not be null or empty."));
    }
    // A container on Fargate is given two minutes to stop at most
    // (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>).
    if containers.iter().any(|container| container["stopTimeout"].as_u64().is_some_and(|seconds| seconds > 120)) {
        return Err(ApiError::client("The stopTimeout parameter must be at most 120 seconds on Fargate."));
    }
    crate::checks::tags(list(body, "tags"))?;
    crate::checks::ephemeral_storage(&body["ephemeralStorage"])?;
    if texts(body, "requiresCompatibilities").contains(&"FARGATE".to_owned()) {
        fargate(body, containers)?;
    }
    Ok(())
}

fn fargate(body: &Value, containers: &[Value]) -> Result<(), ApiError> {
    if body["networkMode"] != "awsvpc" {
        return Err(ApiError::client("Fargate only supports network mode 'awsvpc'."));
    }
    sizes::check(text(body, "cpu").unwrap_or_default(), text(body, "memory").unwrap_or_default())?;
    let logs = |container: &Value| container["logConfiguration"]["logDriver"] == "awslogs";
    if text(body, "executionRoleArn").is_none() && containers.iter().any(logs) {
        return Err(ApiError::client(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions(count: usize) -> Definitions {
        let mut definitions = Definitions::default();
        for _ in 0..count {
            definitions.register(&Settings::new(""), &definition()).unwrap();
        }
        definitions
    }

    fn definition() -> Value {
        json!({
            "family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "dask", "image": "image"}],
        })
    }

    #[test]
    fn each_registration_is_a_revision_and_a_family_is_its_latest_active_one() {
        let mut definitions = definitions(3);
        definitions.deregister(&json!({"taskDefinition": "f:3"})).unwrap();
        assert_eq!(definitions.get("f").unwrap()["revision"], 2);
        assert_eq!(definitions.get("arn:aws:ecs:eu-west-1:0:task-definition/f:1").unwrap()["revision"], 1);
        assert!(definitions.get("g").is_none() && definitions.get("f:9").is_none());
        let listed = definitions.list(&json!({"familyPrefix": "f", "sort": "DESC", "maxResults": 1})).unwrap();
        assert_eq!(listed["taskDefinitionArns"], json!(["arn:aws:ecs:eu-west-1:000000000000:task-definition/f:2"]));
        assert_eq!(listed["nextToken"], "1");
    }

    #[test]
    fn only_what_was_deregistered_can_be_deleted() {
        let mut definitions = definitions(2);
        definitions.deregister(&json!({"taskDefinition": "f:1"})).unwrap();
        let answer = definitions.delete(&json!({"taskDefinitions": ["f:1", "f:2", "f:3"]})).unwrap();
        assert_eq!(answer["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
        assert_eq!(answer["failures"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_fargate_cannot_run_is_refused() {
        let refused = |name: &str, value: Value| {
            let mut body = definition();
            body[name] = value;
            check(&body).unwrap_err().message
        };
        assert!(refused("cpu", json!("300")).contains("No Fargate configuration"));
        assert!(refused("networkMode", json!("bridge")).contains("awsvpc"));
        assert!(refused("family", json!("a/b")).contains("a/b"));
        assert!(refused("containerDefinitions", json!([])).contains("empty"));
        let logs = json!([{"name": "dask", "image": "i", "logConfiguration": {"logDriver": "awslogs"}}]);
        assert!(refused("containerDefinitions", logs).contains("execution role"));
    }
}
