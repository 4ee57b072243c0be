//! What users are warned of: one warning of each code, in the record once their clients were told.

use super::{Checked, budgets::Warned};
use faregate_core::model::{Cluster, Policy, Reason, ReasonCode, Shrink};
use faregate_core::reconcile::enforce::utc;

/// The codes that warnings have.
const CODES: [ReasonCode; 6] = [
    ReasonCode::MaxLifetime,
    ReasonCode::Budget,
    ReasonCode::LimitLowered,
    ReasonCode::SpotUnavailable,
    ReasonCode::DiskLimit,
    ReasonCode::SchedulerRetires,
];

/// What its users are to know at the moment.
pub(super) fn standing(checked: &Checked, policy: &Policy) -> Vec<Reason> {
    if !checked.stays() {
        return Vec::new();
    }
    let budget = match &checked.budget {
        Warned::Nothing => None,
        Warned::Already => checked.cluster.warnings.iter().find(|w| w.code == ReasonCode::Budget).cloned(),
        Warned::Now(reason) => Some(reason.clone()),
    };
    let lowered = checked.shrink.as_ref().map(|shrink| lowered(shrink, policy));
    let on_demand = checked.on_demand.then(|| on_demand(policy));
    let retires = checked.cluster.scheduler_retires.as_deref().map(retires);
    [checked.verdict.lifetime_warning.clone(), budget, lowered, on_demand, checked.disk.clone(), retires]
        .into_iter()
        .flatten()
        .collect()
}

/// It says no time: while there is none, it is the same warning, and told once.
fn on_demand(policy: &Policy) -> Reason {
    let minutes = policy.spot_retry_ms.div_euclid(60_000);
    let message = format!(
        "Spot has no capacity: for {minutes} minutes, until it is tried again, new workers start on demand, which costs about three times as much"
    );
    Reason::new(ReasonCode::SpotUnavailable, message)
}

fn retires(at: &str) -> Reason {
    let message = format!(
        "AWS renews what this cluster's scheduler runs on ({at}): the cluster ends then, with all results that are in its memory; save them, and \
         make a new cluster before"
    );
    Reason::new(ReasonCode::SchedulerRetires, message)
}

/// Of that, what they were not told yet.
pub(super) fn untold(checked: &Checked, policy: &Policy) -> Vec<Reason> {
    let mut warnings = standing(checked, policy);
    warnings.retain(|warning| !checked.cluster.warnings.contains(warning));
    warnings
}

/// Does it have warnings of what is no longer so?
pub(super) fn any_stale(checked: &Checked, policy: &Policy) -> bool {
    let told = &checked.cluster.warnings;
    if told.is_empty() || !checked.stays() {
        return false;
    }
    let standing = standing(checked, policy);
    told.iter().any(|warning| !standing.iter().any(|s| s.code == warning.code))
}

/// Takes away what no longer stands.
pub(super) fn retain(cluster: &mut Cluster, standing: &[Reason]) {
    cluster.warnings.retain(|w| !CODES.contains(&w.code) || standing.iter().any(|s| s.code == w.code));
}

/// Writes down what its clients were told.
pub(super) fn told(cluster: &mut Cluster, warning: &Reason) {
    if !cluster.warnings.contains(warning) {
        cluster.warnings.retain(|w| w.code != warning.code);
        cluster.warnings.push(warning.clone());
    }
}

fn lowered(shrink: &Shrink, policy: &Policy) -> Reason {
    let stop_at = utc(shrink.since.saturating_add(policy.retire_ms));
    let then = match shrink.end {
        true => format!("it is stopped at {stop_at}"),
        false => format!("the others are retired, and those that are left at {stop_at} are stopped"),
    };
    let message = format!("{}; {then}", shrink.reason.message);
    Reason { code: ReasonCode::LimitLowered, message, numbers: shrink.reason.numbers.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_limit_is_said_with_what_follows() {
        let reason = Reason::new(
            ReasonCode::LimitLowered,
            "the limit `workers` = 4 of user:alice leaves 4 of this cluster's 10 workers",
        );
        let shrink = |end| Shrink { keep: 4, end, since: 1_795_273_200_000, reason: reason.clone() };
        insta::assert_snapshot!(lowered(&shrink(false), &Policy::default()).message, @"the limit `workers` = 4 of user:alice leaves 4 of this cluster's 10 workers; the others are retired, and those that are left at 2026-11-21 15:00:30 UTC are stopped");
        insta::assert_snapshot!(lowered(&shrink(true), &Policy::default()).message, @"the limit `workers` = 4 of user:alice leaves 4 of this cluster's 10 workers; it is stopped at 2026-11-21 15:00:30 UTC");
    }
}
