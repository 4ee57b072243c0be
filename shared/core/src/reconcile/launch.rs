//! The life of a launch: every transition of its state is in [`next`], every change of its record besides in the methods below.
//!
//! ```text
//!                     ┌─▶ Accepted      a reply named its tasks, or as many as it asked for have been seen
//!                     ├─▶ Failed        refused, and no other call of it can have started anything
//!  written ─▶ Pending ┼─▶ Expired       its window is over without an answer
//!                     ├─▶ Cancelled     not wanted any more; or refused, while another call of it may still land
//!                     └─▶ NotAccepted   not wanted any more, and never called
//!
//!  Expired ─▶ Cancelled                 not wanted any more
//!  Expired, Cancelled ┬─▶ Accepted      its tasks are known: by a late reply, or when no call can land any more
//!                     └─▶ NotAccepted   no call can land any more, and nothing was started
//! ```
//!
//! When a reply is lost, the launch stays Pending and the same call is made again, with the same client token: the launcher answers it
//! with the same tasks. Each call is counted before it is made, so a refusal is known to be the whole answer only when there was one call.
//! After `not_after` nobody calls; then the launch's tasks are listed until the last call has landed and would be seen.
//! Pending, Expired and Cancelled launches are open: they keep what they reserved. Tasks of an expired launch are adopted, those of a
//! cancelled one are stopped.

use crate::model::{Launch, LaunchId, LaunchState, Ms, Policy, Reason, ReasonCode};
use crate::ports::LaunchError;
use crate::safety_rule;

/// What happens to a launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    /// A reply named its tasks, or as many as it asked for have been seen.
    TasksKnown,
    /// It was refused for good; by its sole call, or by one of several, of which another may have been accepted.
    Refused { sole_call: bool },
    /// The moment after which nobody may call it is over.
    WindowPassed,
    /// Its tasks are not wanted any more.
    Unwanted { called: bool },
    /// No call of it can land any more; what one had started would be seen.
    LastCallLanded { started: bool },
}

/// The state after an event. One that does not concern a state leaves it.
pub(super) fn next(state: LaunchState, event: Event) -> LaunchState {
    use LaunchState::{Accepted, Cancelled, Expired, Failed, NotAccepted, Pending};
    match (state, event) {
        (Pending | Expired | Cancelled, Event::TasksKnown) => Accepted,
        (Pending, Event::Refused { sole_call: true }) => Failed,
        (Pending, Event::Refused { sole_call: false }) => Cancelled,
        (Pending, Event::WindowPassed) => Expired,
        (Pending, Event::Unwanted { called: false }) => NotAccepted,
        (Pending, Event::Unwanted { called: true }) | (Expired, Event::Unwanted { .. }) => Cancelled,
        (Expired | Cancelled, Event::LastCallLanded { started: true }) => Accepted,
        (Expired | Cancelled, Event::LastCallLanded { started: false }) => NotAccepted,
        (Pending, Event::LastCallLanded { .. })
        | (Expired, Event::Refused { .. } | Event::WindowPassed)
        | (Cancelled, Event::Refused { .. } | Event::WindowPassed | Event::Unwanted { .. })
        | (Accepted | Failed | NotAccepted, _) => state,
    }
}

