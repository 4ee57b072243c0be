//! Failed sign-ins of a user, of a peer, or of both together; and for how long they leave no further try.
//!
//! Each failure takes a while to be forgotten, and only so much may be outstanding: a few tries at once, then one in each so long (the
//! generic cell rate algorithm, as [`super::Pace`]).

use super::Ms;
use super::clock::is_ahead;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What has failed lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Who was said to come; none = whoever it was.
    pub user: Option<String>,
    /// From where; none = from wherever.
    pub peer: Option<String>,
    /// How often, since it was last forgotten.
    pub count: u32,
    /// When the last one was.
    pub last_at: Ms,
    /// When all of them are forgotten.
    pub forgotten_at: Ms,
    /// When an admin last forgave what had failed before.
    #[serde(default)]
    pub lifted_at: Option<Ms>,
}

/// How much may fail.
struct Budget {
    /// At once; the next waits.
    tries: u32,
    /// How long it takes to forget one.
    each_ms: Ms,
    /// What a try beyond those that are free takes is doubled as often as this, at most.
    doublings: u32,
}

/// Somebody at a peer: as many as one mistypes a password, then one in two minutes, in four, up to a quarter of an hour.
const OF_BOTH: Budget = Budget { tries: 5, each_ms: 60_000, doublings: 4 };
/// A peer that many people may share: twenty, and two a minute.
const OF_PEER: Budget = Budget { tries: 20, each_ms: 30_000, doublings: 0 };
/// A user, from everywhere together: what comes beyond that is an attack, and is met by [`Failures::blocked_until`] of peers that have
/// failed before.
const OF_USER: Budget = Budget { tries: 50, each_ms: 60_000, doublings: 0 };

impl Failures {
    /// Nothing has failed.
    pub fn none(user: Option<&str>, peer: Option<&str>) -> Self {
        let (user, peer) = (user.map(str::to_owned), peer.map(str::to_owned));
        Failures { user, peer, count: 0, last_at: 0, forgotten_at: 0, lifted_at: None }
    }

