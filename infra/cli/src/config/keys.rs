//! Every key of the configuration: its name, what it means, how it is written, where it goes. The one list that reading, printing and the
//! reference share.

use super::Config;
use super::value::{Address, Count, FilePath, NetworkText, Prefix, Price, Seconds, Size, Uids, Url, Value};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::collections::BTreeMap;

/// One key of the top level.
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What it means: sentences for an administrator.
    pub about: &'static str,
    /// A value to show for a key that has none by default.
    pub example: &'static str,
    /// What its value is.
    #[cfg(test)]
    pub kind: String,
}

/// Keys that belong together.
pub struct Section {
    /// A heading.
    pub title: &'static str,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// `name: how it is written = where it goes, an example where the default is nothing`.
macro_rules! keys {
    ($($title:literal { $($(#[doc = $about:literal])+ $name:ident: $kind:ty = $($place:ident).+ $(, $example:literal)?;)* })*) => {
        /// A file as it is written; what it does not say is as it is by default.
        #[derive(Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct File {
            $($($name: $kind,)*)*
            /// By scope.
            #[serde(skip_serializing)]
            pub limits: BTreeMap<String, Map<String, serde_json::Value>>,
            /// In US dollars.
            #[serde(skip_serializing)]
            pub prices: PriceTable,
            /// As they are declared.
            #[serde(skip_serializing)]
            pub options: Vec<Map<String, serde_json::Value>>,
            /// As it is for both hosts.
            #[serde(skip_serializing)]
            pub auth: Option<serde_json::Value>,
        }

        impl Default for File {
            fn default() -> Self {
                let config = Config::default();
                File {
                    $($($name: Value::write(&config.$($place).+),)*)*
                    limits: BTreeMap::new(),
                    prices: PriceTable::default(),
                    options: Vec::new(),
                    auth: None,
                }
            }
        }

        impl File {
            /// Everything but the tables.
            pub fn keys(&self) -> Config {
                let mut config = Config::default();
                $($(config.$($place).+ = Value::read(&self.$name);)*)*
                config
            }
        }

        /// All keys, in the order in which they are documented.
        pub fn sections() -> Vec<Section> {
            vec![$(Section {
                title: $title,
                keys: vec![$(Key {
                    name: stringify!($name),
                    about: concat!($($about),+).trim_ascii(),
                    example: concat!($($example)?),
                    #[cfg(test)]
                    kind: <$kind as Value>::kind(),
                }),*],
            }),*]
        }
    };
}

/// `[prices]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceTable {
    /// A vCPU for an hour, in US dollars.
    pub vcpu_hour: Option<Price>,
    /// A GiB of memory for an hour, in US dollars.
    pub gib_hour: Option<Price>,
}

keys! {
    "The gateway" {
        /// Where to listen: API, dashboards and scheduler relay share this port. Port 0 picks a free one. A host's name is looked up at
        /// the start; ":8000" is all addresses of the machine.
        address: Address = gateway.address;
        /// A second address for the scheduler relay, for clients with a `proxy_address` of their own. The relay stays at `address` too.
        proxy_address: Option<Address> = gateway.proxy_address, r#""127.0.0.1:8786""#;
        /// Path under which everything is served, such as /services/gateway behind a JupyterHub.
        prefix: Prefix = gateway.prefix;
        /// Certificate chain (PEM) for HTTPS at `address`. Goes with `tls_key`.
        tls_cert: Option<FilePath> = gateway.tls_cert, r#""/etc/faregate/cert.pem""#;
        /// Private key (PEM) of `tls_cert`.
        tls_key: Option<FilePath> = gateway.tls_key, r#""/etc/faregate/key.pem""#;
        /// Directory of records, keys, logs and cluster files. Default: ~/.local/share/faregate; as root /var/lib/faregate. In this and
        /// other paths `~` and `$HOME` at the beginning are the home directory.
        data_dir: Option<FilePath> = gateway.data_dir, r#""/var/lib/faregate""#;
        /// Python environment of schedulers and workers: a directory with bin/dask and the dask-gateway package. Default: one made at
        /// the first start, under ~/.cache/faregate; as root in /var/cache/faregate. Started as root, everybody must be able to read it.
        python: Option<FilePath> = gateway.python, r#""/opt/dask""#;
        /// At SIGTERM or Ctrl-C: stop all clusters and the proxy; or, when false, leave both running for the next start to adopt.
        stop_clusters_on_shutdown: bool = gateway.stop_clusters_on_shutdown;
        /// Ask for sign-in at dashboards, at a plain /clusters/<name>/status, instead of a key in their link.
        dashboard_sign_in: bool = gateway.dashboard_sign_in;
        /// Most bytes of one file of a task's log. What a task prints goes through its supervisor: when the file `log` is full it
        /// becomes `log.1`, and the oldest goes.
        task_log_size: Size = gateway.task_log_size;
        /// Most files of a task's log: a task that prints without end takes so many times `task_log_size`.
        task_log_files: Count<2> = gateway.task_log_files;
        /// Most that the files of one cluster may take in the data directory: spilled data, what its code writes into its working
        /// directory, logs. Its users are warned from four fifths on; a cluster that has more is stopped. Default: a quarter of the
        /// disk.
        cluster_max_disk: Option<Size> = gateway.cluster_max_disk, r#""100 G""#;
        /// While less is free on the data directory's disk, no cluster is created and none gets more workers: stopping and the gateway's
        /// own records need that room.
        min_free_disk: Size = gateway.min_free_disk;
        /// Started as root: run tasks as the system account of their user's name, instead of under a uid of the range. Accounts below
        /// UID_MIN, locked ones, and those whose shell is nologin or false are refused.
        run_as_user: bool = gateway.run_as_user;
        /// With `run_as_user`: only members of this group may run tasks.
        task_account_group: Option<String> = gateway.task_account_group, r#""dask""#;
        /// Started as root: the uids out of which each user gets one of their own, for good; no account may have them. Default:
        /// 70000-89999.
        task_uid_range: Option<Uids> = gateway.task_uid_range, r#""70000-89999""#;
        /// Not started as root: serve although tasks are not kept from each other and from the gateway's keys: whoever runs code in a
        /// cluster can be anybody.
        allow_unseparated_tasks: bool = gateway.allow_unseparated_tasks;
        /// Where browsers and clients find the gateway, if that is not `address`: cookies are for HTTPS alone where it begins with
        /// https. Not needed where `tls_cert` is set, or a proxy of `trusted_proxies` says how a request came.
        external_url: Option<Url> = gateway.external_url, r#""https://gateway.example.org""#;
        /// Addresses or networks of proxies before the gateway, such as ["10.0.0.0/8"]: from them, X-Forwarded-For and X-Forwarded-Proto
        /// say where a request comes from and by which scheme. From others they say nothing.
        trusted_proxies: Vec<NetworkText> = gateway.trusted_proxies;
    }
    "Clusters" {
        /// Cores of a worker.
        worker_cores: f64 = cluster.worker_cores;
        /// Memory of a worker. K, M, G and T are binary: 2 G = 2 GiB.
        worker_memory: Size = cluster.worker_memory;
        /// Threads of a worker. Default: its cores, at least one.
        worker_threads: Option<Count<0>> = cluster.worker_threads, "2";
        /// Command that starts a worker.
        worker_cmd: Vec<String> = cluster.worker_cmd;
        /// Cores of a scheduler.
        scheduler_cores: f64 = cluster.scheduler_cores;
        /// Memory of a scheduler.
        scheduler_memory: Size = cluster.scheduler_memory;
        /// Command that starts a scheduler.
        scheduler_cmd: Vec<String> = cluster.scheduler_cmd;
        /// Environment variables of schedulers and workers, such as { OMP_NUM_THREADS = "1" }. Those that the gateway sets itself are
        /// left out, whatever their case: FAREGATE_…, DASK_GATEWAY_…, DASK_TEMPORARY_DIRECTORY, DASK_DISTRIBUTED__COMM__TLS__… and
        /// …REQUIRE_ENCRYPTION.
        environment: BTreeMap<String, String> = cluster.environment;
        /// Most workers of one cluster.
        cluster_max_workers: Option<Count<0>> = cluster.cluster_max_workers, "8";
        /// Most cores of one cluster, its scheduler's included.
        cluster_max_cores: Option<f64> = cluster.cluster_max_cores, "16.0";
        /// Most memory of one cluster, its scheduler's included.
        cluster_max_memory: Option<Size> = cluster.cluster_max_memory, r#""32 G""#;
        /// Seconds between adaptive scaling's decisions.
        adaptive_period: f64 = cluster.adaptive_period;
        /// Seconds until an idle cluster is stopped, by dask's own rule of what idle is; 0 = never.
        idle_timeout: f64 = cluster.idle_timeout;
        /// Seconds without a connected client until a cluster is stopped; 0 = never.
        no_client_timeout: f64 = cluster.no_client_timeout;
        /// Seconds until a cluster is stopped, whatever it does, unless its owner extends its life; 0 = `max_lifetime`.
        lifetime: f64 = cluster.lifetime;
        /// Container image, such as registry.example.com/team/dask:2026.3, for hosts that run containers. Not used on one machine.
        image: Option<String> = cluster.image, r#""daskgateway/dask-gateway""#;
        /// On Fargate: workers on Spot capacity. Not used on one machine.
        fargate_spot: bool = cluster.fargate_spot;
        /// On Fargate: `ARM64` or `X86_64`. Not used on one machine.
        cpu_architecture: Option<String> = cluster.cpu_architecture, r#""ARM64""#;
        /// On Fargate: ephemeral storage of each task in GiB, 21 to 200. Not used on one machine.
        ephemeral_storage_gib: Option<Count<0>> = cluster.ephemeral_storage_gib, "50";
        /// On Fargate: the IAM role of the tasks' code. Not used on one machine.
        task_role_arn: Option<String> = cluster.task_role_arn, r#""arn:aws:iam::123456789012:role/data""#;
    }
    "Durations, in seconds, and other rules" {
        /// Until a scheduler that was started must report.
        cluster_start_timeout: Seconds = policy.cluster_start_timeout_ms;
        /// Until a worker that was started, or restarts, must have joined its scheduler.
        worker_start_timeout: Seconds = policy.worker_start_timeout_ms;
        /// Launches, in a row, of which a worker fails to start, until the cluster is failed; it is not once one of its workers has connected.
        worker_start_failure_limit: Count<1> = policy.worker_start_failure_limit;
        /// Schedulers that fail to start until the cluster is failed.
        scheduler_start_failure_limit: Count<1> = policy.scheduler_start_failure_limit;
        /// Between two reports of a scheduler.
        cluster_heartbeat_period: Seconds = policy.heartbeat_period_ms;
        /// Silence of a scheduler until it is asked whether it lives.
        cluster_heartbeat_timeout: Seconds = policy.heartbeat_timeout_ms;
        /// A scheduler whose process runs may be silent for so long, as with a large graph, before its cluster is failed. One whose
        /// process is gone is failed at once.
        scheduler_busy_timeout: Seconds = policy.scheduler_busy_timeout_ms;
        /// A cluster that no client ever connected to, and that its owner has not listed, asked about or scaled for so long, is stopped;
        /// 0 = never.
        unclaimed_timeout: Seconds = policy.unclaimed_timeout_ms;
        /// Longest life of a cluster. Default: no limit.
        max_lifetime: Option<Seconds> = policy.max_lifetime_ms, "86400.0";
        /// Connected clients are warned so long before a cluster ends for its age.
        lifetime_warning: Seconds = policy.lifetime_warning_ms;
        /// After a limit was lowered: how long a scheduler may take to retire workers before the newest are stopped.
        retire_timeout: Seconds = policy.retire_ms;
        /// At its budget a user starts nothing more; when so much more is spent, what runs is stopped.
        budget_margin_percent: Count<0> = policy.budget_margin_percent;
        /// Between two enforcement runs over all clusters, which see to limits, timeouts and edits of limits.
        check_period: Seconds = gateway.check_period_ms;
        /// Records of ended clusters are kept so long.
        db_cluster_max_age: Seconds = policy.keep_records_ms;
        /// About so many records of ended clusters are kept of each user, the latest; 0 = all, until they are too old.
        db_cluster_max_count: Count<0> = policy.keep_records;
        /// Clusters that a user may create at once, and then one every `create_interval`; 0 = as fast as they can.
        create_burst: Count<0> = policy.create_burst;
        /// Between two clusters that a user creates beyond `create_burst`.
        create_interval: Seconds = policy.create_interval_ms;
        /// From SIGINT to SIGTERM when a process is stopped.
        sigint_timeout: Seconds = gateway.sigint_timeout_ms;
        /// From SIGTERM to SIGKILL.
        sigterm_timeout: Seconds = gateway.sigterm_timeout_ms;
    }
}
