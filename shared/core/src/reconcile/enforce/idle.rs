//! Idle clusters, and those without clients: when to ask, and what the answer means.

use super::{Unclaimed, seconds};
use crate::limits::Effective;
use crate::model::{Cluster, Ms, Policy, Reason, ReasonCode, Scope, Status};
use crate::ports::{Answer, Idleness, SchedulerError};
use crate::safety_rule;

/// A timeout of a cluster, and whose it is; none = its own configuration's.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeout {
    /// How long.
    pub ms: Ms,
    /// The scope that sets it.
    pub from: Option<Scope>,
}

/// What a scheduler is asked about by the idle question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeouts {
    /// With nothing to do for so long it ends.
    pub idle: Option<Timeout>,
    /// Without a client for so long it ends.
    pub clientless: Option<Timeout>,
    /// If no client ever connected, it ends.
    pub unclaimed: Option<Unclaimed>,
}

/// An answer to the idle question, and when it was asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Just before the question.
    pub at: Ms,
    /// The answer.
    pub said: Idleness,
}

impl Timeouts {
    /// Those of a cluster: the shorter of its own idle timeout and the limit's.
    pub fn of(cluster: &Cluster, limits: &Effective) -> Self {
        let own = |seconds: f64| {
            let ms = (seconds * 1000.0) as Ms;
            (ms > 0).then_some(Timeout { ms, from: None })
        };
        let limit = limits.idle_timeout_ms.as_ref().filter(|l| l.value > 0);
        let limit = limit.map(|l| Timeout { ms: l.value, from: Some(l.from.clone()) });
        let idle = [own(cluster.config.idle_timeout), limit].into_iter().flatten().min_by_key(|t| t.ms);
        Timeouts { idle, clientless: own(cluster.config.no_client_timeout), unclaimed: None }
    }

    /// When the next question can matter: a cluster that was busy is not idle for long enough before a whole timeout has passed. None
    /// when there is nothing to ask.
    pub fn due(&self, running_at: Ms, heard: Option<&Heard>) -> Option<Ms> {
        let due = |timeout: &Option<Timeout>, since: fn(&Idleness) -> Option<Ms>| {
            let begun = heard.map_or(running_at, |h| h.at - since(&h.said).unwrap_or(0));
            timeout.as_ref().map(|t| begun.saturating_add(t.ms))
        };
        let unclaimed = self.unclaimed.as_ref().map(|unclaimed| unclaimed.since);
        [due(&self.idle, |said| said.idle_ms), due(&self.clientless, |said| said.clientless_ms), unclaimed]
            .into_iter()
            .flatten()
            .min()
    }

    /// Checks the answer: how the cluster is to end, and why. Idle is what distributed's scheduler says; no answer is never "idle".
    pub fn check(
        &self,
        cluster: &Cluster,
        answer: &Result<Answer, SchedulerError>,
        policy: &Policy,
    ) -> Option<(Status, Reason)> {
        let (reason, workers) = self.over(answer, policy)?;
        match &cluster.start_failure {
            // nobody could use it
            Some(failure) if reason.code == ReasonCode::IdleTimeout && workers == 0 && !cluster.worker_connected => {
                let message = format!("no worker started, and it was {}; {}", reason.message, failure.message);
                let reason = Reason { code: ReasonCode::WorkerStartFailed, message, numbers: reason.numbers };
                Some((Status::Failed, reason))
            }
            _ => Some((Status::Stopped, reason)),
        }
    }

