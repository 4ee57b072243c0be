//! Clocks are set: by hand, by NTP after a wrong RTC, when a machine is resumed. Whatever was stored by a clock that was ahead lies in
//! the future then: it is brought back to now, and no wait is longer than such a wait can be.

use super::{Cluster, Heartbeat, Launch, Ms, Policy, Task, TaskFacts};

/// Hosts of one gateway differ by less than this; what is ahead by no more is left as it is.
pub const CLOCK_SKEW_MS: Ms = 5_000;

const HOUR_MS: Ms = 3_600_000;

/// Is a moment that has passed ahead of now?
pub fn is_ahead(at: Ms, now: Ms) -> bool {
    at > now.saturating_add(CLOCK_SKEW_MS)
}

/// A moment that has passed: now at the latest.
pub fn past(at: Ms, now: Ms) -> Ms {
    if is_ahead(at, now) { now } else { at }
}

/// Something was read at `at`: is that less than `age` ago? What was read by a clock that was ahead is not believed.
pub fn is_younger(at: Ms, age: Ms, now: Ms) -> bool {
    (-CLOCK_SKEW_MS..age).contains(&(now - at))
}

fn passed(at: &mut Option<Ms>, now: Ms) {
    *at = at.map(|at| past(at, now));
}

/// A wait of at most `longest`, over at once when it is longer.
fn awaited(at: &mut Ms, longest: Ms, now: Ms) {
    if *at > now.saturating_add(longest).saturating_add(CLOCK_SKEW_MS) {
        *at = now;
    }
}

impl Policy {
    /// No record is due later than this.
    pub fn longest_wait_ms(&self) -> Ms {
        let waits = [
            self.cluster_start_timeout_ms,
            self.worker_start_timeout_ms,
            self.longest_pause_ms(),
            self.launch_window_ms,
            self.max_call_ms * 2,
            self.stop_retry_ms,
            self.check_ms * 6,
            self.heartbeat_period_ms,
            self.retire_ms,
        ];
        waits.into_iter().max().unwrap_or_default()
    }

    /// What is to be forgotten by the clock is kept for this time after it was set: forward, everything is over at once, while events
    /// of it may still come, which would then be billed again.
    pub fn forget_after_ms(&self) -> Ms {
        self.keep_records_ms.min(HOUR_MS)
    }

    /// No launch is held back for longer (its back-off doubles six times).
    fn longest_pause_ms(&self) -> Ms {
        (self.start_backoff_ms << 6).max(self.room_retry_ms).max(self.launch_retry_ms * 4)
    }
}

impl Cluster {
    /// As it is by this clock.
    pub fn clamp(&mut self, now: Ms, policy: &Policy) {
        self.created_at = past(self.created_at, now);
        let Cluster { running_at, stopping_at, stopped_at, answered_at, asked_at, .. } = self;
        for at in [running_at, stopping_at, stopped_at, answered_at, asked_at] {
            passed(at, now);
        }
        if let Some(at) = &mut self.next_try {
            awaited(at, policy.longest_pause_ms(), now);
        }
        if let Some(at) = &mut self.spot_after {
            awaited(at, policy.spot_retry_ms, now);
        }
        if let Some(shrink) = &mut self.shrink {
            shrink.since = past(shrink.since, now);
        }
    }

    /// The clock was set by so much: the cluster has lived for as long as before.
    pub fn shift(&mut self, by: Ms) {
        self.created_at = self.created_at.saturating_add(by);
        for at in [&mut self.running_at, &mut self.extended_until, &mut self.asked_at].into_iter().flatten() {
            *at = at.saturating_add(by);
        }
        if let Some(shrink) = &mut self.shrink {
            shrink.since = shrink.since.saturating_add(by);
        }
    }
}

impl Heartbeat {
    /// As it is by this clock.
    pub fn clamp(&mut self, now: Ms) {
        passed(&mut self.seen_at, now);
    }
}

impl Launch {
    /// As it is by this clock.
    pub fn clamp(&mut self, now: Ms, policy: &Policy) {
        self.created_at = past(self.created_at, now);
        if self.state.is_open() {
            let longest = (policy.launch_retry_ms * 4).max(policy.launch_call_ms).max(policy.launch_list_ms);
            awaited(&mut self.next_try, longest, now);
            let last = now.saturating_add(policy.launch_window_ms);
            if is_ahead(self.not_after, last) {
                self.not_after = last;
            }
        }
    }
}

impl Task {
    /// As it is by this clock. What is settled has been billed by its times: they stay.
    pub fn clamp(&mut self, now: Ms, policy: &Policy) {
        if !self.settled {
            let facts = self.facts.clone();
            self.facts.believe(&facts, now);
            for at in [&mut self.registered_at, &mut self.closed_since, &mut self.late_at] {
                passed(at, now);
            }
        }
        if let Some(at) = &mut self.next_stop {
            awaited(at, policy.stop_retry_ms, now);
        }
        if let Some(at) = &mut self.check_at {
            awaited(at, policy.check_ms * 6, now);
        }
    }
}

impl TaskFacts {
    /// Times that lie ahead are not believed: what is known of them stays, else it is now.
    pub fn believe(&mut self, known: &TaskFacts, now: Ms) {
        let believed = |at: Ms, known: Option<Ms>| match is_ahead(at, now) {
            true => known.filter(|known| !is_ahead(*known, now)).unwrap_or(now),
            false => at,
        };
        self.accepted_at = believed(self.accepted_at, Some(known.accepted_at));
        for (at, known) in [
            (&mut self.pulled_at, known.pulled_at),
            (&mut self.started_at, known.started_at),
            (&mut self.stopped_at, known.stopped_at),
        ] {
            *at = at.map(|at| believed(at, known));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_lies_ahead_is_now_and_one_of_another_hosts_clock_is_left_alone() {
        assert_eq!([past(10, 20), past(5_020, 20), past(5_021, 20)], [10, 5_020, 20]);
        assert!(is_younger(100, 50, 149) && !is_younger(100, 50, 150));
        assert!(is_younger(100, 50, 90) && !is_younger(600_000, 60_000, 0), "a cache of a clock that was ahead is old");
    }

    #[test]
    fn a_wait_is_never_longer_than_such_a_wait_can_be() {
        let wait = |mut at: Ms| {
            awaited(&mut at, 60_000, 1_000_000);
            at
        };
        assert_eq!([wait(999_000), wait(1_060_000), wait(1_600_000)], [999_000, 1_060_000, 1_000_000]);
        let policy = Policy::default();
        assert!(policy.longest_wait_ms() >= policy.worker_start_timeout_ms);
        assert!(policy.longest_wait_ms() < 600_000, "ten minutes back are noticed on one machine");
    }
}
