//! Clusters that nobody came for: whoever created one has lost it, and it costs until it is found.

use super::seconds;
use crate::model::clock::{is_younger, past};
use crate::model::{Cluster, Ms, Policy, Reason, ReasonCode};

/// That its owner asks for a cluster is written down at most so often.
const NOTED_EVERY_MS: Ms = 60_000;

/// A cluster whose owner has not asked for it for too long: it ends if no client ever connected to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unclaimed {
    /// Since when that was long enough.
    pub since: Ms,
    /// Why it ends then.
    pub reason: Reason,
}

/// Its owner asks for a cluster: is that to be written down?
pub fn is_news(cluster: &Cluster, now: Ms, policy: &Policy) -> bool {
    policy.unclaimed_timeout_ms > 0
        && cluster.wants_to_run()
        && !cluster.claimed
        && !is_younger(asked_at(cluster), NOTED_EVERY_MS, now)
}

/// Is it too long since its owner asked? Nobody could while our own service was away, until `since`.
pub(super) fn over(cluster: &Cluster, since: Ms, now: Ms, policy: &Policy) -> Option<Unclaimed> {
    let timeout = policy.unclaimed_timeout_ms;
    if timeout == 0 || cluster.claimed {
        return None;
    }
    // what came soon after what is noted was not written down
    let asked_at = past(asked_at(cluster).max(since), now);
    let over_at = asked_at.saturating_add(NOTED_EVERY_MS).saturating_add(timeout);
    (now >= over_at).then(|| {
        let (alone, most) = ((now - asked_at) / 1000, seconds(timeout));
        let message = format!(
            "no client ever connected to it, and nobody listed it, asked about it or scaled it for {alone} s; such a cluster is stopped after \
             {most} s (`unclaimed_timeout`)"
        );
        Unclaimed {
            since: over_at,
            reason: Reason::new(ReasonCode::Unclaimed, message).with("unclaimed_ms", now - asked_at),
        }
    })
}

fn asked_at(cluster: &Cluster) -> Ms {
    cluster.asked_at.unwrap_or(cluster.created_at)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::super::tests::cluster;
    use super::*;
    use crate::limits::Effective;
    use crate::model::Status;
    use crate::ports::{Answer, Idleness, SchedulerError};

    const MINUTE: Ms = 60_000;

    /// Is a question, or the end, due at this minute of its life?
    fn due(cluster: &Cluster, since: Ms, minute: Ms, policy: &Policy) -> bool {
        over(cluster, since, cluster.created_at + minute * MINUTE, policy).is_some()
    }

    #[test]
    fn a_cluster_is_unclaimed_an_hour_after_its_owner_last_asked_for_it() {
        let (mut cluster, policy) = (cluster(), Policy::default());
        assert!(!due(&cluster, 0, 60, &policy), "what came within the first minute was not noted");
        assert!(due(&cluster, 0, 61, &policy));
        let back = cluster.created_at + 30 * MINUTE;
        assert_eq!([90, 91].map(|minute| due(&cluster, back, minute, &policy)), [false, true], "since we were back");
        cluster.asked_at = Some(cluster.created_at + 50 * MINUTE);
        assert_eq!([110, 111].map(|minute| due(&cluster, 0, minute, &policy)), [false, true]);
        assert!(!due(&cluster, 0, 1_000, &Policy { unclaimed_timeout_ms: 0, ..policy.clone() }), "never");
        cluster.claimed = true;
        assert!(!due(&cluster, 0, 1_000, &policy));
    }

    #[test]
    fn that_it_was_asked_for_is_written_once_a_minute_and_while_it_can_matter() {
        let (mut cluster, policy) = (cluster(), Policy::default());
        let start = cluster.created_at;
        let news = |cluster: &Cluster, ms, policy: &Policy| is_news(cluster, start + ms, policy);
        assert_eq!([MINUTE - 1, MINUTE].map(|ms| news(&cluster, ms, &policy)), [false, true]);
        assert!(news(&cluster, -2 * MINUTE, &policy), "noted by a clock that was ahead");
        cluster.asked_at = Some(start + MINUTE);
        assert_eq!([2 * MINUTE - 1, 2 * MINUTE].map(|ms| news(&cluster, ms, &policy)), [false, true]);
        assert!(!news(&cluster, 9 * MINUTE, &Policy { unclaimed_timeout_ms: 0, ..policy.clone() }));
        assert!(!news(&Cluster { claimed: true, ..cluster.clone() }, 9 * MINUTE, &policy));
        cluster.end(Status::Stopped, Reason::new(ReasonCode::UserStopped, "asked"), start);
        assert!(!news(&cluster, 9 * MINUTE, &policy));
    }

    #[test]
    fn one_that_runs_ends_only_if_its_scheduler_says_that_no_client_ever_came() {
        let (cluster, policy, limits) = (cluster(), Policy::default(), Effective::default());
        let now = cluster.created_at + 61 * MINUTE;
        let verdict = check(&cluster, None, &limits, 0, now, &policy);
        assert_eq!(verdict.end, None);
        let timeouts = verdict.timeouts;
        assert_eq!(timeouts.due(cluster.created_at, None), Some(now));
        let answer = |unclaimed| Ok(Answer::Idle(Idleness { unclaimed, ..Idleness::default() }));
        let (target, reason) = timeouts.check(&cluster, &answer(true), &policy).unwrap();
        assert_eq!((target, reason.code), (Status::Stopped, ReasonCode::Unclaimed));
        insta::assert_snapshot!(reason.message, @"no client ever connected to it, and nobody listed it, asked about it or scaled it for 3660 s; such a cluster is stopped after 3600 s (`unclaimed_timeout`)");
        assert_eq!(timeouts.check(&cluster, &answer(false), &policy), None);
        let hangs = Err(SchedulerError::Unanswered(String::new()));
        assert_eq!(timeouts.check(&cluster, &hangs, &policy), None);
    }

    #[test]
    fn one_without_a_scheduler_ends_at_once() {
        let (cluster, policy, limits) = (cluster(), Policy::default(), Effective::default());
        let pending = Cluster { status: Status::Pending, running_at: None, ..cluster };
        let end = |minutes: Ms| {
            let now = pending.created_at + minutes * MINUTE;
            check(&pending, None, &limits, 0, now, &policy).end.map(|(target, reason)| (target, reason.code))
        };
        assert_eq!([end(60), end(61)], [None, Some((Status::Stopped, ReasonCode::Unclaimed))]);
    }
}
