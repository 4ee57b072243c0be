//! The `Settings` of a deployment: one JSON text, the same for the functions that run by it and for the command that checks it before.

use faregate_auth as auth;
use faregate_core::did_you_mean;
use faregate_core::model::{ClusterConfig, Policy, TaskSizes};
use faregate_core::options::Options;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fmt;

/// What there is at the top.
const TABLES: [&str; 4] = ["cluster", "options", "policy", "auth"];

/// What is wrong with settings: every problem, in the order of the text's tables.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub struct InvalidSettings(pub Vec<String>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// The `Settings`, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// What clusters are made of, as it is set; moved up to a size that Fargate has by [`Settings::base`].
    pub cluster: ClusterConfig,
    /// What users may choose, as it is declared.
    pub options: Vec<Value>,
    /// Durations and bounds that differ from those of the host.
    pub policy: Map<String, Value>,
    /// How people sign in, as `[auth]` of the one-machine gateway, save the methods.
    pub auth: Map<String, Value>,
}

impl Settings {
    /// Reads and checks all that can be known of the text alone: names, types, bounds, sizes that Fargate has.
    pub fn read(text: &str) -> Result<Settings, InvalidSettings> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return Err(InvalidSettings(vec![format!("the text is no JSON: {error}")])),
        };
        let Value::Object(tables) = value else {
            return Err(InvalidSettings(vec!["the text must be a JSON object, such as {\"cluster\": {}}".into()]));
        };
        let mut problems: Vec<String> =
            tables.keys().filter(|name| !TABLES.contains(&name.as_str())).map(|name| unknown(name, TABLES)).collect();
        let mut settings = Settings::default();
        let object = |name: &str, problems: &mut Vec<String>| match tables.get(name) {
            None => Map::new(),
            Some(Value::Object(fields)) => fields.clone(),
            Some(_) => {
                problems.push(format!("`{name}` must be an object"));
                Map::new()
            }
        };
        let cluster = object("cluster", &mut problems);
        problems.extend(alone(&cluster));
        settings.cluster = fields("cluster", cluster, ClusterConfig::default(), &mut problems);
        settings.policy = object("policy", &mut problems);
        settings.auth = object("auth", &mut problems);
        match tables.get("options") {
            None => {}
            Some(Value::Array(list)) => settings.options = list.clone(),
            Some(_) => problems.push("`options` must be a list".into()),
        }
        if problems.is_empty() {
            problems.extend(unfit(&settings.cluster)); // what each may be alone need not go together
        }
        problems.extend(settings.check());
        if problems.is_empty() { Ok(settings) } else { Err(InvalidSettings(problems)) }
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let base = self.base();
        // each by itself, so that one that is wrong hides none of the others; then what they are together
        let alone = self.options.iter().enumerate().filter_map(|(n, option)| {
            let error = Options::declare(std::slice::from_ref(option), &base).err()?;
            let option = if error.option == "#1" { format!("#{}", n + 1) } else { error.option };
            Some(format!("`options`: option `{option}`: {}", error.problem))
        });
        let alone: Vec<String> = alone.collect();
        match Options::declare(&self.options, &base) {
            Err(error) if alone.is_empty() => problems.push(format!("`options`: {error}")),
            _ => problems.extend(alone),
        }
        let policy = fields("policy", self.policy.clone(), Policy::fargate(), &mut problems);
        problems.extend(bounds(&policy));
        problems
    }

    /// What a cluster is before a user's options, in a size that Fargate has.
    pub fn base(&self) -> ClusterConfig {
        let mut base = self.cluster.clone();
        if base.fit(TaskSizes::Fargate).is_err() {
            return self.cluster.clone(); // settings that were read are settings that fit
        }
        base
    }

    /// A host's policy with what is set replaced.
    pub fn policy(&self, host: Policy) -> Policy {
        fields("policy", self.policy.clone(), host, &mut Vec::new())
    }

    /// How people sign in: by these methods, with what is secret beside the settings.
    pub fn sign_in(&self, methods: &[String], secret: &SignIn) -> Result<auth::Config, String> {
        if methods.is_empty() {
            return Err("no way to sign in is configured: set the parameter `SignIn`".to_owned());
        }
        let mut auth = self.auth.clone();
        if auth.contains_key("methods") {
            return Err("`auth.methods` is given by the parameter `SignIn`".to_owned());
        }
        auth.insert("methods".to_owned(), json!(methods));
        if let Some(password) = &secret.shared_password {
            // what stands there is read all the same
            match auth.entry("basic").or_insert_with(|| json!({})) {
                Value::Object(basic) if basic.contains_key("password") => {
                    return Err("`auth.basic.password` stands in the secret, as `SharedPassword` is set: take it away"
                        .to_owned());
                }
                Value::Object(basic) => drop(basic.insert("password".to_owned(), json!(password))),
                _ => {}
            }
        }
        if let Some(token) = &secret.jupyterhub_api_token
            && let Some(hub) = auth.get_mut("jupyterhub").and_then(Value::as_object_mut)
        {
            hub.insert("api_token".to_owned(), json!(token));
        }
        auth::Config::read(&auth.into()).map_err(|error| error.to_string())
    }
}

