//! What a running task's processes do: stopped, computing, or waiting for something.

use super::processes::{Process, Usage};
use super::{Inner, lock};
use faregate_core::model::{Activity, TaskId};
use std::io;
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at the processor time used.
const BETWEEN: Duration = Duration::from_millis(500);
/// Whoever uses fewer ticks (hundredths of a second) meanwhile is waiting: a tenth of a processor.
const COMPUTING_TICKS: u64 = 5;

impl Inner {
    /// None = it does not run.
    pub(super) fn activity(&self, id: &TaskId) -> io::Result<Option<Activity>> {
        let Some(entry) = lock(&self.index).tasks.get(id).cloned() else { return Ok(None) };
        let members = entry.members(id)?;
        let before = usages(&members)?;
        if before.iter().flatten().next().is_none() {
            return Ok(None);
        }
        sleep(BETWEEN);
        Ok(judge(&before, &usages(&members)?))
    }
}

fn usages(members: &[Process]) -> io::Result<Vec<Option<Usage>>> {
    members.iter().map(Process::usage).collect()
}

/// Stopped is what cannot go on as a whole; computing what uses the processor somewhere.
fn judge(before: &[Option<Usage>], after: &[Option<Usage>]) -> Option<Activity> {
    let mut alive = after.iter().flatten().peekable();
    alive.peek()?;
    if alive.all(|usage| usage.stopped) {
        return Some(Activity::Stopped);
    }
    let both = before.iter().zip(after).filter_map(|(before, after)| Some((before.as_ref()?, after.as_ref()?)));
    let used: u64 = both.map(|(before, after)| after.ticks.saturating_sub(before.ticks)).sum();
    Some(if used < COMPUTING_TICKS { Activity::Waiting } else { Activity::Computing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_stopped_when_all_of_it_is_and_computes_when_any_of_it_does() {
        let usage = |stopped, ticks| Some(Usage { stopped, ticks });
        let judged = |after: &[Option<Usage>]| judge(&[usage(false, 100), usage(false, 7)], after);
        assert_eq!(judged(&[usage(true, 104), usage(true, 7)]), Some(Activity::Stopped));
        assert_eq!(judged(&[usage(true, 100), usage(false, 7)]), Some(Activity::Waiting));
        assert_eq!(judged(&[usage(false, 104), usage(false, 7)]), Some(Activity::Waiting));
        assert_eq!(judged(&[usage(false, 100), usage(false, 12)]), Some(Activity::Computing));
        assert_eq!(judged(&[None, usage(true, 7)]), Some(Activity::Stopped));
        assert_eq!(judged(&[None, None]), None);
    }
}
