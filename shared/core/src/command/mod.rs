//! The commands and the environment of schedulers and workers, as the official server gives them.

use crate::model::{ClusterConfig, ClusterName, Policy};
use std::net::SocketAddr;

/// The header in which whoever asks a dashboard shows its key (`faregate_keys::dashboard_key`); `guard.py` reads it.
pub const DASHBOARD_HEADER: &str = "x-faregate-dashboard";

/// Python source of what keeps strangers from the HTTP servers of schedulers and workers. It must come first: it is in force when its
/// module is imported, which is before they listen.
const GUARD: &str = include_str!("guard.py");
/// Python source by which schedulers answer the gateway.
const SCHEDULER: &str = include_str!("scheduler_preload.py");
/// Python source by which workers load what their configuration names besides.
const WORKER: &str = include_str!("worker_preload.py");

/// Where tasks listen. Port 0 picks a free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Host of every server; IPv4 (`--dg-api-address` takes exactly one colon).
    pub host: String,
    /// The scheduler's comm port.
    pub scheduler: u16,
    /// The scheduler's dashboard port.
    pub dashboard: u16,
    /// The scheduler's API port.
    pub api: u16,
    /// A worker's port.
    pub worker: u16,
    /// Its nanny's.
    pub nanny: u16,
    /// Its dashboard's.
    pub worker_dashboard: u16,
}

impl Listen {
    /// Loopback, free ports: for tasks that are processes of this machine.
    pub fn loopback() -> Self {
        Listen {
            host: "127.0.0.1".into(),
            scheduler: 0,
            dashboard: 0,
            api: 0,
            worker: 0,
            nanny: 0,
            worker_dashboard: 0,
        }
    }

    /// The task's own address (which `{address}` is replaced by at its start) and fixed ports, which security groups name.
    pub fn own_address() -> Self {
        Listen {
            host: "{address}".into(),
            scheduler: 8786,
            dashboard: 8787,
            api: 8788,
            worker: 8789,
            nanny: 8790,
            worker_dashboard: 8791,
        }
    }
}

/// The command of a scheduler. Its own idle timeout is off: that check ignores queued tasks.
pub fn scheduler_command(config: &ClusterConfig, policy: &Policy, listen: &Listen) -> Vec<String> {
    let Listen { host, scheduler, dashboard, api, .. } = listen;
    let mut command = config.scheduler_cmd.clone();
    let heartbeat_s = policy.heartbeat_period_ms as f64 / 1000.0;
    for (option, value) in [
        ("--protocol", "tls".to_owned()),
        ("--host", host.clone()),
        ("--port", scheduler.to_string()),
        ("--dashboard-address", format!("{host}:{dashboard}")),
        ("--preload", preload(SCHEDULER)),
        ("--preload", "dask_gateway.scheduler_preload".to_owned()),
        ("--dg-api-address", format!("{host}:{api}")),
        ("--dg-heartbeat-period", heartbeat_s.to_string()),
        ("--dg-adaptive-period", config.adaptive_period.to_string()),
        ("--dg-idle-timeout", "0".to_owned()),
    ] {
        command.push(option.to_owned());
        command.push(value);
    }
    command
}

/// A preload of the guard and `source`. A `--preload` value with a space in it is source text; dask logs it thrice, so it is one line.
fn preload(source: &str) -> String {
    format!("exec (\"{}\")", (shortened(GUARD) + &shortened(source)).replace('\n', "\\n"))
}

/// Python source without its comments and empty lines, indented by single spaces, its texts in quotes that JSON need not escape: it is
/// part of each task's command, and a command has little room on ECS (`infra/ecs`).
fn shortened(source: &str) -> String {
    let mut short = String::with_capacity(source.len());
    for line in source.lines() {
        let code = line.trim_start();
        if !code.is_empty() && !code.starts_with('#') && !code.starts_with("\"\"\"") {
            short.extend(std::iter::repeat_n(' ', (line.len() - code.len()) / 4));
            short.push_str(&code.replace('"', "'"));
            short.push('\n');
        }
    }
    short
}

