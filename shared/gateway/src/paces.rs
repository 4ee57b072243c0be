//! How far users are in the pace of creating clusters, as this process knows it: the counters decide, but what was read there lately
//! spares a write that would fail, and all of it for those who are far too fast.

use super::{Clusters, ServiceError};
use faregate_core::model::{Ms, Pace, PaceStep};

/// Users kept in mind; those that are forgotten the counters tell anew.
pub(super) const MOST: usize = 4_096;

impl Clusters {
    /// The step that one more cluster of a user takes, for all that is known; none where any pace will do. Refused for those who may
    /// create nothing yet: a counter never says less than it did.
    pub(super) fn next_step(&self, user: &str, now: Ms) -> Result<Option<PaceStep>, ServiceError> {
        let Some(pace) = Pace::of(self.context.policy()) else { return Ok(None) };
        let paid_at = self.paces.get(user).unwrap_or_default();
        pace.step(paid_at, now).map(Some).map_err(|wait| refusal(user, pace, wait))
    }

    /// What a user's counter says.
    pub(super) fn knows_pace(&self, user: &str, paid_at: Ms) {
        self.paces.insert(user.to_owned(), paid_at);
    }
}

fn refusal(user: &str, pace: Pace, wait: Ms) -> ServiceError {
    let Pace { burst, interval_ms } = pace;
    let interval = interval_ms as f64 / 1000.0;
    let seconds = wait.div_euclid(1000) + 1;
    ServiceError::Conflict(format!(
        "user:{user} creates clusters faster than `create_burst` = {burst} at once, and then one every `create_interval` = \
         {interval} s; try again in {seconds} s"
    ))
}
