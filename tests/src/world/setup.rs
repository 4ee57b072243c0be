//! What a seed decides before its world begins: who there is, what may go wrong, and how often.

use super::dice::Dice;
use faregate::model::{ClusterConfig, Identity, Limits, Ms, Policy, Role, Rules, Scope};

/// A second.
pub const S: Ms = 1_000;
/// Faults end here …
pub const FAULT_END: Ms = 1_500 * S;
/// … and here the world is judged.
pub const END: Ms = 4_500 * S;
/// Virtual time starts here: a day in the future of nothing.
pub const EPOCH: Ms = 1_700_000_000 * S;

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
    /// The users.
    pub users: Vec<Identity>,
    /// The limits.
    pub limits: Vec<(Scope, Limits)>,
    /// What clusters are made of.
    pub base: ClusterConfig,
    /// The gateway's policy, AWS-like.
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
    /// The launcher forgets a stopped task, and its launch's token, after so long.
    pub remembers_ms: Ms,
    /// Tasks killed while faults last.
    pub kills: i64,
    /// Schedulers that hang.
    pub hangs: i64,
    /// Worker processes restarted by their nannies.
    pub restarts: i64,
    /// Percent of workers that end before they connect.
    pub broken_workers: u32,
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
    /// Between recounts of a user's counters.
    pub recount_ms: Ms,
    /// Processes that crash as a whole, with everything under way in them.
    pub process_crashes: i64,
}

impl Setup {
    /// What `seed` decides.
    pub fn new(seed: u64, rules: Rules) -> Self {
        let mut d = Dice::new(seed);
        let fleet = d.percent(8);
        let crowd = !fleet && d.percent(4);
        let two_users = !fleet && d.percent(35);
        let grouped = d.percent(40);
        let groups = if grouped { vec!["g".to_owned()] } else { Vec::new() };
        let user = |name: &str| Identity {
            name: name.into(),
            groups: groups.clone(),
            role: Role::User,
            method: "basic".into(),
        };
        let users = if two_users { vec![user("ann"), user("ben")] } else { vec![user("ann")] };
        let clusters = if crowd { 12 } else { d.between(1, if two_users { 3 } else { 4 }) };
        let workers = if fleet { d.between(14, 30) } else { d.between(4, 8) };
        let mut limits = vec![(
            Scope::Default,
            Limits { clusters: Some(clusters.max(3)), workers: Some(workers), ..Limits::default() },
        )];
        if grouped && d.percent(70) {
            let total = Limits { total_workers: Some(workers + d.below(4)), ..Limits::default() };
            limits.push((Scope::Group("g".into()), total));
        }
        let base = ClusterConfig {
            cluster_max_workers: d.percent(50).then(|| d.between(2, workers + 1) as u32),
            idle_timeout: if d.percent(30) { 240.0 } else { 0.0 },
            ..ClusterConfig::default()
        };
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
        Setup {
            seed,
            users,
            limits,
            base,
            policy: policy(rules, &mut d),
            faults,
            heartbeat_ms: d.between(10 * S, 15 * S),
            clusters,
            most: workers + 1,
            item_limit: if d.percent(30) { d.between(80, 400) as usize } else { 400_000 },
            shared_address: d.percent(30),
            remembers_ms: d.pick(&[700 * S, 3_600 * S]),
            kills: d.below(5),
            hangs: i64::from(d.percent(15)),
            restarts: d.below(4),
            broken_workers: if d.percent(15) { d.between(5, 40) as u32 } else { 0 },
            retire_ms: d.pick(&[5 * S, 20 * S, 200 * S]),
            outage,
            front_door_shut,
            cut_off,
            no_passes,
            recount_ms: d.pick(&[10 * S, 300 * S, 300 * S, 300 * S]),
            process_crashes: d.below(3),
        }
    }
}

fn policy(rules: Rules, d: &mut Dice) -> Policy {
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
        caller_life_ms: 60 * S,
        visibility_ms: 90 * S,
        young_ms: 300 * S,
        keep_records_ms: d.pick(&[1_200 * S, 86_400 * S]),
        wait_ms: 0,
        rules,
        ..Policy::default()
    }
}
