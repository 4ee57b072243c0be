//! The configuration: one TOML file, everything optional, nothing unknown.
//!
//! Keys are flat, under the official server's names; each is described once, in `keys`, for reading and for the manual alike.

mod document;
mod error;
mod external_url;
mod keys;
mod tables;
mod value;

pub use document::document;
pub use error::{ConfigError, Place};
pub use external_url::ExternalUrl;
pub use value::{Slot, parse_address};

use error::{Problem, unknown};
use faregate_auth as auth;
use faregate_core::model::{ClusterConfig, Limits, Ms, Policy, Scope};
use faregate_core::options::Options;
use faregate_processes::identity::UidRange;
use faregate_proxy::Network;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, ValueDeserializer};

/// Of a setting that there was.
const NO_PASSWORD: &str = "is no longer there: an address that is not loopback needs a way to sign in. hint: set `methods` under `[auth]`; \
                           one password for all is `[auth.basic] password = \"…\"`";

/// Everything an administrator can set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// What is the gateway's own.
    pub gateway: Settings,
    /// What a cluster is, before a user's options.
    pub cluster: ClusterConfig,
    /// Timeouts and other rules.
    pub policy: Policy,
    /// `[limits.default]`, `[limits."group:x"]`, `[limits."user:x"]`.
    pub limits: BTreeMap<Scope, Limits>,
    /// `[[options]]`: what users may choose, as written.
    pub options: Vec<serde_json::Value>,
    /// `[auth]`.
    pub auth: auth::Config,
}

/// The gateway's own settings. Each is explained in `keys`, under the same name.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Settings {
    pub address: SocketAddr,
    pub proxy_address: Option<SocketAddr>,
    pub prefix: String,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub python: Option<PathBuf>,
    pub stop_clusters_on_shutdown: bool,
    pub dashboard_sign_in: bool,
    pub task_log_size: u64,
    pub task_log_files: u32,
    pub cluster_max_disk: Option<u64>,
    pub min_free_disk: u64,
    pub run_as_user: bool,
    pub external_url: Option<ExternalUrl>,
    pub trusted_proxies: Vec<Network>,
    pub task_account_group: Option<String>,
    pub task_uid_range: Option<UidRange>,
    pub allow_unseparated_tasks: bool,
    pub check_period_ms: Ms,
    pub sigint_timeout_ms: Ms,
    pub sigterm_timeout_ms: Ms,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            proxy_address: None,
            prefix: String::new(),
            tls_cert: None,
            tls_key: None,
            data_dir: None,
            python: None,
            stop_clusters_on_shutdown: true,
            dashboard_sign_in: false,
            task_log_size: 4 << 20,
            task_log_files: 2,
            cluster_max_disk: None,
            min_free_disk: 64 << 20,
            run_as_user: false,
            external_url: None,
            trusted_proxies: Vec::new(),
            task_account_group: None,
            task_uid_range: None,
            allow_unseparated_tasks: false,
            check_period_ms: 1_000,
            sigint_timeout_ms: 10_000,
            sigterm_timeout_ms: 5_000,
        }
    }
}

impl Config {
    /// Reads a file. Errors name the file, the line, the key and what its value must be.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(&text).map_err(|problem| problem.in_file(&file, &text)),
            Err(source) => Err(ConfigError::Unreadable { file, source }),
        }
    }

    /// Reads a text.
    fn parse(text: &str) -> Result<Config, Problem> {
        let document = DeTable::parse(text).map_err(Problem::syntax)?.into_inner();
        let mut config = Config::default();
        for (key, value) in document {
            let span = key.span();
            let name = key.into_inner();
            let value = toml::Value::deserialize(ValueDeserializer::from(value)).map_err(Problem::syntax)?;
            config.set(&name, &value).map_err(|problem| problem.at(span))?;
        }
        config.check().map_err(|problem| match text_position(text, &problem.key) {
            Some(span) => problem.at(span),
            None => problem,
        })?;
        Ok(config)
    }

    /// Takes one key of the top level in.
    fn set(&mut self, name: &str, value: &toml::Value) -> Result<(), Problem> {
        match name {
            "limits" => tables::limits(value, &mut self.limits),
            "prices" => tables::prices(value, &mut self.policy.prices),
            "options" => tables::options(value, &mut self.options),
            "auth" => tables::auth(value, &mut self.auth),
            "allow_no_password" => Err(Problem::new(name, NO_PASSWORD)),
            _ => match keys::all().find(|key| key.name == name) {
                Some(key) => (key.slot)(self).read(value).map_err(|what| Problem::new(name, what)),
                None => Err(unknown("", name, keys::all().map(|key| key.name).chain(keys::TABLES))),
            },
        }
    }

    /// What must fit together.
    fn check(&self) -> Result<(), Problem> {
        self.cluster.check().map_err(|invalid| Problem::new(invalid.field, invalid.problem))?;
        Options::declare(&self.options, &self.cluster).map_err(|invalid| Problem::whole("options", invalid))?;
        let gateway = &self.gateway;
        if gateway.tls_cert.is_some() != gateway.tls_key.is_some() {
            let (has, lacks) =
                if gateway.tls_cert.is_some() { ("tls_cert", "tls_key") } else { ("tls_key", "tls_cert") };
            return Err(Problem::new(has, format!("needs `{lacks}` beside it")));
        }
        if let Some(url) = &gateway.external_url
            && !url.path.is_empty()
            && url.path != gateway.prefix
        {
            let what = format!("must end with `prefix`, which is `{}`, not with `{}`", gateway.prefix, url.path);
            return Err(Problem::new("external_url", what));
        }
        let (period, timeout) = (self.policy.heartbeat_period_ms, self.policy.heartbeat_timeout_ms);
        if timeout <= period {
            let period = period as f64 / 1000.0;
            let what = format!("must be more than `cluster_heartbeat_period` ({period} seconds)");
            return Err(Problem::new("cluster_heartbeat_timeout", what));
        }
        if self.policy.scheduler_busy_timeout_ms < timeout {
            let what = format!("must be at least `cluster_heartbeat_timeout` ({} seconds)", timeout as f64 / 1000.0);
            return Err(Problem::new("scheduler_busy_timeout", what));
        }
        Ok(())
    }
}

/// Where a key of the top level stands in the text.
fn text_position(text: &str, key: &str) -> Option<std::ops::Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    document.get_ref().keys().find(|k| k.get_ref() == key).map(|k| k.span())
}

#[cfg(test)]
mod tests;
