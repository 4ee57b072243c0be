//! Starts that fail by nobody's fault, as on Fargate about one in a hundred does. Pure.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// Which starts fail so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StartFailures {
    /// The share of tasks, 0 to 1.
    pub rate: f64,
    /// Fixes which, and how.
    pub seed: u64,
}

/// Where a start fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// While its network interface is made.
    Network,
    /// While its image is pulled.
    Pull,
}

/// A start that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// Where.
    pub step: Step,
    /// The `stoppedReason`.
    pub reason: &'static str,
}

/// As ECS words them
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>, and what users report).
const FAILURES: [StartFailure; 6] = [
    StartFailure { step: Step::Network, reason: "Timeout waiting for network interface provisioning to complete." },
    StartFailure {
        step: Step::Network,
        reason: "Unexpected EC2 error while attempting to attach network interface to instance",
    },
    StartFailure { step: Step::Network, reason: "InternalError: the network interface was not reported in time" },
    StartFailure {
        step: Step::Pull,
        reason: "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed \
                 open: unexpected status code 429 Too Many Requests - toomanyrequests",
    },
    StartFailure {
        step: Step::Pull,
        reason: "CannotPullContainerError: pull image manifest has been retried 5 time(s): unexpected status code 503 \
                 Service Unavailable",
    },
    StartFailure {
        step: Step::Pull,
        reason: "ResourceInitializationError: unable to pull secrets or registry auth: There is a connection issue \
                 between the task and the registry. i/o timeout",
    },
];

impl StartFailures {
    /// How the start of the task with this number fails, if it does: the same for the same seed, whatever else happens.
    pub fn of(&self, number: u64) -> Option<StartFailure> {
        let mut random = Random::new(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (random.fraction() < self.rate).then(|| FAILURES[random.next() as usize % FAILURES.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_rate_fix_which_starts_fail() {
        let failed = |rate, seed| (0..10_000).filter(|n| StartFailures { rate, seed }.of(*n).is_some()).count();
        assert_eq!((failed(0.0, 1), failed(1.0, 1)), (0, 10_000));
        assert!((120..280).contains(&failed(0.02, 1)), "{}", failed(0.02, 1));
        let of = |seed| (0..1000).map(|n| StartFailures { rate: 0.02, seed }.of(n)).collect::<Vec<_>>();
        assert!(of(1) == of(1) && of(1) != of(2));
    }

    #[test]
    fn they_fail_in_every_way() {
        let all = StartFailures { rate: 1.0, seed: 3 };
        assert!(FAILURES.iter().all(|failure| (0..200).any(|n| all.of(n) == Some(*failure))));
    }
}