    fn budget(&self) -> &'static Budget {
        match (&self.user, &self.peer) {
            (Some(_), Some(_)) => &OF_BOTH,
            (None, Some(_)) => &OF_PEER,
            (_, None) => &OF_USER,
        }
    }

    /// As it is by this clock: what was counted by one that was ahead is brought back to now, and forgotten in its time from then on.
    pub fn clamp(&mut self, now: Ms) {
        let counted_at = if self.count == 0 { self.forgotten_at } else { self.last_at };
        if is_ahead(counted_at, now) {
            self.last_at = self.last_at.min(now);
            self.forgotten_at -= counted_at - now;
        }
    }

    /// One more has failed.
    pub fn fail(&mut self, now: Ms) {
        self.clamp(now);
        let budget = self.budget();
        if self.forgotten_at <= now {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last_at = now;
        let beyond = self.count.saturating_sub(budget.tries - 1).min(budget.doublings);
        let outstanding = self.outstanding(now) + (budget.each_ms << beyond);
        self.forgotten_at = now + outstanding;
    }

    /// All is forgotten: the password was right, or an admin says so.
    pub fn forgive(&mut self, now: Ms) {
        (self.count, self.forgotten_at) = (0, now);
    }

    /// Until when no further try is looked at; none = it is.
    pub fn blocked_until(&self, now: Ms) -> Option<Ms> {
        let until = now + self.outstanding(now) - self.allowed();
        (until > now).then_some(until)
    }

    /// How many may fail now before the next must wait; 0 while it is blocked.
    pub fn left(&self, now: Ms) -> u32 {
        match self.allowed() - self.outstanding(now) {
            blocked if blocked < 0 => 0,
            free => u32::try_from(free / self.budget().each_ms).unwrap_or(0) + 1,
        }
    }

    /// Both were counted apart, of the same: what either knows has failed.
    pub fn merge(&mut self, other: &Failures) {
        match other.lifted_at.cmp(&self.lifted_at) {
            Ordering::Greater => *self = other.clone(),
            Ordering::Equal if other.forgotten_at > self.forgotten_at => *self = other.clone(),
            Ordering::Equal | Ordering::Less => {}
        }
    }

    /// With more outstanding it is blocked: with what all tries but the last one come to there is one left.
    fn allowed(&self) -> Ms {
        self.budget().each_ms * Ms::from(self.budget().tries - 1)
    }

    /// Of a clock that was set back, no more than there can be; and nothing where nothing has failed since all was forgiven.
    fn outstanding(&self, now: Ms) -> Ms {
        if self.count == 0 {
            return 0;
        }
        let budget = self.budget();
        (self.forgotten_at - now).clamp(0, self.allowed() + (budget.each_ms << budget.doublings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = 1_800_000_000_000;

    fn both() -> Failures {
        Failures::none(Some("alice"), Some("10.0.0.1"))
    }

    #[test]
    fn a_few_tries_are_free_and_each_further_one_waits_longer() {
        let mut failures = both();
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert!(failures.left(now) >= 1);
            failures.fail(now);
            if let Some(until) = failures.blocked_until(now) {
                assert_eq!(failures.left(now), 0);
                waits.push((until - now) / 60_000);
                now = until;
            }
        }
        assert_eq!(waits, [2, 4, 8, 16, 16, 16, 16, 16]);
        failures.forgive(now);
        assert_eq!((failures.left(now), failures.blocked_until(now)), (5, None));
    }

    #[test]
    fn a_peer_and_a_user_have_more_and_a_steady_rate() {
        for (mut failures, free, each) in
            [(Failures::none(None, Some("10.0.0.1")), 20, 30_000), (Failures::none(Some("alice"), None), 50, 60_000)]
        {
            assert_eq!(failures.left(NOW), free);
            for _ in 0..free {
                assert_eq!(failures.blocked_until(NOW), None);
                failures.fail(NOW);
            }
            assert_eq!(failures.blocked_until(NOW), Some(NOW + each));
            failures.fail(NOW + each);
            assert_eq!(failures.blocked_until(NOW + each), Some(NOW + 2 * each));
        }
    }

    #[test]
    fn what_is_long_ago_is_forgotten_and_what_lies_ahead_is_bounded() {
        let mut failures = both();
        (0..9).for_each(|_| failures.fail(NOW));
        assert_eq!(failures.left(NOW + 3_600_000), 5);
        failures.fail(NOW + 3_600_000);
        assert_eq!(failures.count, 1);
        // the clock is set back by a day
        (0..9).for_each(|_| failures.fail(NOW));
        let back = NOW - 86_400_000;
        assert!(failures.blocked_until(back).unwrap() <= back + 16 * 60_000);
    }

    #[test]
    fn what_two_processes_know_adds_up_and_a_lift_is_believed() {
        let (mut one, mut other) = (both(), both());
        one.fail(NOW);
        (0..7).for_each(|_| other.fail(NOW));
        one.merge(&other);
        assert_eq!(one.blocked_until(NOW), other.blocked_until(NOW));
        other.forgive(NOW + 1);
        other.lifted_at = Some(NOW + 1);
        one.merge(&other);
        assert_eq!((one.left(NOW + 1), one.count), (5, 0));
    }

    #[test]
    fn who_came_in_by_a_clock_that_was_ahead_is_not_kept_out_when_it_is_set_back() {
        let mut failures = both();
        failures.fail(NOW + 600_000);
        failures.forgive(NOW + 600_000);
        assert_eq!((failures.left(NOW), failures.blocked_until(NOW)), (5, None));
    }

    #[test]
    fn what_failed_by_a_clock_that_was_ahead_is_forgotten_in_its_time_when_it_is_set_back() {
        let month = 30 * 86_400_000;
        let mut forgiven = both();
        forgiven.forgive(NOW + month);
        forgiven.fail(NOW);
        assert_eq!((forgiven.left(NOW), forgiven.blocked_until(NOW)), (4, None), "one has failed, and no more");
        let mut blocked = both();
        (0..7).for_each(|_| blocked.fail(NOW + month));
        let wait = blocked.blocked_until(NOW + month).unwrap() - (NOW + month);
        blocked.clamp(NOW);
        assert_eq!(blocked.blocked_until(NOW), Some(NOW + wait), "as long as before");
        blocked.clamp(NOW + wait);
        assert_eq!(blocked.blocked_until(NOW + wait), None);
    }
}
