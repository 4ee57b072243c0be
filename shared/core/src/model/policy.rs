//! How the gateway decides: every duration and bound it knows.

use super::{Ms, Prices};
use serde::{Deserialize, Serialize};

/// Durations are in milliseconds. One policy holds for the whole gateway; what differs by cluster is in its `ClusterConfig`, what
/// differs by user in the limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// From a scheduler's acceptance to its first good heartbeat.
    pub cluster_start_timeout_ms: Ms,
    /// From a worker's acceptance (or its restart) to its connection.
    pub worker_start_timeout_ms: Ms,
    /// Between a scheduler's heartbeats.
    pub heartbeat_period_ms: Ms,
    /// Silence that is asked about.
    pub heartbeat_timeout_ms: Ms,
    /// Unanswered health questions in a row that count as an answer.
    pub health_questions: u32,
    /// A scheduler whose process runs may be silent, and leave questions unanswered, for so long: it is busy.
    pub scheduler_busy_timeout_ms: Ms,
    /// Start failures of workers in a row that end a cluster.
    pub worker_start_failure_limit: u32,
    /// Start failures of schedulers that end a cluster.
    pub scheduler_start_failure_limit: u32,
    /// Longest life of a cluster; none = unbounded.
    pub max_lifetime_ms: Option<Ms>,
    /// A cluster that no client ever connected to, and that its owner has not listed, asked about or scaled for so long, is stopped;
    /// 0 = never.
    pub unclaimed_timeout_ms: Ms,
    /// Between two requests to stop one task.
    pub stop_retry_ms: Ms,
    /// Between two questions about a task that is stopping, or whose worker left.
    pub check_ms: Ms,
    /// Between two calls of one launch, and after a refusal.
    pub launch_retry_ms: Ms,
    /// How long one launch call may be under way before the same call is made again.
    pub launch_call_ms: Ms,
    /// Between two lists of a launch whose outcome is unknown.
    pub launch_list_ms: Ms,
    /// Before another launch after a failed start; doubled by each further failure.
    pub start_backoff_ms: Ms,
    /// After Spot had no capacity, launches are on demand for so long.
    pub spot_retry_ms: Ms,
    /// Before room under a limit is asked for again.
    pub room_retry_ms: Ms,
    /// How long a launch that is not allowed is called again before that is final: as long as permissions take to arrive. Shorter than
    /// [`Policy::launch_window_ms`]; 0 = it is final at once.
    #[serde(default)]
    pub permissions_ms: Ms,
    /// Nobody calls a launch later than this after it was written.
    pub launch_window_ms: Ms,
    /// The longest a caller can live, so how late a call may land.
    #[serde(alias = "caller_life_ms")]
    pub max_call_ms: Ms,
    /// How long something may stay invisible to lists and descriptions after it began.
    pub visibility_ms: Ms,
    /// No verdict of the orphan scan on anything younger.
    #[serde(alias = "young_ms")]
    pub grace_period_ms: Ms,
    /// Share of silent clusters above which silence alone is not believed.
    pub mass_silence_percent: u32,
    /// Clusters that must be active for that share to count.
    pub mass_silence_least: usize,
    /// Silence of many is not believed for at most so long.
    pub mass_silence_ms: Ms,
    /// Ended records are kept so long.
    pub keep_records_ms: Ms,
    /// About so many ended records of each user are kept, the latest; 0 = all of them.
    pub keep_records: u32,
    /// Clusters that a user may create at once; 0 = as fast as anybody can.
    pub create_burst: u32,
    /// Between two clusters that a user creates beyond `create_burst`; 0 = as fast as anybody can.
    pub create_interval_ms: Ms,
    /// Most tasks in one launch call.
    pub tasks_per_launch: u32,
    /// Tasks that one cluster may launch at once.
    pub launch_burst: u32,
    /// Between two tasks that a cluster launches beyond `launch_burst`; 0 = as fast as they are wanted.
    pub launch_task_ms: Ms,
    /// `?wait` is held so long; 0 answers at once.
    pub wait_ms: Ms,
    /// A scale or adapt request to a scheduler is tried for so long.
    pub scheduler_call_ms: Ms,
    /// Between two steps of an orphan scan.
    #[serde(alias = "sweep_step_ms")]
    pub orphan_scan_step_ms: Ms,
    /// Limits may be cached so long by requests.
    pub limits_cache_ms: Ms,
    /// A cluster's end by its lifetime is announced so long before.
    pub lifetime_warning_ms: Ms,
    /// How long a scheduler may take to retire workers after a limit was lowered, before the newest are stopped.
    pub retire_ms: Ms,
    /// A budget is announced as nearly spent at this share of it, in percent.
    pub budget_warning_percent: u32,
    /// What runs is stopped when so much more than the budget is spent, in percent of it.
    pub budget_margin_percent: u32,
    /// The least time that a task is billed for.
    pub billing_minimum_ms: Ms,
    /// What tasks cost.
    pub prices: Prices,
    /// The longest that an enforcement run asks schedulers, before it leaves the rest to the next one.
    #[serde(alias = "pass_ms")]
    pub enforcement_ms: Ms,
    /// All on, save in tests that show what each is for.
    #[cfg(feature = "safety-switches")]
    #[serde(skip)]
    pub switches: super::SafetySwitches,
}

