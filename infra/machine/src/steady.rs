//! Notices when somebody sets the clock: it then runs ahead of, or behind, the time since the machine was started, which nobody sets.

use faregate_core::model::Ms;
use std::sync::{Mutex, PoisonError};

/// Between two looks the clocks of a machine drift apart by less: NTP corrects by half a millisecond a second at most.
const SET_MS: Ms = 1_000;

/// Two clocks compared.
#[derive(Debug)]
pub struct Steady(Mutex<State>);

#[derive(Debug)]
struct State {
    /// By how much the clock is ahead of the time since the start.
    ahead: Ms,
    since: Ms,
    /// Set by so much since somebody last asked.
    set_by: Ms,
}

impl Steady {
    /// From now on, by both clocks.
    pub fn new(now: Ms, uptime: Ms) -> Self {
        Steady(Mutex::new(State { ahead: now - uptime, since: now, set_by: 0 }))
    }

    /// Since when the clock was not set, by the clock as it is now.
    pub fn since(&self, now: Ms, uptime: Ms) -> Ms {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = now - uptime;
        let by = ahead - state.ahead;
        if by.abs() >= SET_MS {
            state.since = now;
            state.set_by += by;
        }
        state.ahead = ahead;
        state.since
    }

    /// By how much the clock was set since this was last asked; forward is above zero.
    pub fn take_set(&self, now: Ms, uptime: Ms) -> Option<Ms> {
        self.since(now, uptime);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let by = std::mem::take(&mut state.set_by);
        (by != 0).then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once_and_one_that_drifts_is_not() {
        let steady = Steady::new(1_000_000, 5_000);
        assert_eq!((steady.since(1_001_500, 6_000), steady.take_set(1_001_900, 6_000)), (1_000_000, None), "drift");
        // back by ten minutes
        assert_eq!(steady.since(402_900, 7_000), 402_900);
        assert_eq!(steady.since(403_900, 8_000), 402_900);
        assert_eq!(steady.take_set(404_900, 9_000), Some(-600_000));
        assert_eq!(steady.take_set(404_900, 9_000), None);
        // an hour forward, while the machine slept for a day: sleeping is no setting
        assert_eq!(steady.take_set(404_900 + 86_400_000, 86_409_000), None);
        assert_eq!(steady.take_set(404_900 + 90_000_000, 86_409_000), Some(3_600_000));
    }
}
