//! What a seed decides before its world begins: who there is, what may go wrong, and how often.

use super::dice::Dice;
use super::draw::{self, Measure};
use faregate_core::model::{ClusterConfig, Identity, Limits, Ms, Policy, SafetySwitches, Scope, TaskRole};

/// A second.
pub const S: Ms = 1_000;
/// Faults end here …
pub const FAULT_END: Ms = 1_500 * S;
/// … and here the world is judged.
pub const END: Ms = 4_500 * S;

/// How often things go wrong, per thousand calls, while faults last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The caller dies, before the call or after it.
    pub crash: u32,
    /// The caller dies, and its call lands up to a minute later.
    pub lands_late: u32,
    /// The call fails; half of the writes happened nevertheless.
    pub fails: u32,
    /// A transaction meets another.
    pub contention: u32,
    /// The caller, or the answer, takes up to its whole life.
    pub slow: u32,
    /// The caller dies when it is about to send a wake.
    pub mute: u32,
    /// A wake is lost.
    pub wake_lost: u32,
    /// A wake comes up to a minute late, or twice.
    pub wake_odd: u32,
    /// An event is dropped.
    pub event_lost: u32,
    /// An event comes up to two minutes late, or twice.
    pub event_odd: u32,
    /// A launch is throttled, or falls short.
    pub launch: u32,
    /// A launch's reply is lost.
    pub reply_lost: u32,
    /// A description is stale.
    pub stale: u32,
    /// What is first said of a task's end is not quite true.
    pub end_corrected: u32,
}

impl Faults {
    /// Nothing is lost but by crashes, and those are rare enough that what is tried again comes through in time.
    fn mild(self) -> Self {
        let most = |fault: u32| fault.min(12);
        Faults {
            crash: self.crash.clamp(5, 12),
            lands_late: most(self.lands_late),
            fails: most(self.fails),
            slow: most(self.slow),
            mute: 150,
            wake_lost: 0,
            ..self
        }
    }
}

/// What a seed decides at the start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The seed.
    pub seed: u64,
    /// Virtual time starts here.
    pub epoch: Ms,
    /// The users.
    pub users: Vec<Identity>,
    /// The limits.
    pub limits: Vec<(Scope, Limits)>,
    /// What clusters are made of.
    pub base: ClusterConfig,
    /// The gateway's policy: one machine's, or as on AWS.
    pub policy: Policy,
    /// How often things go wrong.
    pub faults: Faults,
    /// Between heartbeats.
    pub heartbeat_ms: Ms,
    /// Clusters created at the start, by each user.
    pub clusters: i64,
    /// The most workers a user asks for.
    pub most: i64,
    /// The largest item of the store, in bytes.
    pub item_limit: usize,
    /// Tasks share one address, and are told apart by ports (as on one machine).
    pub shared_address: bool,
    /// Tasks on a page of the launcher's list.
    pub page: usize,
    /// The launcher forgets a stopped task, and its launch's token, after so long.
    pub remembers_ms: Ms,
    /// Tasks killed while faults last.
    pub kills: i64,
    /// Schedulers that hang.
    pub hangs: i64,
    /// Schedulers that are busy for minutes, and answer nobody meanwhile.
    pub busy: i64,
    /// Worker processes restarted by their nannies.
    pub restarts: i64,
    /// Percent of workers that end before they connect.
    pub broken_workers: u32,
    /// Tasks, in a thousand, that the platform fails to start.
    pub start_failures: u32,
    /// The image of these tasks is not there.
    pub broken_image: Option<TaskRole>,
    /// Nothing happens but that each user has one cluster, which grows to so many workers.
    pub grows_to: Option<u32>,
    /// Retirements take up to so long.
    pub retire_ms: Ms,
    /// When nothing of ours runs: from, to.
    pub outage: Option<(Ms, Ms)>,
    /// The front door refuses heartbeats meanwhile, everything else works: from, to.
    pub front_door_shut: Option<(Ms, Ms)>,
    /// No scheduler reaches us meanwhile, nor we them: from, to.
    pub cut_off: Option<(Ms, Ms)>,
    /// No pass comes meanwhile: what must be prompt depends on wakes alone. From, to.
    pub no_passes: Option<(Ms, Ms)>,
    /// The clock of our hosts and of the launcher is ahead by so much (or behind, below zero) until it is set: when, by how much.
    pub clock: Option<(Ms, Ms)>,
    /// Between recounts of a user's counters.
    pub recount_ms: Ms,
    /// Processes that crash as a whole, with everything under way in them.
    pub process_crashes: i64,
    /// Edits of limits while faults last.
    pub edits: i64,
    /// And one afterwards, which lowers a limit: when.
    pub late_edit: Option<Ms>,
    /// In the end every cluster is stopped.
    pub all_stopped: bool,
    /// An image is pulled for so long at most; none = there is no image.
    pub pull_ms: Option<Ms>,
}