/// What sign-in needs and stands in no settings.
#[derive(Clone, Default)]
pub struct SignIn {
    /// The password that all users share, where they do.
    pub shared_password: Option<String>,
    /// What JupyterHub gave this service.
    pub jupyterhub_api_token: Option<String>,
}

impl SignIn {
    /// Something in place of each secret: to check all else.
    pub fn placeholders(shared_password: bool) -> Self {
        let text = || Some("placeholder".to_owned());
        SignIn { shared_password: shared_password.then_some("placeholder".to_owned()), jupyterhub_api_token: text() }
    }
}

/// What is wrong with each setting of a cluster, were it the only one.
fn alone(set: &Map<String, Value>) -> Vec<String> {
    let one = |(name, value): (&String, &Value)| {
        let config = json!({ name.as_str(): value });
        unfit(&serde_json::from_value(config).ok()?)
    };
    set.iter().filter_map(one).collect()
}

/// Why no cluster on Fargate can be so.
fn unfit(config: &ClusterConfig) -> Option<String> {
    let fits = config.check().and_then(|()| config.clone().fit(TaskSizes::Fargate));
    fits.err().map(|error| format!("`cluster.{}` {}", error.field, error.problem))
}

/// The defaults with what is set replaced, field by field; what cannot be is named, and left as it was.
fn fields<T>(table: &str, set: Map<String, Value>, defaults: T, problems: &mut Vec<String>) -> T
where
    T: DeserializeOwned + serde::Serialize,
{
    let Ok(Value::Object(mut all)) = serde_json::to_value(&defaults) else { return defaults };
    let known: Vec<String> = all.keys().cloned().collect();
    for (name, value) in set {
        let Some(before) = all.insert(name.clone(), value) else {
            all.remove(&name);
            problems.push(unknown(&format!("{table}.{name}"), known.iter().map(|known| format!("{table}.{known}"))));
            continue;
        };
        if let Err(error) = serde_json::from_value::<T>(Value::Object(all.clone())) {
            problems.push(format!("`{table}.{name}` cannot be {}: {error}", all[&name]));
            all.insert(name, before);
        }
    }
    serde_json::from_value(Value::Object(all)).unwrap_or(defaults)
}

fn unknown(name: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    format!("`{name}` is not known{}", did_you_mean(name, known.iter().map(AsRef::as_ref)))
}

