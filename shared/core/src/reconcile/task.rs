//! The life of a task: every transition of its record is a method here.
//!
//! ```text
//!                 a heartbeat names it          closing                 told to stop
//!  Starting ──────────────────────▶ Connected ─────────▶ Retiring        (from each of these)
//!                                     │    ▲                              │
//!                              closed ▼    │ active                       ▼
//!                                  Restarting                          Stopping ── asked again until it is seen at rest
//!
//!  each of them ──▶ Ended        the launcher says that it is at rest, or has not known it twice
//!  Ended ──▶ Settled             its reservation is given back and it is billed, once its launch is known to be accepted
//! ```
//!
//! A scheduler is named by no heartbeat: it stays Starting until it is told to stop, or ends. A worker that ended while Starting has failed
//! to start, which is counted once (`failed_start`). An orphan belongs to a launch that is closed without it: it was never reserved for,
//! and is only to be stopped.

use crate::model::{
    Content, Launch, LaunchState, Ms, Policy, Reason, ReasonCode, Task, TaskFacts, TaskRole, TaskState,
};
use crate::safety_rule;

/// How far a task has come, of what its record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Starting,
    Connected,
    Retiring,
    Restarting,
    Stopping,
    Ended,
    Settled,
}

/// What time makes of a worker.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    /// Nothing to be said of it: looked at again at this moment, if at any.
    Fine { again: Option<Ms> },
    /// It may still come back until this moment; the launcher is asked whether it lives.
    Watch { until: Ms },
    /// It is late, by what only one heartbeat says: the next one confirms it.
    Confirm,
    /// It is too late: to be stopped.
    Late { code: ReasonCode, message: String },
    /// It ended before it connected, for want of capacity.
    LostToPlatform,
    /// It ended before any heartbeat named it. The scheduler is asked whether it had connected, and may say so itself until then.
    AskScheduler { again: Ms },
    /// It ended before it connected.
    FailedStart,
}

/// By what a worker is checked.
pub(super) struct WorkerRules<'a> {
    pub now: Ms,
    pub policy: &'a Policy,
    /// When the scheduler last said all that it knows. One that retires workers tells nothing for as long as that takes: nobody is late
    /// until it has spoken again.
    pub heard_at: Ms,
    /// It leaves questions unanswered.
    pub is_busy: bool,
    /// Time before that proves nothing: the clock was set, or the scheduler was busy. What waited for it connects after its first word.
    pub steady_since: Ms,
    /// It can be asked which workers it has seen.
    pub may_ask: bool,
}

impl Task {
    pub(super) fn stage(&self) -> Stage {
        match () {
            () if self.settled => Stage::Settled,
            () if !self.may_run() => Stage::Ended,
            () if self.stopping.is_some() => Stage::Stopping,
            () if self.registered_at.is_none() => Stage::Starting,
            () if self.leaving => Stage::Retiring,
            () if self.closed_since.is_some() => Stage::Restarting,
            () => Stage::Connected,
        }
    }

    /// Not yet known to be at rest: it may be running.
    pub fn may_run(&self) -> bool {
        self.facts.state != TaskState::Stopped
    }

    /// Takes newer facts in, with times that lie ahead brought back. True when anything changed.
    pub fn apply_facts(&mut self, facts: &TaskFacts, now: Ms) -> bool {
        let newer = facts.version > self.facts.version
            || facts.version == self.facts.version && facts.state >= self.facts.state;
        if !newer {
            return false;
        }
        let mut facts = TaskFacts { state: self.facts.state.max(facts.state), ..facts.clone().printable() };
        facts.believe(&self.facts, now);
        // not everybody who tells of a task has read its log
        if facts.last_lines.is_empty() {
            facts.last_lines.clone_from(&self.facts.last_lines);
        }
        if self.facts == facts {
            return false;
        }
        self.facts = facts;
        true
    }

    /// The launcher was asked at `at`. A task that it does not know is at rest the second time, beyond the time in which it may not be
    /// seen yet.
    pub(super) fn apply_description(&mut self, facts: Option<&TaskFacts>, at: Ms, now: Ms, policy: &Policy) {
        self.check_at = None;
        match facts {
            Some(facts) => {
                self.missing = 0;
                self.apply_facts(facts, now);
            }
            None if !self.may_run() => {}
            None => {
                if at > self.facts.accepted_at + policy.visibility_ms {
                    self.missing += 1;
                }
                if self.missing >= 2 || !safety_rule!(policy, missing_twice) {
                    self.facts.state = TaskState::Stopped;
                    self.facts.stopped_at.get_or_insert(now);
                    self.facts.stop_code.get_or_insert_with(|| "Missing".into());
                } else {
                    self.check_at = Some(now + policy.check_ms);
                }
            }
        }
    }