impl Launch {
    /// Is its outcome unknown, and nobody to call it? Then its tasks are listed.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self.state, LaunchState::Expired | LaunchState::Cancelled)
    }

    /// Takes an event in. One that is to be listed from now on is listed at once.
    pub(super) fn advance(&mut self, event: Event, now: Ms) {
        let state = next(self.state, event);
        if state != self.state {
            self.state = state;
            if self.is_listed() {
                self.next_try = now;
            }
        }
    }

    /// Is the window over within which it may be called?
    pub(super) fn expire(&mut self, now: Ms, policy: &Policy) {
        if self.state == LaunchState::Pending && safety_rule!(policy, wait_for_late_calls) && now > self.not_after {
            self.advance(Event::WindowPassed, now);
            if !safety_rule!(policy, adopt_expired) {
                self.state = LaunchState::Cancelled;
            }
        }
    }

    /// May it be called now?
    pub(super) fn is_callable(&self, now: Ms, policy: &Policy) -> bool {
        let in_window = !safety_rule!(policy, wait_for_late_calls) || now <= self.not_after;
        self.state == LaunchState::Pending && self.next_try <= now && in_window
    }

    /// Counts a call, which follows the save.
    pub(super) fn count_call(&mut self, now: Ms, policy: &Policy) {
        self.calls += 1;
        self.next_try = now + policy.launch_call_ms;
    }

    /// When somebody must look at it again; none when it is closed.
    pub(super) fn due_at(&self, policy: &Policy) -> Option<Ms> {
        match self.state {
            LaunchState::Pending if safety_rule!(policy, wait_for_late_calls) => {
                Some(self.next_try.min(self.not_after + 1))
            }
            LaunchState::Pending | LaunchState::Expired | LaunchState::Cancelled => Some(self.next_try),
            LaunchState::Accepted | LaunchState::Failed | LaunchState::NotAccepted => None,
        }
    }

    /// It was not accepted, or nobody knows: called again later, or given up. True when it is known to be refused for good.
    pub(super) fn apply_refusal(&mut self, error: &LaunchError, now: Ms, policy: &Policy) -> bool {
        let is_denied_for_now =
            matches!(error, LaunchError::Denied(_)) && now - self.created_at < policy.permissions_ms;
        let code = if is_denied_for_now { ReasonCode::WaitingForPermissions } else { code(error) };
        self.outcome = Some(Reason::new(code, error.to_string()));
        if is_denied_for_now || *error == LaunchError::Throttled {
            self.throttled += 1;
            // soon at first, when only a few met the rate; then less and less often, when many do
            let wait = (policy.launch_retry_ms / 4) << (self.throttled - 1).min(3);
            self.next_try = now + wait + spread(&self.id, wait);
            return false;
        }
        match error {
            LaunchError::Unknown(_) | LaunchError::Conflict(_) => {
                self.next_try = now + policy.launch_retry_ms + spread(&self.id, policy.launch_retry_ms);
                false
            }
            LaunchError::Throttled | LaunchError::NoCapacity(_) | LaunchError::Denied(_) | LaunchError::Rejected(_) => {
                let was_pending = self.state == LaunchState::Pending;
                // calls that were throttled or denied have started nothing
                let sole_call = self.calls <= self.throttled + 1 || !safety_rule!(policy, sole_call);
                self.advance(Event::Refused { sole_call }, now);
                was_pending
            }
        }
    }

    /// Its tasks were listed at `at`, after which `started` says whether any is known.
    pub(super) fn apply_list(&mut self, started: bool, at: Ms, steady_since: Ms, now: Ms, policy: &Policy) {
        if !self.is_listed() {
            return;
        }
        // a call made within the window may land as late as its caller lives, and be seen later still
        let late = policy.max_call_ms + policy.visibility_ms;
        let last = self.not_after + if safety_rule!(policy, wait_for_late_calls) { late } else { 0 };
        // by a clock that was set forward its time seems to be over
        if at > last.max(steady_since + late) {
            self.advance(Event::LastCallLanded { started }, now);
        } else {
            self.next_try = now + policy.launch_list_ms;
        }
    }
}

fn code(error: &LaunchError) -> ReasonCode {
    match error {
        LaunchError::NoCapacity(_) => ReasonCode::WaitingForCapacity,
        LaunchError::Rejected(_) | LaunchError::Denied(_) => ReasonCode::LaunchRejected,
        LaunchError::Throttled | LaunchError::Unknown(_) | LaunchError::Conflict(_) => ReasonCode::Throttled,
    }
}

