//! Who is silent, and whether the scheduler or we are to blame.

use super::Verdict;
use super::seconds;
use crate::model::{Activity, Cluster, Ms, Policy, Reason, ReasonCode, Status};
use crate::ports::{Answer, SchedulerError};
use crate::safety_rule;

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

/// Checks the answer to a health question to a silent cluster. Silence alone fails nobody; a relay's error is no answer; nor is a busy
/// scheduler a dead one: as long as the launcher knows its task, unanswered questions end it only after a long time.
pub fn check_silence(
    cluster: &Cluster,
    silent_ms: Ms,
    answer: &Result<Answer, SchedulerError>,
    silence: Silence,
    policy: &Policy,
) -> Silent {
    let unanswered = match answer {
        _ if !safety_rule!(policy, ask_before_failing) => policy.health_questions,
        Ok(_) if cluster.unanswered > 0 => return Silent::Count(0),
        Err(SchedulerError::Unanswered(_)) => cluster.unanswered + 1,
        Ok(_) | Err(SchedulerError::Nonsense(_) | SchedulerError::Relay(_)) => return Silent::Nothing,
    };
    if silence.is_ours(silent_ms, policy) {
        // the launcher is asked about the task, once; but questions that nobody could answer are no evidence afterwards
        return if cluster.unanswered == 1 { Silent::Nothing } else { Silent::Count(1) };
    }
    let is_busy = safety_rule!(policy, ask_before_failing) && silent_ms < policy.scheduler_busy_timeout_ms;
    if is_busy || unanswered < policy.health_questions {
        // beyond what counts as an answer nothing more is learned, nor written
        return Silent::Count(unanswered.min(policy.health_questions));
    }
    let (silent, longest) = (silent_ms / 1000, seconds(policy.scheduler_busy_timeout_ms));
    let what = process(cluster.scheduler_activity);
    let message = format!(
        "no heartbeat for {silent} s, and no answer to any question, although {what}: `scheduler_busy_timeout` is {longest} s"
    );
    Silent::End(Reason::new(ReasonCode::HeartbeatTimeout, message).with("silent_ms", silent_ms))
}

/// What a cluster waits for whose scheduler was last heard of at `seen_at`; none while it is heard of.
pub fn waiting_for_scheduler(cluster: &Cluster, seen_at: Option<Ms>, now: Ms, policy: &Policy) -> Option<Reason> {
    if cluster.status != Status::Running || !cluster.wants_to_run() {
        return None;
    }
    let seen_at = seen_at.max(cluster.running_at)?;
    let silent_ms = (now - seen_at).max(0);
    let silent = silent_ms / 1000;
    let message = if cluster.unanswered > 0 {
        let (what, longest) = (process(cluster.scheduler_activity), seconds(policy.scheduler_busy_timeout_ms));
        let hint = match cluster.scheduler_activity {
            Some(Activity::Stopped) => "; hint: `kill -CONT` lets it go on",
            _ => "",
        };
        format!(
            "the scheduler has not answered for {silent} s; {what}; the cluster ends if that is gone, or after {longest} s \
             (`scheduler_busy_timeout`){hint}"
        )
    } else if silent_ms > policy.heartbeat_timeout_ms / 2 && silent_ms > 2 * policy.heartbeat_period_ms {
        format!("the scheduler has sent no heartbeat for {silent} s: it may be busy, or be retiring workers")
    } else {
        return None;
    };
    Some(Reason::new(ReasonCode::SchedulerSilent, message).with("silent_ms", silent_ms))
}

/// Of a silent scheduler.
fn process(activity: Option<Activity>) -> &'static str {
    match activity {
        Some(Activity::Stopped) => "its process is stopped (SIGSTOP)",
        Some(Activity::Computing) => "its process runs and computes",
        Some(Activity::Waiting) => "its process runs and uses next to no processor time",
        None => "its task runs, as far as is known",
    }
}

#[cfg(test)]
mod tests {
    use super::super::idle::Timeouts;
    use super::super::tests::cluster;
    use super::*;