/// The command of a worker. `{worker_name}` is replaced by the task's own name at its start.
pub fn worker_command(config: &ClusterConfig, scheduler: SocketAddr, listen: &Listen) -> Vec<String> {
    let mut command = config.worker_cmd.clone();
    command.push(format!("tls://{scheduler}"));
    for (option, value) in [
        ("--host", listen.host.clone()),
        ("--worker-port", listen.worker.to_string()),
        ("--nanny-port", listen.nanny.to_string()),
        ("--dashboard-address", format!("{}:{}", listen.host, listen.worker_dashboard)),
        ("--preload", preload(WORKER)),
        ("--name", "{worker_name}".to_owned()),
        ("--nthreads", config.threads().to_string()),
        ("--memory-limit", config.worker_memory.to_string()),
    ] {
        command.push(option.to_owned());
        command.push(value);
    }
    command
}

/// Variables of these beginnings are the gateway's and the launcher's to set.
const OURS: [&str; 5] = [
    "DASK_GATEWAY_",
    "DASK_DISTRIBUTED__COMM__TLS__",
    "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION",
    "DASK_TEMPORARY_DIRECTORY",
    "FAREGATE_",
];

/// dask reads the names of its settings without regard to case, and takes `-` for `_` (`dask.config.canonical_name`).
fn is_ours(variable: &str) -> bool {
    let canonical = variable.to_ascii_uppercase().replace('-', "_");
    OURS.iter().any(|ours| canonical.starts_with(ours))
}

/// The environment of both, without credentials: those are the launcher's to place. Ours wins over the configured.
pub fn environment(config: &ClusterConfig, api_url: &str, name: &ClusterName) -> Vec<(String, String)> {
    let ours = [
        ("DASK_GATEWAY_API_URL", api_url),
        ("DASK_GATEWAY_CLUSTER_NAME", name.as_str()),
        ("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "True"),
    ];
    let mut environment = config.environment.clone();
    environment.retain(|key, _| !is_ours(key));
    environment.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
    environment.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduler_is_started_as_the_official_server_starts_it_and_never_ends_itself_for_idleness() {
        let command = scheduler_command(&ClusterConfig::default(), &Policy::default(), &Listen::loopback());
        let text = command.join(" ").replace(&preload(SCHEDULER), "<source>");
        assert_eq!(
            text,
            "dask scheduler --protocol tls --host 127.0.0.1 --port 0 --dashboard-address 127.0.0.1:0 --preload <source> \
             --preload dask_gateway.scheduler_preload --dg-api-address 127.0.0.1:0 --dg-heartbeat-period 15 \
             --dg-adaptive-period 3 --dg-idle-timeout 0"
        );
    }

    #[test]
    fn preloads_leave_room_for_others_in_a_command() {
        for source in [GUARD, SCHEDULER, WORKER] {
            let code = source.lines().filter(|line| !line.trim_start().starts_with(['#', '"']));
            assert!(!code.into_iter().any(|line| line.contains(['\'', '\\'])), "quotes within quotes");
        }
        for (source, most) in [(SCHEDULER, 4000), (WORKER, 1400)] {
            let short = preload(source);
            assert!(short.starts_with("exec (\"import hmac, os\\nfrom distributed.http.routing import"), "{short}");
            assert!(short.contains("\\n keys = request.headers"), "{short}");
            let escaped = serde_json::Value::from(short).to_string();
            assert!(escaped.len() < most, "{} characters of the 8192 that ECS allows", escaped.len());
        }
    }

    #[test]
    fn what_the_gateway_sets_cannot_be_overridden() {
        let name: ClusterName = "0".repeat(32).parse().unwrap();
        let mut config = ClusterConfig::default();
        config.environment.insert("DASK_GATEWAY_API_URL".into(), "http://elsewhere".into());
        config.environment.insert("DASK_GATEWAY_API_TOKEN".into(), "another".into());
        for variable in [
            "Dask_Gateway_Api_Token",
            "DASK_DISTRIBUTED__comm__tls__ca_file",
            "DASK_distributed__comm__require-encryption",
            "DASK_TEMPORARY_DIRECTORY",
            "DASK_temporary-directory",
            "FAREGATE_TASK",
            "Faregate_Tls_Key",
        ] {
            config.environment.insert(variable.into(), "another".into());
        }
        config.environment.insert("OMP_NUM_THREADS".into(), "1".into());
        let got = environment(&config, "http://127.0.0.1:1/api", &name);
        assert!(got.contains(&("DASK_GATEWAY_API_URL".into(), "http://127.0.0.1:1/api".into())));
        assert!(got.contains(&("OMP_NUM_THREADS".into(), "1".into())));
        assert_eq!(got.len(), 4);
    }
}