    /// The timeout that is over, and how many workers there are.
    fn over(&self, answer: &Result<Answer, SchedulerError>, policy: &Policy) -> Option<(Reason, u32)> {
        let said = match answer {
            Ok(Answer::Idle(said)) => *said,
            Ok(Answer::Ok) | Err(_) if safety_rule!(policy, no_answer_is_not_idle) => return None,
            Ok(Answer::Ok | Answer::Workers(_)) | Err(_) => {
                Idleness { idle_ms: self.idle.as_ref().map(|t| t.ms), ..Idleness::default() }
            }
        };
        let over =
            |timeout: &Option<Timeout>, ms: Option<Ms>| Some((timeout.clone()?, ms?)).filter(|(t, ms)| *ms >= t.ms);
        let whose =
            |field: &str, from: Option<Scope>| from.map_or(String::new(), |from| format!(" (`{field}` of {from})"));
        if let Some((timeout, ms)) = over(&self.idle, said.idle_ms) {
            let (idle, most, whose) = (ms / 1000, seconds(timeout.ms), whose("idle_timeout", timeout.from));
            let message = format!("idle for {idle} s; its idle timeout is {most} s{whose}");
            return Some((Reason::new(ReasonCode::IdleTimeout, message).with("idle_ms", ms), said.workers));
        }
        if let Some(unclaimed) = self.unclaimed.as_ref().filter(|_| said.unclaimed) {
            return Some((unclaimed.reason.clone(), said.workers));
        }
        let (timeout, ms) = over(&self.clientless, said.clientless_ms)?;
        let (alone, most) = (ms / 1000, seconds(timeout.ms));
        let message = format!(
            "no client was connected for {alone} s; its timeout without clients is {most} s (`no_client_timeout`)"
        );
        Some((Reason::new(ReasonCode::NoClient, message).with("clientless_ms", ms), said.workers))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cluster;
    use super::*;
    use crate::limits::LimitValue;

    const S: Ms = 1000;

    fn timeouts(idle_s: Ms, clientless_s: Ms) -> Timeouts {
        let own = |s: Ms| (s > 0).then_some(Timeout { ms: s * S, from: None });
        Timeouts { idle: own(idle_s), clientless: own(clientless_s), unclaimed: None }
    }

    fn said(idle_ms: Option<Ms>, clientless_ms: Option<Ms>) -> Idleness {
        Idleness { idle_ms, clientless_ms, ..Idleness::default() }
    }

    #[test]
    fn a_limit_of_zero_is_never_and_leaves_the_clusters_own_timeout() {
        let mut cluster = cluster();
        cluster.config.idle_timeout = 5.0;
        let never = Some(LimitValue { value: 0, from: Scope::Default });
        let limits = Effective { idle_timeout_ms: never, ..Effective::default() };
        let idle = Timeouts::of(&cluster, &limits).idle.map(|timeout| timeout.ms);
        assert_eq!(idle, Some(5 * S));
    }

    #[test]
    fn nobody_is_asked_before_the_answer_can_matter() {
        let heard = |idle_ms, clientless_ms| Heard { at: 100 * S, said: said(idle_ms, clientless_ms) };
        assert_eq!(timeouts(0, 0).due(5 * S, None), None);
        assert_eq!(timeouts(60, 0).due(5 * S, None), Some(65 * S), "never asked: idle since it runs, perhaps");
        assert_eq!(timeouts(60, 0).due(5 * S, Some(&heard(None, None))), Some(160 * S), "busy then");
        assert_eq!(
            timeouts(60, 0).due(5 * S, Some(&heard(Some(40 * S), None))),
            Some(120 * S),
            "idle for a while then"
        );
        assert_eq!(timeouts(60, 30).due(5 * S, Some(&heard(None, Some(10 * S)))), Some(120 * S), "the earlier of both");
    }

    #[test]
    fn idle_is_what_the_scheduler_says_and_no_answer_is_never_idle() {
        let (cluster, policy) = (cluster(), Policy::default());
        let check = |timeouts: &Timeouts, said| {
            timeouts.check(&cluster, &Ok(Answer::Idle(said)), &policy).map(|(_, r)| (r.code, r.message))
        };
        assert_eq!(check(&timeouts(60, 0), said(None, Some(900 * S))), None);
        assert_eq!(check(&timeouts(60, 0), said(Some(60 * S - 1), None)), None);
        insta::assert_compact_debug_snapshot!(check(&timeouts(60, 0), said(Some(61 * S), None)).unwrap(), @r#"(IdleTimeout, "idle for 61 s; its idle timeout is 60 s")"#);
        insta::assert_compact_debug_snapshot!(check(&timeouts(60, 30), said(None, Some(31 * S))).unwrap(), @r#"(NoClient, "no client was connected for 31 s; its timeout without clients is 30 s (`no_client_timeout`)")"#);
        for error in [
            SchedulerError::Unanswered("".into()),
            SchedulerError::Nonsense("".into()),
            SchedulerError::Relay("".into()),
        ] {
            assert_eq!(timeouts(1, 1).check(&cluster, &Err(error), &policy), None);
        }
    }

    #[test]
    fn a_cluster_whose_workers_fail_to_start_does_not_end_for_idleness() {
        let (mut cluster, policy) = (cluster(), Policy::default());
        let idle =
            |workers| Ok(Answer::Idle(Idleness { idle_ms: Some(61 * S), clients: 1, workers, ..Idleness::default() }));
        let why = "1 of 3 tries to start a worker failed; the last: a worker ended before it connected: no such module";
        cluster.start_failure = Some(Reason::new(ReasonCode::WorkerStarting, why));
        let (target, reason) = timeouts(60, 0).check(&cluster, &idle(0), &policy).unwrap();
        assert_eq!((target, reason.code), (Status::Failed, ReasonCode::WorkerStartFailed));
        insta::assert_snapshot!(reason.message, @"no worker started, and it was idle for 61 s; its idle timeout is 60 s; 1 of 3 tries to start a worker failed; the last: a worker ended before it connected: no such module");
        let (target, reason) = timeouts(60, 0).check(&cluster, &idle(1), &policy).unwrap();
        assert_eq!((target, reason.code), (Status::Stopped, ReasonCode::IdleTimeout), "others did start");
        cluster.worker_connected = true;
        let (target, reason) = timeouts(60, 0).check(&cluster, &idle(0), &policy).unwrap();
        assert_eq!((target, reason.code), (Status::Stopped, ReasonCode::IdleTimeout), "others had started");
    }

    #[test]
    fn the_shorter_idle_timeout_counts_and_its_owner_is_named() {
        let mut cluster = cluster();
        cluster.config.idle_timeout = 3600.0;
        let limit = LimitValue { value: 60 * S, from: Scope::Group("a".into()) };
        let limits = Effective { idle_timeout_ms: Some(limit), ..Effective::default() };
        let answer = Ok(Answer::Idle(said(Some(60 * S), None)));
        let checked = Timeouts::of(&cluster, &limits).check(&cluster, &answer, &Policy::default());
        insta::assert_snapshot!(checked.unwrap().1.message, @"idle for 60 s; its idle timeout is 60 s (`idle_timeout` of group:a)");
        cluster.config.idle_timeout = 5.0;
        assert_eq!(Timeouts::of(&cluster, &limits).idle, Some(Timeout { ms: 5 * S, from: None }));
    }
}