/// Spreads retries of many launches over `within` milliseconds, the same way each time.
fn spread(id: &LaunchId, within: Ms) -> Ms {
    let sum = id.0.bytes().fold(0u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
    i64::from(sum) % within.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Listen;
    use crate::model::{Cluster, ClusterName, Counts, Sealed, UserKey};
    use crate::reconcile::scheduler_spec;
    use LaunchState::{Accepted, Cancelled, Expired, Failed, NotAccepted, Pending};

    const STATES: [LaunchState; 6] = [Pending, Expired, Cancelled, Accepted, Failed, NotAccepted];

    #[test]
    fn every_event_leads_every_state_where_the_table_says() {
        let table = [
            (Event::TasksKnown, [Accepted, Accepted, Accepted, Accepted, Failed, NotAccepted]),
            (Event::Refused { sole_call: true }, [Failed, Expired, Cancelled, Accepted, Failed, NotAccepted]),
            (Event::Refused { sole_call: false }, [Cancelled, Expired, Cancelled, Accepted, Failed, NotAccepted]),
            (Event::WindowPassed, [Expired, Expired, Cancelled, Accepted, Failed, NotAccepted]),
            (Event::Unwanted { called: false }, [NotAccepted, Cancelled, Cancelled, Accepted, Failed, NotAccepted]),
            (Event::Unwanted { called: true }, [Cancelled, Cancelled, Cancelled, Accepted, Failed, NotAccepted]),
            (Event::LastCallLanded { started: true }, [Pending, Accepted, Accepted, Accepted, Failed, NotAccepted]),
            (
                Event::LastCallLanded { started: false },
                [Pending, NotAccepted, NotAccepted, Accepted, Failed, NotAccepted],
            ),
        ];
        for (event, states) in table {
            assert_eq!(STATES.map(|state| next(state, event)), states, "{event:?}");
        }
    }

    /// A launch that was written at 1,000 and may be called until 2,000.
    fn launch(state: LaunchState) -> Launch {
        let name = ClusterName::mint(&UserKey::from_digest(&[7; 6]), 1_000, 1);
        let tls_key = Sealed { key_id: "k1".into(), data: String::new() };
        let cluster = Cluster::new(name.clone(), "alice", &[], String::new(), tls_key, 1_000);
        let spec = scheduler_spec(&cluster, &Policy::default(), &Listen::loopback(), "http://127.0.0.1/api");
        Launch {
            id: LaunchId(format!("{name}-000001")),
            cluster: name,
            spec,
            unit: Counts::default(),
            state,
            created_at: 1_000,
            not_after: 2_000,
            calls: 1,
            throttled: 0,
            next_try: 1_000,
            outcome: None,
            expires_at: None,
        }
    }

    #[test]
    fn a_window_is_over_after_its_last_millisecond() {
        let after = |now| {
            let mut launch = launch(Pending);
            launch.expire(now, &Policy::default());
            launch.state
        };
        assert_eq!((after(2_000), after(2_001), after(9_000)), (Pending, Expired, Expired));
    }

    #[test]
    fn a_call_that_was_counted_is_not_made_again_before_it_can_have_come_back() {
        let policy = Policy::default();
        let mut launch = launch(Pending);
        launch.count_call(1_500, &policy);
        assert_eq!((launch.calls, launch.next_try), (2, 1_500 + policy.launch_call_ms));
        assert!(!launch.is_callable(launch.next_try - 1, &policy));
    }

    #[test]
    fn an_open_launch_is_looked_at_when_it_may_be_called_and_when_its_window_is_over() {
        let policy = Policy::default();
        let due = |state, next_try| Launch { next_try, ..launch(state) }.due_at(&policy);
        assert_eq!([due(Pending, 1_500), due(Pending, 3_000)], [Some(1_500), Some(2_001)]);
        assert_eq!([due(Expired, 3_000), due(Cancelled, 3_000)], [Some(3_000); 2]);
        assert_eq!([Accepted, Failed, NotAccepted].map(|state| due(state, 3_000)), [None; 3]);
    }

    #[test]
    fn a_call_of_unknown_outcome_is_made_again_within_two_pauses() {
        let policy = Policy::default();
        let mut launch = launch(Pending);
        assert!(!launch.apply_refusal(&LaunchError::Unknown("reset".into()), 1_500, &policy));
        let pause = launch.next_try - 1_500;
        assert!((policy.launch_retry_ms..2 * policy.launch_retry_ms).contains(&pause), "{pause}");
    }

    #[test]
    fn what_is_listed_is_given_up_only_when_its_last_call_must_have_been_seen() {
        let policy = Policy { max_call_ms: 100, visibility_ms: 10, ..Policy::default() };
        let listed = |at, steady_since| {
            let mut launch = launch(Expired);
            launch.apply_list(false, at, steady_since, at, &policy);
            (launch.state, launch.next_try)
        };
        let again = |at| (Expired, at + policy.launch_list_ms);
        assert_eq!(listed(2_110, 0), again(2_110));
        assert_eq!(listed(2_111, 0).0, NotAccepted);
        assert_eq!(listed(5_110, 5_000), again(5_110), "the clock was set: its time only seems to be over");
        assert_eq!(listed(5_111, 5_000).0, NotAccepted);
        let mut pending = launch(Pending);
        pending.apply_list(true, 9_000, 0, 9_000, &policy);
        assert_eq!((pending.state, pending.next_try), (Pending, 1_000), "one that may be called is not listed");
    }

    #[test]
    fn what_is_closed_stays_so() {
        for state in STATES.into_iter().filter(|state| !state.is_open()) {
            assert_eq!(next(state, Event::TasksKnown), state);
            assert_eq!(next(state, Event::Unwanted { called: true }), state);
        }
    }
}