    #[test]
    fn a_cluster_is_heard_again_only_when_it_was_in_doubt_and_neither_silent_nor_to_end() {
        let mut cluster = cluster();
        let fine =
            Verdict { wake: false, end: None, silent_ms: None, timeouts: Timeouts::default(), lifetime_warning: None };
        assert!(!heard(&cluster, &fine), "nobody doubted it");
        cluster.unanswered = 1;
        assert!(heard(&cluster, &fine));
        assert!(!heard(&cluster, &Verdict { silent_ms: Some(1), ..fine }));
    }

    #[test]
    fn the_fault_is_ours_when_more_than_the_share_of_many_is_silent() {
        let policy = Policy { mass_silence_least: 10, mass_silence_percent: 20, ..Policy::default() };
        let ours = |active, silent| Silence { active, silent }.is_ours(0, &policy);
        assert_eq!((ours(10, 2), ours(10, 3), ours(9, 9)), (false, true, false));
    }

    #[test]
    fn an_answer_ends_the_count_of_those_unanswered_and_else_changes_nothing() {
        let (mut cluster, policy) = (cluster(), Policy::default());
        let check = |cluster: &Cluster| check_silence(cluster, 75_000, &Ok(Answer::Ok), Silence::default(), &policy);
        assert_eq!(check(&cluster), Silent::Nothing);
        cluster.unanswered = 2;
        assert_eq!(check(&cluster), Silent::Count(0));
    }

    #[test]
    fn a_scheduler_is_called_silent_after_half_of_what_it_may_be() {
        let policy = Policy { heartbeat_timeout_ms: 60_000, heartbeat_period_ms: 1_000, ..Policy::default() };
        let cluster = cluster();
        let seen_at = cluster.created_at + 5_000;
        let told = |ms| waiting_for_scheduler(&cluster, Some(seen_at), seen_at + ms, &policy).is_some();
        assert_eq!((told(30_000), told(30_001)), (false, true));
    }

    #[test]
    fn who_is_silent_is_told_of_with_what_its_process_does() {
        let (mut cluster, policy) = (cluster(), Policy::default());
        let told = |cluster: &Cluster, silent_s: Ms| {
            let seen_at = cluster.created_at + 5_000;
            let waiting = waiting_for_scheduler(cluster, Some(seen_at), seen_at + silent_s * 1000, &policy);
            waiting.map_or("nothing".to_owned(), |reason| reason.message)
        };
        assert_eq!(told(&cluster, 30), "nothing");
        insta::assert_snapshot!(told(&cluster, 40), @"the scheduler has sent no heartbeat for 40 s: it may be busy, or be retiring workers");
        cluster.unanswered = 1;
        insta::assert_snapshot!(told(&cluster, 75), @"the scheduler has not answered for 75 s; its task runs, as far as is known; the cluster ends if that is gone, or after 1800 s (`scheduler_busy_timeout`)");
        cluster.scheduler_activity = Some(Activity::Computing);
        insta::assert_snapshot!(told(&cluster, 75), @"the scheduler has not answered for 75 s; its process runs and computes; the cluster ends if that is gone, or after 1800 s (`scheduler_busy_timeout`)");
        cluster.scheduler_activity = Some(Activity::Waiting);
        insta::assert_snapshot!(told(&cluster, 75), @"the scheduler has not answered for 75 s; its process runs and uses next to no processor time; the cluster ends if that is gone, or after 1800 s (`scheduler_busy_timeout`)");
        cluster.scheduler_activity = Some(Activity::Stopped);
        insta::assert_snapshot!(told(&cluster, 75), @"the scheduler has not answered for 75 s; its process is stopped (SIGSTOP); the cluster ends if that is gone, or after 1800 s (`scheduler_busy_timeout`); hint: `kill -CONT` lets it go on");
        let pending = Cluster { status: Status::Pending, ..cluster.clone() };
        assert_eq!(told(&pending, 75), "nothing", "it has not been heard of yet");
        cluster.end(Status::Stopped, Reason::new(ReasonCode::UserStopped, "asked"), 0);
        assert_eq!(told(&cluster, 75), "nothing");
    }
}
