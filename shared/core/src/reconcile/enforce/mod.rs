//! The checks of the enforcement run, pure like [`super::reconcile`]: what time, limits and money make of a cluster.

mod budget;
mod disk;
mod idle;
mod lifetime;
mod silence;
mod unclaimed;

pub use budget::{Spending, check_budget, is_warning_of};
pub use disk::{DiskUse, DiskVerdict, check_disk};
pub use idle::{Heard, Timeout, Timeouts};
pub use lifetime::{Bound, Deadline, Longest, deadline};

pub use silence::{Silence, Silent, check_silence, heard, waiting_for_scheduler};
pub use unclaimed::{Unclaimed, is_news};

use crate::limits::Effective;
use crate::model::clock::{is_ahead, past};
use crate::model::{Cluster, Heartbeat, Ms, Policy, Reason, ReasonCode, Status};
use time::OffsetDateTime;

/// What the run makes of one cluster before it asks anybody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Something of it is due: wake the reconciler.
    pub wake: bool,
    /// It is to end.
    pub end: Option<(Status, Reason)>,
    /// Its heartbeat is overdue by now for so long: ask for its health.
    pub silent_ms: Option<Ms>,
    /// What to ask it about when a question is due.
    pub timeouts: Timeouts,
    /// It ends soon for its age: what its users are to be told.
    pub lifetime_warning: Option<Reason>,
}

/// Checks a cluster of the active index. `since` is when our own service was (last) back: silence before it proves nothing.
pub fn check(
    cluster: &Cluster,
    heartbeat: Option<&Heartbeat>,
    limits: &Effective,
    since: Ms,
    now: Ms,
    policy: &Policy,
) -> Verdict {
    // one that is due later than anything can be was written by a clock that was ahead
    let due = |at: Option<Ms>| at.is_some_and(|at| at <= now || is_ahead(at, now + policy.longest_wait_ms()));
    let mut verdict =
        Verdict { wake: due(cluster.due_at) || due(heartbeat.and_then(|h| h.due_at)), ..Verdict::default() };
    if !cluster.wants_to_run() {
        return verdict;
    }
    let mut cluster = cluster.clone();
    cluster.clamp(now, policy);
    let cluster = &cluster;
    if let Some(frozen) = &limits.frozen {
        verdict.end = Some((Status::Stopped, Reason::new(ReasonCode::Frozen, frozen.value.clone())));
        return verdict;
    }
    if let Some(deadline) = deadline(cluster, limits, policy) {
        if let Some(reason) = lifetime::too_old(cluster, &deadline, now) {
            verdict.end = Some((Status::Stopped, reason));
            return verdict;
        }
        verdict.lifetime_warning = lifetime::warning(cluster, &deadline, limits, now, policy);
    }
    let unclaimed = unclaimed::over(cluster, since, now, policy);
    if cluster.status != Status::Running {
        // there was no scheduler that a client could have connected to
        verdict.end = unclaimed.map(|unclaimed| (Status::Stopped, unclaimed.reason));
        return verdict;
    }
    let seen = heartbeat.and_then(|h| h.seen_at).max(cluster.running_at).unwrap_or(0).max(since);
    let seen = past(seen, now);
    if now - seen > policy.heartbeat_timeout_ms {
        verdict.silent_ms = Some(now - seen);
    }
    verdict.timeouts = Timeouts { unclaimed, ..Timeouts::of(cluster, limits) };
    verdict
}

/// A moment as people read it: `2026-11-21 16:00:00 UTC`.
pub fn utc(at: Ms) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (at.date(), at.time());
    format!("{date} {:02}:{:02}:{:02} UTC", time.hour(), time.minute(), time.second())
}

/// A duration in seconds, as short as it can be written.
fn seconds(ms: Ms) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LimitValue;
    use crate::model::{ClusterName, Scope, Sealed, UserKey};

    /// One of alice's, RUNNING, created at 2026-11-21 15:00:00 UTC.
    pub fn cluster() -> Cluster {
        let now = 1_795_273_200_000;
        let name = ClusterName::mint(&UserKey::from_digest(&[7; 6]), now, 1);
        let key = Sealed { key_id: "k1".into(), data: String::new() };
        let cluster = Cluster::new(name, "alice", &["a".into()], String::new(), key, now);
        Cluster { status: Status::Running, running_at: Some(now), due_at: None, ..cluster }
    }

    #[test]
    fn a_frozen_user_reads_the_admins_sentence_whatever_else_is_the_matter() {
        let mut cluster = cluster();
        cluster.config.lifetime = 1.0;
        let frozen =
            LimitValue { value: "the bill is unpaid: ask Carol".to_owned(), from: Scope::User("alice".into()) };
        let limits = Effective { frozen: Some(frozen), ..Effective::default() };
        let verdict = check(&cluster, None, &limits, 0, cluster.created_at + 9_000, &Policy::default());
        let reason = Reason::new(ReasonCode::Frozen, "the bill is unpaid: ask Carol");
        assert_eq!(verdict, Verdict { end: Some((Status::Stopped, reason)), ..Verdict::default() });
        cluster.end(Status::Stopped, Reason::new(ReasonCode::UserStopped, "asked"), 0);
        assert_eq!(check(&cluster, None, &limits, 0, -1, &Policy::default()).end, None, "it is ending already");
    }

    #[test]
    fn a_cluster_is_silent_since_its_last_heartbeat_or_since_we_were_back() {
        let (cluster, policy) = (cluster(), Policy::default());
        let start = cluster.created_at;
        let mut heartbeat = Heartbeat::new(cluster.name.clone());
        heartbeat.seen_at = Some(start + 10_000);
        let silent =
            |since, now| check(&cluster, Some(&heartbeat), &Effective::default(), since, now, &policy).silent_ms;
        assert_eq!(silent(0, start + 70_000), None);
        assert_eq!(silent(0, start + 70_001), Some(60_001));
        assert_eq!(silent(start + 60_000, start + 120_001), Some(60_001));
        assert_eq!(check(&cluster, None, &Effective::default(), 0, start + 60_001, &policy).silent_ms, Some(60_001));
    }

    #[test]
    fn whoever_is_due_is_woken_and_who_is_due_later_than_anything_can_be() {
        let (mut cluster, policy) = (cluster(), Policy::default());
        let now = cluster.created_at + 5_000;
        let mut heartbeat = Heartbeat::new(cluster.name.clone());
        let mut woken = |of_cluster, of_heartbeat| {
            (cluster.due_at, heartbeat.due_at) = (of_cluster, of_heartbeat);
            check(&cluster, Some(&heartbeat), &Effective::default(), 0, now, &policy).wake
        };
        let far = now + 2 * policy.longest_wait_ms() + 600_000;
        let longest = Some(now + policy.longest_wait_ms());
        assert_eq!([woken(None, None), woken(Some(now + 1), Some(now + 1)), woken(longest, None)], [false; 3]);
        assert_eq!([woken(Some(now), None), woken(None, Some(now)), woken(Some(far), None)], [true; 3]);
    }

    #[test]
    fn a_moment_is_written_as_people_read_it() {
        assert_eq!(utc(1_795_273_261_999), "2026-11-21 15:01:01 UTC");
    }
}
