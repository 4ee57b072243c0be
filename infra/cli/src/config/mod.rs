//! The configuration: one TOML file, everything optional, nothing unknown.
//!
//! Keys are flat, under the official server's names; each is described once, in `keys`, for reading, for what `faregate config` prints and
//! for `docs/configuration.md`. serde reads the file, serde_path_to_error names the key. Of some 1,000 lines here a quarter are the keys
//! and their explanations. By hand stay, as serde would say less: values with a form of their own (`value.rs`, 200 lines: what a value must
//! be, and its limit); and `position` in `error.rs` (25 lines), for what is wrong only beside another key, or is found by the hosts' common
//! code, which reads JSON and knows no lines.

mod document;
mod error;
mod external_url;
mod keys;
mod tables;
mod value;

pub use document::document;
pub use error::{ConfigError, Place};
pub use external_url::ExternalUrl;
pub use value::parse_address;

use error::Problem;
use faregate_auth as auth;
use faregate_core::model::{ClusterConfig, Limits, Ms, Policy, Scope};
use faregate_core::options::{InvalidDeclaration, Options};
use faregate_headers::Network;
use faregate_processes::identity::UidRange;
use keys::File;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

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
        let document = DeTable::parse(text).map_err(Problem::syntax)?;
        refuse_unusual("", &DeValue::Table(document.into_inner()))?;
        let document = toml::Deserializer::parse(text).map_err(Problem::syntax)?;
        let file: File = serde_path_to_error::deserialize(document).map_err(Problem::serde)?;
        let mut config = file.keys();
        tables::read(file, &mut config)?;
        config.check()?;
        Ok(config)
    }

    /// A declaration that cannot be used, with its place in the list.
    fn of_options(&self, invalid: InvalidDeclaration) -> Problem {
        let named =
            |option: &serde_json::Value| option.get("field").and_then(|field| field.as_str()) == Some(&invalid.option);
        let by_number = || invalid.option.strip_prefix('#')?.parse().ok().map(|n: usize| n.saturating_sub(1));
        // of one that is declared twice, the second
        let at = self.options.iter().rposition(named).or_else(by_number).unwrap_or_default();
        Problem::whole(&format!("options[{at}]"), invalid)
    }

    /// What must fit together.
    fn check(&self) -> Result<(), Problem> {
        self.cluster.check().map_err(|invalid| Problem::new(invalid.field, invalid.problem))?;
        let environment = |what: &str| Err(Problem::new("environment", what));
        for (name, value) in &self.cluster.environment {
            if name.is_empty() || name.contains(['=', '\0']) {
                return environment(&format!("has `{name}`, which no variable can be called"));
            }
            if value.contains('\0') {
                return environment(&format!("has a value with a NUL in `{name}`"));
            }
        }
        Options::declare(&self.options, &self.cluster).map_err(|invalid| self.of_options(invalid))?;
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

/// Refuses what neither a limit nor an option can be, wherever it stands.
fn refuse_unusual(key: &str, value: &DeValue<'_>) -> Result<(), Problem> {
    match value {
        DeValue::Float(n) if n.as_str().ends_with("nan") || n.as_str().ends_with("inf") => {
            Err(Problem::new(key, format!("must be a finite number, not `{}`", n.as_str())))
        }
        DeValue::Datetime(date) => Err(Problem::new(key, format!("must be text in quotes, not the date `{date}`"))),
        DeValue::Array(list) => {
            (0..).zip(list.iter()).try_for_each(|(n, item)| refuse_unusual(&format!("{key}[{n}]"), item.get_ref()))
        }
        DeValue::Table(table) => table.iter().try_for_each(|(name, value)| {
            let name = name.get_ref();
            let below = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
            refuse_unusual(&below, value.get_ref())
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