impl Default for Policy {
    /// For one machine, where starts take seconds.
    fn default() -> Self {
        Policy {
            cluster_start_timeout_ms: 60_000,
            worker_start_timeout_ms: 60_000,
            heartbeat_period_ms: 15_000,
            heartbeat_timeout_ms: 60_000,
            health_questions: 3,
            scheduler_busy_timeout_ms: 1_800_000,
            worker_start_failure_limit: 3,
            scheduler_start_failure_limit: 3,
            max_lifetime_ms: None,
            unclaimed_timeout_ms: 3_600_000,
            stop_retry_ms: 30_000,
            check_ms: 5_000,
            launch_retry_ms: 2_000,
            launch_call_ms: 5_000,
            launch_list_ms: 2_000,
            start_backoff_ms: 1_000,
            spot_retry_ms: 600_000,
            room_retry_ms: 10_000,
            permissions_ms: 0,
            launch_window_ms: 20_000,
            max_call_ms: 5_000,
            visibility_ms: 1_000,
            grace_period_ms: 30_000,
            mass_silence_percent: 20,
            mass_silence_least: 10,
            mass_silence_ms: 600_000,
            keep_records_ms: 86_400_000,
            keep_records: 1_000,
            create_burst: 100,
            create_interval_ms: 2_000,
            tasks_per_launch: 10,
            launch_burst: 0,
            launch_task_ms: 0,
            wait_ms: 20_000,
            scheduler_call_ms: 10_000,
            orphan_scan_step_ms: 0,
            limits_cache_ms: 60_000,
            lifetime_warning_ms: 600_000,
            retire_ms: 30_000,
            budget_warning_percent: 80,
            budget_margin_percent: 10,
            billing_minimum_ms: 0,
            prices: Prices::default(),
            enforcement_ms: 30_000,
            #[cfg(feature = "safety-switches")]
            switches: super::SafetySwitches::default(),
        }
    }
}

impl Policy {
    /// For Fargate, where a start takes minutes, a function lives for a minute at most, and ECS answers are eventually consistent (up
    /// to five minutes: "Best practices for handling throttling and eventual consistency", Amazon ECS API reference).
    pub fn fargate() -> Self {
        Policy {
            cluster_start_timeout_ms: 600_000,
            worker_start_timeout_ms: 600_000,
            check_ms: 15_000,
            launch_retry_ms: 5_000,
            launch_call_ms: 30_000,
            launch_list_ms: 30_000,
            start_backoff_ms: 5_000,
            permissions_ms: 120_000,
            launch_window_ms: 300_000,
            max_call_ms: 60_000,
            visibility_ms: 300_000,
            grace_period_ms: 300_000,
            room_retry_ms: 30_000,
            keep_records_ms: 7 * 86_400_000,
            // 100 tasks at once, then 20 a second ("AWS Fargate throttling quotas", Amazon ECS developer guide); ten are kept for calls
            // that reach ECS sooner after each other than they were decided on
            launch_burst: 90,
            launch_task_ms: 50,
            wait_ms: 0,
            orphan_scan_step_ms: 1_000,
            retire_ms: 120_000,
            // "AWS Fargate pricing": a minimum of one minute
            billing_minimum_ms: 60_000,
            ..Policy::default()
        }
    }
}