impl Setup {
    /// What `seed` decides. Longer than a function should be: a list of draws, whose order a seed stands for.
    pub fn new(seed: u64, switches: SafetySwitches) -> Self {
        let mut d = Dice::new(seed);
        let fleet = d.percent(8);
        let crowd = !fleet && d.percent(4);
        let count = if fleet || crowd { 1 } else { d.pick(&[1, 1, 2, 2, 3, 4]) };
        let grouped = d.percent(50);
        let users = draw::users(&mut d, count, grouped);
        let clusters = if crowd { 12 } else { d.between(1, if count > 1 { 3 } else { 4 }) };
        let workers = if fleet { d.between(14, 30) } else { d.between(4, 8) };
        let base = draw::base(&mut d, workers);
        let measure = Measure { clusters, workers, cores: base.worker_cores, memory: base.worker_memory };
        let priced = d.percent(60);
        let limits = draw::limits(&mut d, measure, grouped, priced);
        let wild = |d: &mut Dice, most: Ms| if d.percent(20) { 0 } else { d.below(most) as u32 };
        let faults = Faults {
            crash: wild(&mut d, 30),
            lands_late: wild(&mut d, 25),
            fails: wild(&mut d, 30),
            contention: wild(&mut d, 60),
            slow: wild(&mut d, 25),
            mute: 0,
            wake_lost: wild(&mut d, 120),
            wake_odd: wild(&mut d, 150),
            event_lost: wild(&mut d, 250),
            event_odd: wild(&mut d, 250),
            launch: wild(&mut d, 200),
            reply_lost: wild(&mut d, 120),
            stale: wild(&mut d, 250),
            end_corrected: wild(&mut d, 300),
        };
        let window = |d: &mut Dice, percent: u32, longest: Ms| {
            d.percent(percent).then(|| {
                let from = d.between(100 * S, FAULT_END - longest);
                (from, from + d.between(longest / 4, longest))
            })
        };
        let outage = window(&mut d, 12, 400 * S);
        let front_door_shut = window(&mut d, 8, 300 * S);
        let cut_off = if crowd { window(&mut d, 60, 540 * S) } else { None };
        let no_passes = window(&mut d, if outage.is_none() { 15 } else { 0 }, 1_200 * S);
        let faults = if no_passes.is_some() { faults.mild() } else { faults };
        let calm = outage.is_none() && no_passes.is_none() && cut_off.is_none() && !priced;
        let clock = (calm && d.percent(30)).then(|| {
            let ahead = d.pick(&[20 * S, 600 * S, 3_600 * S, 86_400 * S, -20 * S, -600 * S, -3_600 * S]);
            (d.between(100 * S, FAULT_END - 100 * S), ahead)
        });
        let mut setup = Setup {
            seed,
            epoch: draw::epoch(&mut d),
            users,
            limits,
            base,
            policy: policy(switches, priced, &mut d),
            faults,
            heartbeat_ms: d.between(10 * S, 15 * S),
            clusters,
            most: workers + 1,
            item_limit: if d.percent(30) { d.between(80, 400) as usize } else { 400_000 },
            shared_address: d.percent(30),
            page: 10,
            remembers_ms: d.pick(&[700 * S, 3_600 * S]),
            kills: d.below(5),
            hangs: i64::from(d.percent(15)),
            busy: d.below(3),
            restarts: d.below(4),
            broken_workers: if d.percent(15) { d.between(5, 40) as u32 } else { 0 },
            retire_ms: d.pick(&[5 * S, 20 * S, 200 * S]),
            outage,
            front_door_shut,
            cut_off,
            no_passes,
            clock,
            recount_ms: d.pick(&[10 * S, 300 * S, 300 * S, 300 * S]),
            process_crashes: d.below(3),
            edits: if d.percent(60) { d.between(1, 8) } else { 0 },
            late_edit: d.percent(30).then(|| FAULT_END + d.between(60 * S, 900 * S)),
            all_stopped: d.percent(40),
            pull_ms: d.percent(70).then(|| d.between(S, 40 * S)),
            start_failures: 0,
            broken_image: None,
            grows_to: None,
        };
        // over well before a world is judged, at rest
        setup.policy.unclaimed_timeout_ms = if d.percent(25) { d.between(200 * S, 1_500 * S) } else { 0 };
        setup.start_failures = if d.percent(25) { d.pick(&[20, 50, 300]) } else { 0 };
        setup
    }