    /// Takes a heartbeat's content in.
    ///
    /// `closed` is a set, not a list of events: after `client.restart()`, PipInstall or a nanny's memory kill a live worker is named
    /// closed for seconds. Closed with a live task is restarting.
    pub fn apply_heartbeat(&mut self, content: &Content, now: Ms, policy: &Policy) {
        // of one that is at rest it matters only whether it had connected, until that is decided
        let decided = self.settled && (self.registered_at.is_some() || self.failed_start);
        if self.facts.role != TaskRole::Worker || decided {
            return;
        }
        let name = self.facts.id.worker_name();
        let (active, closing, closed) =
            (content.active.contains(&name), content.closing.contains(&name), content.closed.contains(&name));
        if !(active || closing || closed) {
            return;
        }
        self.registered_at.get_or_insert(now);
        if closing {
            self.leaving = true;
            (self.closed_since, self.late_at) = (None, None);
        } else if active {
            if self.leaving || self.closed_since.is_some() {
                self.check_at = None;
            }
            self.leaving = false;
            (self.closed_since, self.late_at) = (None, None);
        } else if self.may_run() {
            self.closed_since.get_or_insert(now);
            if !safety_rule!(policy, closed_is_restarting) {
                self.request_stop(Reason::new(ReasonCode::WorkerLost, "the scheduler lost its worker"), now);
            }
        }
    }

    /// The scheduler was asked whether it has ever seen its worker, and has.
    pub(super) fn was_connected(&mut self, now: Ms) {
        self.registered_at.get_or_insert(now);
        self.check_at = None;
    }

    /// Told to stop, unless it is already, or has ended.
    pub(super) fn request_stop(&mut self, reason: Reason, now: Ms) {
        if self.may_run() && self.stopping.is_none() {
            self.stopping = Some(reason);
            self.next_stop = Some(now);
        }
    }

    /// Is a worker that nobody told to stop late, or did it end before it connected?
    pub(super) fn check(&self, never_seen: bool, rules: &WorkerRules) -> Check {
        let limit = rules.policy.worker_start_timeout_ms;
        match self.stage() {
            Stage::Starting => {
                let late_after = self.facts.accepted_at.max(rules.steady_since) + limit;
                self.check_deadline(late_after, ReasonCode::WorkerStartTimeout, "did not connect", rules)
            }
            // one that the scheduler retires, and has closed, is not waited for any longer than one that restarts
            Stage::Connected | Stage::Retiring | Stage::Restarting => match self.closed_since {
                None => Check::Fine { again: None },
                Some(since) => {
                    let late_after = since.max(rules.steady_since) + limit;
                    self.check_deadline(late_after, ReasonCode::WorkerLost, "did not come back", rules)
                }
            },
            Stage::Stopping => Check::Fine { again: None },
            Stage::Ended | Stage::Settled if self.registered_at.is_some() || self.failed_start => {
                Check::Fine { again: None }
            }
            Stage::Ended | Stage::Settled
                if self.facts.lost_to_platform && safety_rule!(rules.policy, lost_starts_are_waits) =>
            {
                Check::LostToPlatform
            }
            Stage::Ended | Stage::Settled => self.check_unconnected_end(never_seen, rules),
        }
    }

    fn check_deadline(&self, late_after: Ms, code: ReasonCode, what: &str, rules: &WorkerRules) -> Check {
        let again = Some(rules.now + rules.policy.heartbeat_period_ms);
        if rules.now <= late_after {
            return match self.closed_since {
                Some(_) => Check::Watch { until: late_after },
                None => Check::Fine { again: Some(late_after + 1) },
            };
        }
        if rules.is_busy || rules.heard_at <= late_after {
            return Check::Fine { again };
        }
        // its name among the closed may be the first word of a scheduler that was busy, of which nobody noticed
        match self.late_at {
            None if code == ReasonCode::WorkerLost => Check::Confirm,
            Some(at) if code == ReasonCode::WorkerLost && rules.heard_at <= at => Check::Fine { again },
            _ => {
                let seconds = rules.policy.worker_start_timeout_ms / 1000;
                Check::Late { code, message: format!("the worker {what} within {seconds} s") }
            }
        }
    }

    /// The heartbeat that names it may still be on its way: the scheduler is asked, or its next heartbeat is waited for.
    fn check_unconnected_end(&self, never_seen: bool, rules: &WorkerRules) -> Check {
        if never_seen {
            return Check::FailedStart;
        }
        let (now, check_ms) = (rules.now, rules.policy.check_ms);
        let stopped_at = self.facts.stopped_at.unwrap_or(now);
        let judged_at = stopped_at + check_ms;
        let heard_since = rules.heard_at > stopped_at;
        let again = if now < judged_at { judged_at } else { now + rules.policy.heartbeat_period_ms };
        match () {
            () if now >= judged_at && heard_since => Check::FailedStart,
            () if rules.may_ask && self.check_at.is_none_or(|at| at <= now) => Check::AskScheduler { again },
            () => Check::Fine { again: Some(again) },
        }
    }

    /// Its end counts as a failed start: once.
    pub(super) fn count_failed_start(&mut self) {
        self.failed_start = true;
        if !self.may_run() {
            self.check_at = None;
        }
    }

    /// Is it known under which launch a task at rest was reserved for?
    pub(super) fn may_settle(&self, launch: Option<&Launch>) -> bool {
        let accepted = || launch.is_some_and(|launch| launch.state == LaunchState::Accepted);
        self.stage() == Stage::Ended && (self.orphan || self.facts.role == TaskRole::Scheduler || accepted())
    }

    /// At rest, and given back: the record may be forgotten after `keep_until`.
    pub(super) fn settle(&mut self, now: Ms, keep_until: Ms) {
        self.settled = true;
        self.facts.stopped_at.get_or_insert(now);
        self.check_at = None;
        self.next_stop = None;
        self.expires_at = Some(keep_until);
    }
}

#[cfg(test)]
mod tests;
