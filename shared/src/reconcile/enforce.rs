//! The pass's judgements: who is silent, idle, or too old. Pure, like [`super::reconcile`].

use crate::model::{Cluster, Effective, Heartbeat, Ms, Policy, Reason, ReasonCode, Status};
use crate::ports::{Answer, Idleness, SchedulerError};

/// What the pass makes of one cluster before it asks anybody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Something of it is due: wake the reconciler.
    pub wake: bool,
    /// It is to end.
    pub end: Option<(Status, Reason)>,
    /// Its heartbeat is overdue by now for so long: ask for its health.
    pub silent_ms: Option<Ms>,
    /// It has this idle timeout: ask whether it is idle.
    pub idle_timeout_ms: Option<Ms>,
}

/// How many are active, and how many of them are silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// RUNNING clusters.
    pub active: usize,
    /// Those whose heartbeat is overdue.
    pub silent: usize,
}

impl Silence {
    /// So many are silent that the fault is rather ours: that verdict waits.
    pub fn is_ours(&self, silent_ms: Ms, policy: &Policy) -> bool {
        self.active >= policy.mass_silence_least
            && self.silent * 100 > self.active * policy.mass_silence_percent as usize
            && silent_ms < policy.mass_silence_ms
    }
}

/// What a health question came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Silent {
    /// Nothing to write.
    Nothing,
    /// So many questions in a row are unanswered now; above zero the task is in doubt.
    Count(u32),
    /// It is to end.
    End(Reason),
}

/// Judges a cluster of the active index. `since` is when our own service was (last) back: silence before it proves nothing.
pub fn judge(
    cluster: &Cluster,
    heartbeat: Option<&Heartbeat>,
    limits: &Effective,
    since: Ms,
    now: Ms,
    policy: &Policy,
) -> Verdict {
    let due = |at: Option<Ms>| at.is_some_and(|at| at <= now);
    let mut verdict =
        Verdict { wake: due(cluster.due_at) || due(heartbeat.and_then(|h| h.due_at)), ..Verdict::default() };
    if !cluster.wants_to_run() {
        return verdict;
    }
    if let Some(frozen) = &limits.frozen {
        verdict.end = Some((Status::Stopped, Reason::new(ReasonCode::Frozen, frozen.value.clone())));
        return verdict;
    }
    let longest = [policy.max_lifetime_ms, limits.max_lifetime_ms.as_ref().map(|l| l.value)];
    if let Some(longest) = longest.into_iter().flatten().min()
        && now - cluster.created_at >= longest
    {
        let message = format!("its longest lifetime of {} s is over", longest / 1000);
        let reason = Reason::new(ReasonCode::MaxLifetime, message).with("max_lifetime_ms", longest);
        verdict.end = Some((Status::Stopped, reason));
        return verdict;
    }
    if cluster.status != Status::Running {
        return verdict;
    }
    let seen = heartbeat.and_then(|h| h.seen_at).unwrap_or(0).max(cluster.running_at.unwrap_or(0)).max(since);
    if now - seen > policy.heartbeat_timeout_ms {
        verdict.silent_ms = Some(now - seen);
    }
    let own = (cluster.config.idle_timeout * 1000.0) as Ms;
    let limit = limits.idle_timeout_ms.as_ref().map_or(0, |l| l.value);
    verdict.idle_timeout_ms = [own, limit].into_iter().filter(|ms| *ms > 0).min();
    verdict
}

/// A heartbeat came again: doubts are over.
pub fn heard(cluster: &Cluster, verdict: &Verdict) -> bool {
    cluster.unanswered > 0 && verdict.silent_ms.is_none() && verdict.end.is_none()
}

/// Judges the answer to a health question to a silent cluster. Silence alone fails nobody; a relay's error is no answer; three
/// unanswered questions are one.
pub fn judge_silence(
    cluster: &Cluster,
    silent_ms: Ms,
    answer: &Result<Answer, SchedulerError>,
    silence: Silence,
    policy: &Policy,
) -> Silent {
    let unanswered = match answer {
        _ if !policy.rules.ask_before_failing => policy.health_questions,
        Ok(_) if cluster.unanswered > 0 => return Silent::Count(0),
        Err(SchedulerError::Unanswered(_)) => cluster.unanswered + 1,
        Ok(_) | Err(SchedulerError::Nonsense(_) | SchedulerError::Relay(_)) => return Silent::Nothing,
    };
    if silence.is_ours(silent_ms, policy) {
        // the launcher is asked about the task, once; but questions that nobody could answer are no evidence afterwards
        return if cluster.unanswered == 1 { Silent::Nothing } else { Silent::Count(1) };
    }
    if unanswered < policy.health_questions {
        return Silent::Count(unanswered);
    }
    let message =
        format!("no heartbeat for {} s, and the scheduler left {unanswered} questions unanswered", silent_ms / 1000);
    Silent::End(Reason::new(ReasonCode::HeartbeatTimeout, message).with("silent_ms", silent_ms))
}

/// Judges the answer to the idle question. Idle is what distributed's scheduler says; no answer is never "idle".
pub fn judge_idle(timeout_ms: Ms, answer: &Result<Answer, SchedulerError>, policy: &Policy) -> Option<Reason> {
    let idle_ms = match answer {
        Ok(Answer::Idle(Idleness { idle_ms, .. })) => (*idle_ms)?,
        Ok(Answer::Ok) | Err(_) if policy.rules.no_answer_is_not_idle => return None,
        Ok(Answer::Ok) | Err(_) => timeout_ms,
    };
    (idle_ms >= timeout_ms).then(|| {
        let message = format!("idle for {} s; its idle timeout is {} s", idle_ms / 1000, timeout_ms / 1000);
        Reason::new(ReasonCode::IdleTimeout, message).with("idle_ms", idle_ms)
    })
}
