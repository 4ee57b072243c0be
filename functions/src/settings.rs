//! What the template tells the functions, in their environment.

use faregate_core::model::{Policy, Prices};
use faregate_headers::Network;

/// A setting that cannot be used: names the variable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{variable}` {problem}")]
pub struct SettingsError {
    /// The environment variable.
    pub variable: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A region whose prices are not listed has the prices of this one.
const OTHERWISE: &str = "us-east-1";

/// What every function that works with the core is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `FAREGATE_STACK`: the stack's name.
    pub stack: String,
    /// `FAREGATE_TABLE`: the DynamoDB table.
    pub table: String,
    /// `FAREGATE_QUEUE_URL`: the queue of wakes.
    pub queue_url: String,
    /// `FAREGATE_SECRET`: the secret that holds the key ring.
    pub secret: String,
    /// `FAREGATE_SIGN_IN_SECRET`: the secret that holds what sign-in needs and nobody may read; `api` only.
    pub sign_in_secret: Option<String>,
    /// `FAREGATE_SIGN_IN`: ways to sign in, comma separated; `api` only.
    pub sign_in: Vec<String>,
    /// `FAREGATE_SHARED_PASSWORD`: do all users share the password in that secret? `api` only.
    pub shared_password: bool,
    /// `FAREGATE_API_URL`: `https://…/api`, where tasks reach the gateway.
    pub api_url: String,
    /// `FAREGATE_RELAY`: the function that speaks to schedulers; `api` and `enforce` only.
    pub relay: Option<String>,
    /// `FAREGATE_PROXY_URL`: `https://host` of the dashboards; none = there are no dashboards.
    pub proxy_url: Option<String>,
    /// `FAREGATE_DASHBOARD_SIGN_IN`: `true` when dashboards ask for sign-in, and their links carry no key.
    pub dashboard_sign_in: bool,
    /// `FAREGATE_CLIENT_NETWORKS`: where clients come from, comma separated; none = anywhere. `api` only.
    pub client_networks: Vec<Network>,
    /// `FAREGATE_CONFIG`: the parameter `Settings`.
    pub config: faregate_api::settings::Settings,
    /// Every duration: Fargate's, at the region's list prices, and of `FAREGATE_CONFIG`.
    pub policy: Policy,
}

/// The variables, by name.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn optional(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }

    fn required(&self, variable: &str) -> Result<String, SettingsError> {
        self.optional(variable).ok_or_else(|| fail(variable, "is not set"))
    }

    fn list(&self, variable: &str) -> Result<Vec<String>, SettingsError> {
        Ok(split(&self.required(variable)?))
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|part| part.trim().to_owned()).collect()
}

fn fail(variable: &str, problem: impl Into<String>) -> SettingsError {
    SettingsError { variable: variable.to_owned(), problem: problem.into() }
}

