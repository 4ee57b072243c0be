//! Each safety rule has a switch, so that the seeded world can show that the rule is needed and that the world would notice. They exist
//! with the feature `safety-switches` alone, which tests turn on; what is shipped has neither the switches nor a branch on them.

/// Does a safety rule hold under this [`Policy`](crate::model::Policy)? It does, unless a test has taken it away.
#[cfg(not(feature = "safety-switches"))]
#[macro_export]
macro_rules! safety_rule {
    ($policy:expr, $rule:ident) => {{
        let _ = &$policy;
        true
    }};
}

/// Does a safety rule hold under this [`Policy`](crate::model::Policy)? It does, unless a test has taken it away.
#[cfg(feature = "safety-switches")]
#[macro_export]
macro_rules! safety_rule {
    ($policy:expr, $rule:ident) => {
        $policy.switches.$rule
    };
}

#[cfg(feature = "safety-switches")]
macro_rules! switches {
    ($($(#[$doc:meta])* $rule:ident,)*) => {
        /// Which safety rules hold: by default all of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct SafetySwitches {
            $($(#[$doc])* pub $rule: bool,)*
        }

        impl Default for SafetySwitches {
            fn default() -> Self {
                SafetySwitches { $($rule: true,)* }
            }
        }

        impl SafetySwitches {
            /// The names of the rules.
            pub const NAMES: &[&str] = &[$(stringify!($rule)),*];

            /// Takes the rule of this name away; false where there is none.
            pub fn take_away(&mut self, name: &str) -> bool {
                match name {
                    $(stringify!($rule) => self.$rule = false,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

#[cfg(feature = "safety-switches")]
switches! {
    /// A definite failure ends a launch only if it was the sole call.
    sole_call,
    /// Nobody calls a launch after its window, and nobody counts it as not accepted before late calls have landed.
    wait_for_late_calls,
    /// A cluster stays counted and active until every launch is resolved and every task at rest.
    active_until_rest,
    /// Every wait keeps a `due_at`.
    waits_are_due,
    /// Not being described is believed only beyond visibility, and twice.
    missing_twice,
    /// A stop is asked for again until the task is seen at rest.
    stop_again,
    /// A worker called closed whose task lives is restarting, not gone.
    closed_is_restarting,
    /// A heartbeat's content is stored in the same write as its digest.
    content_with_digest,
    /// Until the reconciler has cleared it, an unchanged heartbeat wakes again.
    heartbeat_wakes_again,
    /// An event wakes even when its write changed nothing.
    event_always_wakes,
    /// Tasks of an expired launch are adopted.
    adopt_expired,
    /// Silence is believed only after unanswered health questions.
    ask_before_failing,
    /// Credentials are removed only at rest.
    credentials_until_rest,
    /// Counters are changed conditionally, in the transaction of what they count.
    charge_conditionally,
    /// A recount writes on the version it read before the items.
    recount_on_version,
    /// Idle is what the scheduler says; no answer is never idle.
    no_answer_is_not_idle,
    /// What is learned of a task that was billed already is billed as a difference.
    bill_differences,
    /// An event of a task that was billed already makes its cluster due.
    corrections_are_due,
    /// What is beyond a lowered limit is stopped, should the scheduler not let it go.
    shrink_newest,
    /// A task that the platform failed to start, or took back, is started again and counts as no failure.
    lost_starts_are_waits,
    /// Of a launch's workers that fail to start the first counts.
    launch_fails_once,
    /// Workers that fail to start end no cluster in which one has connected.
    connected_is_proof,
}
