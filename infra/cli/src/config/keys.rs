//! Every key of the configuration's top level: its name, what it means, where it goes. The one list that reading, checking and
//! documenting share.

use super::{Config, Slot};

/// One key.
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What it means: sentences for an administrator.
    pub about: &'static str,
    /// A value to show for a key that has none by default.
    pub example: &'static str,
    /// Where it goes.
    pub slot: fn(&mut Config) -> Slot<'_>,
}

/// Keys that belong together.
pub struct Section {
    /// A heading.
    pub title: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// One entry: name, slot, explanation, and an example where the default is nothing.
macro_rules! key {
    ($name:literal, $slot:expr, $about:literal) => {
        key!($name, $slot, $about, "")
    };
    ($name:literal, $slot:expr, $about:literal, $example:literal) => {
        Key { name: $name, about: $about, example: $example, slot: $slot }
    };
}

/// All keys, in the order in which they are documented.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "The gateway",
        keys: &[
            key!(
                "address",
                |c| Slot::Address(&mut c.gateway.address),
                "Where to listen: API, dashboards and scheduler relay share this port. Port 0 picks a free one. A host's name is looked up at the start; \":8000\" is all addresses of the machine."
            ),
            key!(
                "proxy_address",
                |c| Slot::OptionalAddress(&mut c.gateway.proxy_address),
                "A second address for the scheduler relay, for clients with a `proxy_address` of their own. The relay stays at `address` too.",
                r#""127.0.0.1:8786""#
            ),
            key!(
                "prefix",
                |c| Slot::Prefix(&mut c.gateway.prefix),
                "Path under which everything is served, such as /services/gateway behind a JupyterHub."
            ),
            key!(
                "tls_cert",
                |c| Slot::OptionalPath(&mut c.gateway.tls_cert),
                "Certificate chain (PEM) for HTTPS at `address`. Goes with `tls_key`.",
                r#""/etc/faregate/cert.pem""#
            ),
            key!(
                "tls_key",
                |c| Slot::OptionalPath(&mut c.gateway.tls_key),
                "Private key (PEM) of `tls_cert`.",
                r#""/etc/faregate/key.pem""#
            ),
            key!(
                "data_dir",
                |c| Slot::OptionalPath(&mut c.gateway.data_dir),
                "Directory of records, keys, logs and cluster files. Default: ~/.local/share/faregate; as root /var/lib/faregate. In this and other paths `~` and `$HOME` at the beginning are the home directory.",
                r#""/var/lib/faregate""#
            ),
            key!(
                "python",
                |c| Slot::OptionalPath(&mut c.gateway.python),
                "Python environment of schedulers and workers: a directory with bin/dask and the dask-gateway package. Default: one made at the first start, under ~/.cache/faregate; as root in /var/cache/faregate. Started as root, everybody must be able to read it.",
                r#""/opt/dask""#
            ),
            key!(
                "stop_clusters_on_shutdown",
                |c| Slot::Bool(&mut c.gateway.stop_clusters_on_shutdown),
                "At SIGTERM or Ctrl-C: stop all clusters and the proxy; or, when false, leave both running for the next start to adopt."
            ),
            key!(
                "dashboard_sign_in",
                |c| Slot::Bool(&mut c.gateway.dashboard_sign_in),
                "Ask for sign-in at dashboards, at a plain /clusters/<name>/status, instead of a key in their link."
            ),
            key!(
                "task_log_size",
                |c| Slot::Size(&mut c.gateway.task_log_size),
                "Most bytes of one file of a task's log. What a task prints goes through its supervisor: when the file `log` is full it becomes `log.1`, and the oldest goes."
            ),
            key!(
                "task_log_files",
                |c| Slot::Count { to: &mut c.gateway.task_log_files, least: 2 },
                "Most files of a task's log: a task that prints without end takes so many times `task_log_size`."
            ),
            key!(
                "cluster_max_disk",
                |c| Slot::OptionalSize(&mut c.gateway.cluster_max_disk),
                "Most that the files of one cluster may take in the data directory: spilled data, what its code writes into its working directory, logs. Its users are warned from four fifths on; a cluster that has more is stopped. Default: a quarter of the disk.",
                r#""100 G""#
            ),
            key!(
                "min_free_disk",
                |c| Slot::Size(&mut c.gateway.min_free_disk),
                "While less is free on the data directory's disk, no cluster is created and none gets more workers: stopping and the gateway's own records need that room."
            ),
            key!(
                "run_as_user",
                |c| Slot::Bool(&mut c.gateway.run_as_user),
                "Started as root: run tasks as the system account of their user's name, instead of under a uid of the range. Accounts below UID_MIN, locked ones, and those whose shell is nologin or false are refused."
            ),
            key!(
                "task_account_group",
                |c| Slot::OptionalText(&mut c.gateway.task_account_group),
                "With `run_as_user`: only members of this group may run tasks.",
                r#""dask""#
            ),
            key!(
                "task_uid_range",
                |c| Slot::UidRange(&mut c.gateway.task_uid_range),
                "Started as root: the uids out of which each user gets one of their own, for good; no account may have them. Default: 70000-89999.",
                r#""70000-89999""#
            ),
            key!(
                "allow_unseparated_tasks",
                |c| Slot::Bool(&mut c.gateway.allow_unseparated_tasks),
                "Not started as root: serve although tasks are not kept from each other and from the gateway's keys: whoever runs code in a cluster can be anybody."
            ),
            key!(
                "external_url",
                |c| Slot::ExternalUrl(&mut c.gateway.external_url),
                "Where browsers and clients find the gateway, if that is not `address`: cookies are for HTTPS alone where it begins with https. Not needed where `tls_cert` is set, or a proxy of `trusted_proxies` says how a request came.",
                r#""https://gateway.example.org""#
            ),
            key!(
                "trusted_proxies",
                |c| Slot::Networks(&mut c.gateway.trusted_proxies),
                "Addresses or networks of proxies before the gateway, such as [\"10.0.0.0/8\"]: from them, X-Forwarded-For and X-Forwarded-Proto say where a request comes from and by which scheme. From others they say nothing."
            ),
        ],
    },
    Section {
        title: "Clusters",
        keys: &[
            key!("worker_cores", |c| Slot::Number(&mut c.cluster.worker_cores), "Cores of a worker."),
            key!(
                "worker_memory",
                |c| Slot::Size(&mut c.cluster.worker_memory),
                "Memory of a worker. K, M, G and T are binary: 2 G = 2 GiB."
            ),
            key!(
                "worker_threads",
                |c| Slot::OptionalCount(&mut c.cluster.worker_threads),
                "Threads of a worker. Default: its cores, at least one.",
                "2"
            ),
            key!("worker_cmd", |c| Slot::Words(&mut c.cluster.worker_cmd), "Command that starts a worker."),
            key!("scheduler_cores", |c| Slot::Number(&mut c.cluster.scheduler_cores), "Cores of a scheduler."),
            key!("scheduler_memory", |c| Slot::Size(&mut c.cluster.scheduler_memory), "Memory of a scheduler."),
            key!("scheduler_cmd", |c| Slot::Words(&mut c.cluster.scheduler_cmd), "Command that starts a scheduler."),
            key!(
                "environment",
                |c| Slot::Texts(&mut c.cluster.environment),
                "Environment variables of schedulers and workers, such as { OMP_NUM_THREADS = \"1\" }. Those that the gateway sets itself are left out, whatever their case: FAREGATE_…, DASK_GATEWAY_…, DASK_TEMPORARY_DIRECTORY, DASK_DISTRIBUTED__COMM__TLS__… and …REQUIRE_ENCRYPTION."
            ),
            key!(
                "cluster_max_workers",
                |c| Slot::OptionalCount(&mut c.cluster.cluster_max_workers),
                "Most workers of one cluster.",
                "8"
            ),
            key!(
                "cluster_max_cores",
                |c| Slot::OptionalNumber(&mut c.cluster.cluster_max_cores),
                "Most cores of one cluster, its scheduler's included.",
                "16.0"
            ),
            key!(
                "cluster_max_memory",
                |c| Slot::OptionalSize(&mut c.cluster.cluster_max_memory),
                "Most memory of one cluster, its scheduler's included.",
                r#""32 G""#
            ),
            key!(
                "adaptive_period",
                |c| Slot::Number(&mut c.cluster.adaptive_period),
                "Seconds between adaptive scaling's decisions."
            ),
            key!(
                "idle_timeout",
                |c| Slot::Number(&mut c.cluster.idle_timeout),
                "Seconds until an idle cluster is stopped, by dask's own rule of what idle is; 0 = never."
            ),
            key!(
                "no_client_timeout",
                |c| Slot::Number(&mut c.cluster.no_client_timeout),
                "Seconds without a connected client until a cluster is stopped; 0 = never."
            ),
            key!(
                "lifetime",
                |c| Slot::Number(&mut c.cluster.lifetime),
                "Seconds until a cluster is stopped, whatever it does, unless its owner extends its life; 0 = `max_lifetime`."
            ),
            key!(
                "image",
                |c| Slot::OptionalText(&mut c.cluster.image),
                "Container image, such as registry.example.com/team/dask:2026.3, for hosts that run containers. Not used on one machine.",
                r#""daskgateway/dask-gateway""#
            ),
            key!(
                "fargate_spot",
                |c| Slot::Bool(&mut c.cluster.fargate_spot),
                "On Fargate: workers on Spot capacity. Not used on one machine."
            ),
            key!(
                "cpu_architecture",
                |c| Slot::OptionalText(&mut c.cluster.cpu_architecture),
                "On Fargate: `ARM64` or `X86_64`. Not used on one machine.",
                r#""ARM64""#
            ),
            key!(
                "ephemeral_storage_gib",
                |c| Slot::OptionalCount(&mut c.cluster.ephemeral_storage_gib),
                "On Fargate: ephemeral storage of each task in GiB, 21 to 200. Not used on one machine.",
                "50"
            ),
            key!(
                "task_role_arn",
                |c| Slot::OptionalText(&mut c.cluster.task_role_arn),
                "On Fargate: the IAM role of the tasks' code. Not used on one machine.",
                r#""arn:aws:iam::123456789012:role/data""#
            ),
        ],
    },
    Section {
        title: "Durations, in seconds, and other rules",
        keys: &[
            key!(
                "cluster_start_timeout",
                |c| Slot::Seconds(&mut c.policy.cluster_start_timeout_ms),
                "Until a scheduler that was started must report."
            ),
            key!(
                "worker_start_timeout",
                |c| Slot::Seconds(&mut c.policy.worker_start_timeout_ms),
                "Until a worker that was started, or restarts, must have joined its scheduler."
            ),
            key!(
                "worker_start_failure_limit",
                |c| Slot::Count { to: &mut c.policy.worker_start_failure_limit, least: 1 },
                "Workers that fail to start, in a row, until the cluster is failed."
            ),
            key!(
                "scheduler_start_failure_limit",
                |c| Slot::Count { to: &mut c.policy.scheduler_start_failure_limit, least: 1 },
                "Schedulers that fail to start until the cluster is failed."
            ),
            key!(
                "cluster_heartbeat_period",
                |c| Slot::Seconds(&mut c.policy.heartbeat_period_ms),
                "Between two reports of a scheduler."
            ),
            key!(
                "cluster_heartbeat_timeout",
                |c| Slot::Seconds(&mut c.policy.heartbeat_timeout_ms),
                "Silence of a scheduler until it is asked whether it lives."
            ),
            key!(
                "scheduler_busy_timeout",
                |c| Slot::Seconds(&mut c.policy.scheduler_busy_timeout_ms),
                "A scheduler whose process runs may be silent for so long, as with a large graph, before its cluster is failed. One whose process is gone is failed at once."
            ),
            key!(
                "max_lifetime",
                |c| Slot::OptionalSeconds(&mut c.policy.max_lifetime_ms),
                "Longest life of a cluster. Default: no limit.",
                "86400.0"
            ),
            key!(
                "lifetime_warning",
                |c| Slot::Seconds(&mut c.policy.lifetime_warning_ms),
                "Connected clients are warned so long before a cluster ends for its age."
            ),
            key!(
                "retire_timeout",
                |c| Slot::Seconds(&mut c.policy.retire_ms),
                "After a limit was lowered: how long a scheduler may take to retire workers before the newest are stopped."
            ),
            key!(
                "budget_margin_percent",
                |c| Slot::Count { to: &mut c.policy.budget_margin_percent, least: 0 },
                "At its budget a user starts nothing more; when so much more is spent, what runs is stopped."
            ),
            key!(
                "check_period",
                |c| Slot::Seconds(&mut c.gateway.check_period_ms),
                "Between two enforcement runs over all clusters, which see to limits, timeouts and edits of limits."
            ),
            key!(
                "db_cluster_max_age",
                |c| Slot::Seconds(&mut c.policy.keep_records_ms),
                "Records of ended clusters are kept so long."
            ),
            key!(
                "db_cluster_max_count",
                |c| Slot::Count { to: &mut c.policy.keep_records, least: 0 },
                "About so many records of ended clusters are kept of each user, the latest; 0 = all, until they are too old."
            ),
            key!(
                "create_burst",
                |c| Slot::Count { to: &mut c.policy.create_burst, least: 0 },
                "Clusters that a user may create at once, and then one every `create_interval`; 0 = as fast as they can."
            ),
            key!(
                "create_interval",
                |c| Slot::Seconds(&mut c.policy.create_interval_ms),
                "Between two clusters that a user creates beyond `create_burst`."
            ),
            key!(
                "sigint_timeout",
                |c| Slot::Seconds(&mut c.gateway.sigint_timeout_ms),
                "From SIGINT to SIGTERM when a process is stopped."
            ),
            key!("sigterm_timeout", |c| Slot::Seconds(&mut c.gateway.sigterm_timeout_ms), "From SIGTERM to SIGKILL."),
        ],
    },
];

/// Tables beside the keys, for the same list of what is known.
pub const TABLES: [&str; 4] = ["limits", "prices", "options", "auth"];

/// Every key.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}
