//! What a seed decides before its world begins.

use crate::wire;
use fake_ecs::{EventFaults, StartFailures};
use faregate_core::model::{ClusterConfig, Identity, Limits, Ms, Policy, Role, SafetySwitches, Scope};
use faregate_world::Dice;

/// Faults and random events last so long.
pub const FAULTS_MS: Ms = 9_000;
/// After that a world has so long to come to rest, on the slowest of machines.
pub const PATIENCE_MS: Ms = 180_000;
/// Nothing may be written for so long when it has.
pub const QUIET_MS: u64 = 2_000;
/// A call lands at most so late after its caller gave up.
const LATE_MS: u64 = 1_000;
/// ECS shows a task at most so late.
const VISIBLE_AFTER_MS: Ms = 800;
/// Between a scheduler's heartbeats.
pub const HEARTBEAT_MS: Ms = 300;

/// A seed's choices.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The seed.
    pub seed: u64,
    /// The safety rules that hold.
    pub switches: SafetySwitches,
    /// The users.
    pub users: Vec<Identity>,
    /// The limits.
    pub limits: Vec<(Scope, Limits)>,
    /// The limit that an admin lowers in mid-run.
    pub lowered: (Scope, Limits),
    /// What clusters are made of.
    pub base: ClusterConfig,
    /// What happens on the way to all but ECS.
    pub to_aws: wire::Faults,
    /// What happens on the way to ECS.
    pub to_ecs: wire::Faults,
    /// What happens to events.
    pub events: EventFaults,
    /// Which starts fail by nobody's fault.
    pub start_failures: StartFailures,
    /// ECS lists by who started tasks and by nothing else besides.
    pub strict_filters: bool,
    /// ECS shows tasks so late.
    pub visible_after_ms: u64,
    /// Percent of reconciles that are cut off, and within which time.
    pub cut_off: (u64, u64),
    /// Percent of workers that never connect.
    pub broken_workers: u32,
    /// The most workers that a scheduler wants.
    pub most: Ms,
}

impl Setup {
    /// What `seed` decides. Longer than a function should be: a list of draws, whose order a seed stands for.
    pub fn new(seed: u64, switches: SafetySwitches) -> Setup {
        let mut dice = Dice::new(seed);
        let grouped = dice.percent(60);
        let user = |name: &str, groups: &[&str]| Identity {
            name: name.into(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            role: Role::User,
            method: "basic".into(),
            token: None,
        };
        let in_group: &[&str] = if grouped { &["g"] } else { &[] };
        let users = vec![user("ann", in_group), user("ben", in_group), user("cyd", &[])];
        let workers = dice.between(4, 8);
        let each = Limits { clusters: Some(dice.between(2, 4)), workers: Some(workers), ..Limits::default() };
        let mut limits = vec![(Scope::Default, each.clone())];
        if grouped {
            let total = Limits { total_workers: Some(workers + dice.below(4)), ..Limits::default() };
            limits.push((Scope::Group("g".into()), total));
        }
        let lowered = Limits { workers: Some(dice.between(1, workers)), ..each };
        let mut some = |most: Ms| if dice.percent(15) { 0 } else { dice.below(most) as u64 + 1 };
        let to_aws = wire::Faults {
            seed: seed ^ 0xA35,
            conflicts: 30,
            lost_replies: some(4),
            late_calls: some(3),
            late_ms: LATE_MS,
            stale_reads: some(40),
            ..wire::Faults::default()
        };
        let to_ecs = wire::Faults {
            seed: seed ^ 0xEC5,
            lost_replies: some(6),
            late_calls: some(6),
            late_ms: LATE_MS,
            ..wire::Faults::default()
        };
        let events = EventFaults {
            drop: some(40) as f64 / 100.0,
            double: some(30) as f64 / 100.0,
            delay_up_to_ms: some(1_500),
            seed,
        };
        let (visible_after_ms, cut_off) = (some(VISIBLE_AFTER_MS), (some(25), 400));
        let base = ClusterConfig {
            cluster_max_workers: dice.percent(50).then(|| dice.between(2, 6) as u32),
            idle_timeout: if dice.percent(35) { 1.5 } else { 0.0 },
            fargate_spot: dice.percent(50),
            ..ClusterConfig::default()
        };
        let (broken_workers, most) = (dice.below(12) as u32, dice.between(3, 7));
        let start_failures = StartFailures { rate: dice.pick(&[0.02, 0.1, 0.3]), seed };
        let strict_filters = dice.percent(50);
        Setup {
            seed,
            switches,
            users,
            limits,
            lowered: (Scope::Default, lowered),
            base,
            to_aws,
            to_ecs,
            events,
            start_failures,
            strict_filters,
            visible_after_ms,
            cut_off,
            broken_workers,
            most,
        }
    }
}

/// Fargate's policy with its minutes made seconds. What must hold between its durations:
///
/// - `max_call_ms` > the latest call, with a margin for a busy machine;
/// - `visibility_ms` > the latest that ECS shows a task;
/// - `launch_window_ms` > a few of `launch_retry_ms` and `launch_call_ms`, or a refused launch is never called again;
/// - `grace_period_ms` > `visibility_ms` + `launch_call_ms`: no verdict on what a turn is still writing down;
/// - start timeouts > the time in which a healthy task starts and the slowest heartbeat gets through;
/// - `heartbeat_timeout_ms` > a scheduler's longest silence while it retires workers, or it is asked, which is no harm;
/// - `keep_records_ms` > a world, or the records are gone before they are judged.
pub fn policy() -> Policy {
    Policy {
        cluster_start_timeout_ms: 8_000,
        worker_start_timeout_ms: 5_000,
        heartbeat_period_ms: HEARTBEAT_MS,
        heartbeat_timeout_ms: 2_500,
        scheduler_busy_timeout_ms: 5_000,
        stop_retry_ms: 1_500,
        check_ms: 400,
        launch_retry_ms: 400,
        launch_call_ms: 800,
        launch_list_ms: 700,
        start_backoff_ms: 300,
        spot_retry_ms: 2_000,
        room_retry_ms: 1_000,
        launch_window_ms: 2_500,
        max_call_ms: 3_000,
        visibility_ms: 1_500,
        grace_period_ms: 5_000,
        keep_records_ms: 3_600_000,
        tasks_per_launch: 3,
        launch_burst: 6,
        launch_task_ms: 100,
        scheduler_call_ms: 1_500,
        orphan_scan_step_ms: 200,
        limits_cache_ms: 500,
        ..Policy::fargate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaled_policy_keeps_what_must_hold_between_its_durations() {
        let policy = policy();
        assert!(policy.max_call_ms >= 2 * LATE_MS as Ms);
        assert!(policy.visibility_ms > VISIBLE_AFTER_MS);
        assert!(policy.launch_window_ms > 2 * (policy.launch_call_ms + policy.launch_retry_ms));
        assert!(policy.grace_period_ms > policy.visibility_ms + policy.launch_call_ms);
        assert!(policy.keep_records_ms > FAULTS_MS + PATIENCE_MS);
    }
}
