//! Who is silent, and whether the scheduler or we are to blame.

use super::Verdict;
use crate::model::{Cluster, Ms, Policy, Reason, ReasonCode};
use crate::ports::{Answer, SchedulerError};

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