/// The process's own environment.
pub(crate) fn process(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// A variable of the process's own environment that must be there.
pub(crate) fn required(variable: &str) -> Result<String, SettingsError> {
    Environment(&process).required(variable)
}

impl Settings {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, SettingsError> {
        Settings::read(&Environment(&process))
    }

    /// Reads an environment.
    pub fn read(env: &Environment<'_>) -> Result<Self, SettingsError> {
        let config = env.optional("FAREGATE_CONFIG").unwrap_or_else(|| "{}".to_owned());
        let mut config = faregate_api::settings::Settings::read(&config)
            .map_err(|error| fail("FAREGATE_CONFIG", format!("(the parameter `Settings`) cannot be used: {error}")))?;
        config.cluster.image = config.cluster.image.or_else(|| env.optional("FAREGATE_IMAGE"));
        Ok(Settings {
            stack: env.required("FAREGATE_STACK")?,
            table: env.required("FAREGATE_TABLE")?,
            queue_url: env.required("FAREGATE_QUEUE_URL")?,
            secret: env.required("FAREGATE_SECRET")?,
            sign_in_secret: env.optional("FAREGATE_SIGN_IN_SECRET"),
            sign_in: env.optional("FAREGATE_SIGN_IN").map(|list| split(&list)).unwrap_or_default(),
            shared_password: env.optional("FAREGATE_SHARED_PASSWORD").is_some_and(|value| value == "true"),
            api_url: env.required("FAREGATE_API_URL")?,
            relay: env.optional("FAREGATE_RELAY"),
            proxy_url: env.optional("FAREGATE_PROXY_URL"),
            dashboard_sign_in: env.optional("FAREGATE_DASHBOARD_SIGN_IN").as_deref() == Some("true"),
            client_networks: networks(env)?,
            policy: policy(&config, env)?,
            config,
        })
    }
}

/// What the launcher is told beside (`reconcile` only).
pub fn ecs_settings(stack: &str) -> Result<faregate_ecs::Settings, SettingsError> {
    read_ecs(&Environment(&process), stack)
}

fn read_ecs(env: &Environment<'_>, stack: &str) -> Result<faregate_ecs::Settings, SettingsError> {
    let one_of = |variable: &str, values: [&str; 2]| {
        let value = env.required(variable)?;
        let known = values.contains(&value.as_str());
        if known { Ok(value) } else { Err(fail(variable, format!("is `{value}`, not one of {values:?}"))) }
    };
    Ok(faregate_ecs::Settings {
        stack: stack.to_owned(),
        cluster: env.required("FAREGATE_ECS_CLUSTER")?,
        subnets: env.list("FAREGATE_SUBNETS")?,
        scheduler_security_groups: env.list("FAREGATE_SCHEDULER_SECURITY_GROUPS")?,
        worker_security_groups: env.list("FAREGATE_WORKER_SECURITY_GROUPS")?,
        assign_public_ip: one_of("FAREGATE_ASSIGN_PUBLIC_IP", ["ENABLED", "DISABLED"])? == "ENABLED",
        execution_role: env.required("FAREGATE_EXECUTION_ROLE")?,
        task_role: env.optional("FAREGATE_TASK_ROLE"),
        bucket: env.required("FAREGATE_BUCKET")?,
        log_group: env.required("FAREGATE_LOG_GROUP")?,
        region: env.required("AWS_REGION")?,
        registry_credentials: env.optional("FAREGATE_REGISTRY_CREDENTIALS"),
        image: env.required("FAREGATE_IMAGE")?,
        cpu_architecture: one_of("FAREGATE_CPU_ARCHITECTURE", ["ARM64", "X86_64"])?,
    })
}

fn networks(env: &Environment<'_>) -> Result<Vec<Network>, SettingsError> {
    const VARIABLE: &str = "FAREGATE_CLIENT_NETWORKS";
    let parse = |text: String| {
        text.parse().map_err(|wrong| fail(VARIABLE, format!("(the parameter `ApiClientCidr`) cannot be used: {wrong}")))
    };
    env.optional(VARIABLE).map(|list| split(&list)).unwrap_or_default().into_iter().map(parse).collect()
}

/// Fargate's policy at the region's list prices, with what is set replaced.
fn policy(config: &faregate_api::settings::Settings, env: &Environment<'_>) -> Result<Policy, SettingsError> {
    let wrong = |e: serde_json::Error| fail("FAREGATE_CONFIG", format!("there are no list prices: {e}"));
    let region = env.required("AWS_REGION")?;
    let architecture = env.optional("FAREGATE_CPU_ARCHITECTURE").unwrap_or_default();
    let prices = match Prices::listed(&region, &architecture).map_err(wrong)? {
        Some(prices) => prices,
        None => {
            tracing::warn!(region, taken = OTHERWISE, "list prices not known: those of another region are taken");
            Prices::listed(OTHERWISE, &architecture).map_err(wrong)?.unwrap_or_default()
        }
    };
    Ok(config.policy(Policy { prices, ..Policy::fargate() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Result<Settings, SettingsError> {
        let lookup = |name: &str| match name {
            "FAREGATE_CONFIG" => Some(config.to_owned()),
            "FAREGATE_RELAY" | "FAREGATE_CLIENT_NETWORKS" => Some(String::new()),
            "FAREGATE_IMAGE" => Some("dask".to_owned()),
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            _ => Some("x".to_owned()),
        };
        Settings::read(&Environment(&lookup))
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let settings = read(r#"{"cluster": {"worker_cores": 2}, "policy": {"check_ms": 5}}"#).unwrap();
        let cluster = settings.config.cluster;
        assert_eq!((cluster.worker_cores, cluster.scheduler_cores), (2.0, 1.0));
        assert_eq!((cluster.image.as_deref(), settings.relay), (Some("dask"), None));
        assert_eq!(settings.policy.prices.default.vcpu_hour, 0.04656);
        assert_eq!(settings.policy, Policy { check_ms: 5, prices: settings.policy.prices, ..Policy::fargate() });
    }

    #[test]
    fn networks_are_read_and_a_wrong_one_is_named() {
        let networks = |text: &str| networks(&Environment(&|_| Some(text.to_owned())));
        assert_eq!(networks(""), Ok(vec![]));
        let read: Vec<String> =
            networks("192.0.2.0/24, 2001:db8::/32").unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(read, ["192.0.2.0/24", "2001:db8::/32"]);
        let error = networks("192.0.2.0/24,192.0.2.0/33").unwrap_err().to_string();
        assert!(error.contains("`ApiClientCidr`") && error.contains("`192.0.2.0/33` is no address"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (config, word) in [
            ("{", "EOF"),
            (r#"{"clusters": {}}"#, "`clusters` is not known; did you mean `cluster`?"),
            (
                r#"{"cluster": {"worker_core": 1}}"#,
                "`cluster.worker_core` is not known; did you mean `cluster.worker_cores`?",
            ),
            (r#"{"cluster": {"worker_memory": "200 G"}}"#, "the largest has 16 cores with 120 GiB"),
            (r#"{"policy": {"check": 1}}"#, "`policy.check` is not known"),
            (r#"{"policy": {"check_ms": "soon"}}"#, "invalid type"),
        ] {
            let error = read(config).unwrap_err().to_string();
            assert!(error.starts_with("`FAREGATE_CONFIG`") && error.contains(word), "{error}");
        }
    }
}
