//! How fast one cluster launches: at the launcher's own rate, for what is asked of it sooner is refused and asked again.

use super::draft::Draft;
use crate::model::Ms;

impl Draft<'_> {
    /// When so many more tasks may be launched. A token bucket: `launch_burst` tasks, of which each launch of the cluster takes its own,
    /// and one more in each `launch_task_ms`.
    pub fn launch_slot(&self, count: u32) -> Ms {
        let each = self.policy.launch_task_ms;
        let mut taken: Vec<(Ms, Ms)> =
            self.launches.iter().map(|l| (l.now.created_at, i64::from(l.now.spec.count))).collect();
        taken.sort_unstable();
        // from then on the bucket is full
        let full_at = taken.into_iter().fold(Ms::MIN, |full_at, (at, count)| full_at.max(at) + count * each);
        let spare = self.policy.launch_burst.saturating_sub(count);
        full_at.saturating_sub(i64::from(spare) * each)
    }
}
