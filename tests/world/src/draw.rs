//! Who there is, and who gets how much: the part of a world's beginning that admins decide.

use super::dice::Dice;
use super::setup::S;
use faregate_core::model::{ClusterConfig, Identity, Limits, Prices, Rates, Role, Scope};

/// All groups there are.
pub const GROUPS: [&str; 3] = ["g", "h", "k"];
const USERS: [&str; 4] = ["ann", "ben", "cem", "dov"];

/// Users, each in up to three groups.
pub fn users(d: &mut Dice, count: usize, grouped: bool) -> Vec<Identity> {
    let user = |name: &&str| Identity {
        name: (*name).into(),
        groups: if grouped { groups(d) } else { Vec::new() },
        role: Role::User,
        method: "basic".into(),
        token: None,
    };
    USERS[..count].iter().map(user).collect()
}

/// Some of the groups, most often one or two.
pub fn groups(d: &mut Dice) -> Vec<String> {
    GROUPS.iter().filter(|_| d.percent(55)).map(|group| (*group).to_owned()).collect()
}

/// How much of everything there is in a world.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Clusters of one user.
    pub clusters: i64,
    /// Workers of one user.
    pub workers: i64,
    /// Cores of a worker.
    pub cores: f64,
    /// Memory of a worker.
    pub memory: u64,
}

/// The limits of the beginning.
pub fn limits(d: &mut Dice, measure: Measure, grouped: bool, priced: bool) -> Vec<(Scope, Limits)> {
    let Measure { clusters, workers, .. } = measure;
    let mut default = Limits { clusters: Some(clusters.max(3)), workers: Some(workers), ..Limits::default() };
    if d.percent(25) {
        default.cores = Some(measure.cores * d.between(3, workers + 3) as f64);
        default.memory = Some(measure.memory * d.between(3, workers + 3) as u64);
    }
    if d.percent(20) {
        default.cluster_workers = Some(d.between(1, workers + 1));
    }
    if d.percent(12) {
        default.cluster_cores = Some(measure.cores * d.between(1, workers) as f64);
    }
    if d.percent(15) {
        default.max_lifetime = Some(d.between(600, 2_500) as f64);
    }
    if d.percent(15) {
        default.idle_timeout = Some(d.between(150, 500) as f64);
    }
    if priced && d.percent(40) {
        default.budget = Some(budget(d, workers));
    }
    let mut limits = vec![(Scope::Default, default)];
    if grouped {
        for group in GROUPS {
            if d.percent(60) {
                let mut total = Limits { total_workers: Some(workers + d.below(5)), ..Limits::default() };
                if d.percent(25) {
                    total.total_clusters = Some(d.between(2, clusters + 4));
                    total.total_cores = Some(measure.cores * d.between(3, workers + 5) as f64);
                }
                if d.percent(25) {
                    total.total_memory = Some(measure.memory * d.between(3, workers + 5) as u64);
                }
                if d.percent(30) {
                    total.workers = Some(d.between(2, workers + 4));
                }
                limits.push((Scope::Group(group.into()), total));
            }
        }
    }
    for user in USERS {
        if d.percent(15) {
            let own = Limits { workers: Some(d.between(2, workers + 3)), ..Limits::default() };
            limits.push((Scope::User(user.into()), own));
        }
    }
    limits
}

/// What a few workers cost within a world's time, more or less.
pub fn budget(d: &mut Dice, workers: i64) -> f64 {
    d.between(5, 60) as f64 / 1000.0 * workers as f64
}

/// As on AWS, about: see <https://aws.amazon.com/fargate/pricing/>.
pub fn prices() -> Prices {
    let rates = Rates { vcpu_hour: 0.04048, gib_hour: 0.004445, spot_vcpu_hour: 0.012, spot_gib_hour: 0.0013 };
    Prices { default: rates, ..Prices::default() }
}

/// What clusters are made of.
pub fn base(d: &mut Dice, workers: i64) -> ClusterConfig {
    let timeout = |d: &mut Dice, percent: u32, from: i64, to: i64| {
        if d.percent(percent) { d.between(from, to) as f64 } else { 0.0 }
    };
    ClusterConfig {
        cluster_max_workers: d.percent(50).then(|| d.between(2, workers + 1) as u32),
        idle_timeout: if d.percent(25) { 240.0 } else { 0.0 },
        no_client_timeout: timeout(d, 15, 120, 400),
        lifetime: timeout(d, 15, 400, 2_000),
        worker_cores: d.pick(&[0.25, 1.0, 1.0, 2.0]),
        worker_memory: d.pick(&[1, 2, 4]) << 30,
        fargate_spot: d.percent(20),
        ..ClusterConfig::default()
    }
}

/// Shortly before a month's end now and then, else in the middle of one.
pub fn epoch(d: &mut Dice) -> i64 {
    use faregate_core::model::Month;
    const MIDDLE: i64 = 1_700_000_000 * S;
    match d.percent(25) {
        true => Month::of(MIDDLE).end() - d.between(60 * S, 3_000 * S),
        false => MIDDLE,
    }
}