/// What no policy can be.
fn bounds(policy: &Policy) -> Vec<String> {
    let mut problems = Vec::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(policy) {
        let negative = fields.iter().filter(|(_, value)| value.as_f64().is_some_and(|n| n < 0.0));
        problems.extend(negative.map(|(name, value)| format!("`policy.{name}` must be 0 or more, not {value}")));
    }
    let (period, timeout) = (policy.heartbeat_period_ms, policy.heartbeat_timeout_ms);
    if timeout <= period {
        problems.push(format!(
            "`policy.heartbeat_timeout_ms` ({timeout}) must be more than `policy.heartbeat_period_ms` ({period})"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        Settings::read(text).map(|_| Vec::new()).unwrap_or_else(|error| error.0)
    }

    #[test]
    fn what_is_set_replaces_the_defaults() {
        let settings = Settings::read(
            r#"{"cluster": {"worker_cores": 3, "worker_memory": "9 G"}, "policy": {"check_ms": 5}, "options": [{"field": "worker_cores", "type": "int", "default": 1}]}"#,
        );
        let settings = settings.unwrap();
        assert_eq!((settings.cluster.worker_cores, settings.base().worker_cores), (3.0, 4.0));
        assert_eq!(settings.policy(Policy::fargate()), Policy { check_ms: 5, ..Policy::fargate() });
        assert_eq!(Settings::read("{}").unwrap(), Settings::default());
    }

    #[test]
    fn every_problem_is_told_with_its_field() {
        let text = r#"{
            "clusters": {},
            "cluster": {"worker_core": 1, "worker_cores": 20, "image": "a b", "idle_timeout": "soon"},
            "options": [{"type": "int"}, {"field": "worker_memory", "type": "float", "default": 2}],
            "policy": {"check": 1, "check_ms": "soon", "heartbeat_timeout_ms": 10, "retire_ms": -1}
        }"#;
        insta::assert_snapshot!(problems(text).join("\n"), @r#"
        `clusters` is not known; did you mean `cluster`?
        `cluster.image` must name a container image such as `registry.example.com/team/dask:2026.3`, not `a b`
        `cluster.worker_cores` asks for more than a task can have: 20 cores with 2 GiB; the largest has 16 cores with 120 GiB
        `cluster.idle_timeout` cannot be "soon": invalid type: string "soon", expected f64
        `cluster.worker_core` is not known; did you mean `cluster.worker_cores`?
        `options`: option `#1`: `field` is missing
        `options`: option `worker_memory`: `unit` is missing: write unit = "GiB" where `worker_memory` is a number of GiB (or "MiB"; "B" where it is bytes)
        `policy.check` is not known; did you mean `policy.check_ms`?
        `policy.check_ms` cannot be "soon": invalid type: string "soon", expected i64
        `policy.retire_ms` must be 0 or more, not -1
        `policy.heartbeat_timeout_ms` (10) must be more than `policy.heartbeat_period_ms` (15000)
        "#);
    }

    #[test]
    fn defaults_above_the_largest_task_are_refused_with_the_limit() {
        let told = problems(r#"{"cluster": {"worker_memory": "121 G"}}"#);
        assert_eq!(
            told,
            [
                "`cluster.worker_memory` asks for more than a task can have: 1 cores with 121 GiB; the largest has 16 cores with 120 GiB"
            ]
        );
        assert!(
            problems(r#"{"cluster": {"scheduler_cores": 17}}"#)[0]
                .starts_with("`cluster.scheduler_cores` asks for more")
        );
    }

    #[test]
    fn what_is_no_object_is_said() {
        assert!(problems("{\"cluster\": }")[0].starts_with("the text is no JSON: expected value at line 1 column 13"));
        assert_eq!(problems("[]").len(), 1);
        let told = problems(r#"{"cluster": [], "options": {}, "policy": 1, "auth": "basic"}"#);
        assert_eq!(
            told,
            [
                "`cluster` must be an object",
                "`policy` must be an object",
                "`auth` must be an object",
                "`options` must be a list"
            ]
        );
    }

    #[test]
    fn basic_is_read_also_where_a_password_is_shared() {
        let read = |auth: &str, shared| {
            let settings = Settings::read(&format!(r#"{{"auth": {auth}}}"#)).unwrap();
            settings
                .sign_in(&["basic".to_owned()], &SignIn::placeholders(shared))
                .map(|config| config.tables.basic.password)
        };
        assert_eq!(read("{}", true), Ok(Some("placeholder".to_owned())));
        assert_eq!(read(r#"{"basic": {}}"#, true), Ok(Some("placeholder".to_owned())));
        assert_eq!(
            read(r#"{"basic": {"pasword": "x"}}"#, true).unwrap_err(),
            "`auth.basic.pasword` is not known; there are password"
        );
        assert!(read(r#"{"basic": {"password": "x"}}"#, true).unwrap_err().contains("stands in the secret"));
        assert!(read(r#"{"basic": []}"#, true).unwrap_err().starts_with("`auth.basic` must be a table"));
        assert_eq!(read(r#"{"basic": {"password": "x"}}"#, false), Ok(Some("x".to_owned())));
    }
}
