//! How fast a user may create clusters: so many at once, and then one in each so long.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A) needs one number for that, kept on the user's counter: the moment by which all
//! that were created would be paid for at the steady rate. So it is decided in the transaction that counts the cluster.

use super::{Ms, Policy};

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So many at once, at least 1.
    pub burst: u32,
    /// Then one in each so many milliseconds.
    pub interval_ms: Ms,
}

/// One more, as a conditional change of [`super::Usage::paid_at`]: in a form that a store can carry out which knows comparisons and
/// sums, but no maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaceStep {
    /// What was created before is paid for: sets `paid_at` to `to`, where it is `now` at most. One beyond `most` comes of a clock that
    /// was set back, and counts as paid.
    First {
        /// The moment.
        now: Ms,
        /// The latest that can be.
        most: Ms,
        /// What it becomes.
        to: Ms,
    },
    /// Some of it is not: adds `by` to `paid_at`, where it is later than `after` and `until` at most.
    Further {
        /// The moment.
        after: Ms,
        /// With a later one the burst is used up.
        until: Ms,
        /// What one takes.
        by: Ms,
    },
}

impl Pace {
    /// A policy's; none = as fast as anybody can.
    pub fn of(policy: &Policy) -> Option<Self> {
        let (burst, interval_ms) = (policy.create_burst, policy.create_interval_ms);
        (burst > 0 && interval_ms > 0).then_some(Pace { burst, interval_ms })
    }

    /// The step for one more on a counter that says `paid_at`; else in how many milliseconds there may be one.
    pub fn step(&self, paid_at: Ms, now: Ms) -> Result<PaceStep, Ms> {
        let most = self.most(now);
        if paid_at <= now || paid_at > most {
            return Ok(PaceStep::First { now, most, to: now + self.interval_ms });
        }
        match paid_at + self.interval_ms - most {
            early if early > 0 => Err(early),
            _ => Ok(PaceStep::Further { after: now, until: most - self.interval_ms, by: self.interval_ms }),
        }
    }

    /// The latest `paid_at` that can be.
    pub fn most(&self, now: Ms) -> Ms {
        now.saturating_add(self.interval_ms.saturating_mul(Ms::from(self.burst)))
    }
}

impl PaceStep {
    /// What a counter that says `paid_at` says afterwards; none when the condition does not hold.
    pub fn apply(&self, paid_at: Ms) -> Option<Ms> {
        match *self {
            PaceStep::First { now, most, to } => (paid_at <= now || paid_at > most).then_some(to),
            PaceStep::Further { after, until, by } => (paid_at > after && paid_at <= until).then(|| paid_at + by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { burst: 3, interval_ms: 100 };

    /// Creates as often as it goes at these moments. How often it went at each.
    fn created(paid_at: &mut Ms, moments: &[Ms]) -> Vec<usize> {
        let mut each = |now: Ms| {
            let mut count = 0;
            while let Ok(step) = PACE.step(*paid_at, now) {
                *paid_at = step.apply(*paid_at).expect("the step is for this counter");
                count += 1;
            }
            count
        };
        moments.iter().map(|now| each(*now)).collect()
    }

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        let mut paid_at = 0;
        assert_eq!(created(&mut paid_at, &[1_000, 1_099, 1_100, 1_150, 1_200, 1_400, 9_000]), [3, 0, 1, 0, 1, 2, 3]);
        assert_eq!(PACE.step(paid_at, 9_030), Err(70), "and it says when");
    }

    #[test]
    fn a_clock_that_was_set_back_stops_nobody() {
        assert_eq!(created(&mut 600_000, &[1_000, 1_050]), [3, 0]);
    }

    #[test]
    fn a_step_for_another_counter_does_not_apply() {
        let first = PACE.step(0, 1_000).unwrap();
        assert_eq!((first.apply(1_001), first.apply(1_000), first.apply(1_301)), (None, Some(1_100), Some(1_100)));
        let further = PACE.step(1_100, 1_000).unwrap();
        assert_eq!((further.apply(1_000), further.apply(1_200), further.apply(1_201)), (None, Some(1_300), None));
    }

    #[test]
    fn a_policy_may_set_no_rate() {
        let of = |create_burst, create_interval_ms| {
            Pace::of(&Policy { create_burst, create_interval_ms, ..Policy::default() })
        };
        assert_eq!((of(0, 100), of(3, 0)), (None, None));
        assert_eq!(of(3, 100), Some(PACE));
    }
}