    /// A cluster that grows to 500 workers under the policy of Fargate, while two starts in a hundred fail by nobody's fault, as many workers
    /// end before they connect, and events are lost, late and doubled.
    pub fn growth(seed: u64, switches: SafetySwitches, broken_image: Option<TaskRole>) -> Self {
        let faults = Faults { event_lost: 50, event_odd: 150, wake_odd: 50, stale: 50, ..Faults::default() };
        Setup {
            users: draw::users(&mut Dice::new(seed), 1, false),
            limits: Vec::new(),
            base: ClusterConfig { worker_cores: 1.0, worker_memory: 2 << 30, ..ClusterConfig::default() },
            policy: Policy { switches, unclaimed_timeout_ms: 0, ..Policy::fargate() },
            faults,
            item_limit: 400_000,
            shared_address: false,
            page: 100, // as ECS's are
            outage: None,
            front_door_shut: None,
            cut_off: None,
            no_passes: None,
            clock: None,
            process_crashes: 0,
            all_stopped: false,
            broken_workers: 2,
            start_failures: 20,
            broken_image,
            grows_to: Some(500),
            ..Setup::new(seed, switches)
        }
    }
}

/// That of one machine, now and then; else as on AWS, where calls land late and nothing is seen at once.
fn policy(switches: SafetySwitches, priced: bool, d: &mut Dice) -> Policy {
    // longer than any event can be late
    let keep_records_ms = d.pick(&[2_000 * S, 86_400 * S]);
    let one_machine = Policy {
        keep_records_ms,
        wait_ms: 0,
        switches,
        prices: if priced { draw::prices() } else { Default::default() },
        max_lifetime_ms: d.percent(8).then(|| d.between(900 * S, 3_000 * S)),
        lifetime_warning_ms: 120 * S,
        // starts here are as slow as on AWS, or slower
        cluster_start_timeout_ms: 120 * S,
        scheduler_busy_timeout_ms: d.pick(&[600 * S, 900 * S]),
        ..Policy::default()
    };
    if d.percent(25) {
        return one_machine;
    }
    Policy {
        cluster_start_timeout_ms: 240 * S,
        worker_start_timeout_ms: 180 * S,
        heartbeat_period_ms: 15 * S,
        heartbeat_timeout_ms: 60 * S,
        stop_retry_ms: 30 * S,
        check_ms: 15 * S,
        launch_retry_ms: 5 * S,
        launch_call_ms: 25 * S,
        launch_list_ms: 20 * S,
        start_backoff_ms: 5 * S,
        room_retry_ms: 30 * S,
        launch_window_ms: d.pick(&[30 * S, 150 * S]),
        max_call_ms: 60 * S,
        visibility_ms: 90 * S,
        grace_period_ms: 300 * S,
        billing_minimum_ms: 60 * S,
        retire_ms: 90 * S,
        launch_burst: 5,
        launch_task_ms: d.pick(&[0, S, 5 * S]),
        ..one_machine
    }
}
