//! The queue of wakes, as SQS: at least once, late, in no order; a message that nobody finished comes again.

use super::setup::{END, S};
use super::state::{Event, State};
use super::verdict::QUIET_MS;
use super::work::Work;
use faregate_core::model::Ms;
use faregate_core::ports::Wake;

/// A message comes again after so long, unless it was finished.
const REDELIVERY_MS: Ms = 90 * S;
/// And so many times, as the queue's redrive policy says.
const RECEIVES: u32 = 5;

/// Messages that are not finished.
#[derive(Default)]
pub struct Mail {
    messages: Vec<Option<(Wake, u32)>>,
}

impl State {
    /// Sends a wake.
    pub fn send(&mut self, wake: Wake, delay: Ms) {
        if self.fault(self.setup.faults.wake_lost) {
            self.say(|| format!("a wake is lost: {}", label(&wake)));
            return;
        }
        let twice = self.fault(self.setup.faults.wake_odd);
        self.mail.messages.push(Some((wake, 0)));
        let id = self.mail.messages.len() - 1;
        let late = if self.fault(self.setup.faults.wake_odd) { self.dice.below(60 * S) } else { 0 };
        let travel = self.dice.between(20, if self.faulty() { 1_500 } else { 100 });
        self.after(delay + travel + late, Event::Deliver(id));
        if twice {
            let again = delay + self.dice.below(60 * S);
            self.after(again, Event::Deliver(id));
        }
    }

    /// A message becomes visible to a consumer.
    pub fn deliver(&mut self, id: usize) {
        if self.is_out() {
            let wait = self.dice.between(10 * S, 60 * S);
            return self.after(wait, Event::Deliver(id));
        }
        let Some((wake, receives)) = &mut self.mail.messages[id] else { return };
        *receives += 1;
        let wake = wake.clone();
        if *receives > RECEIVES {
            self.mail.messages[id] = None;
            return;
        }
        self.stats.turns += 1;
        self.stats.late_turns += u64::from(self.age() > END - QUIET_MS);
        self.say(|| format!("turn {}", label(&wake)));
        self.after(REDELIVERY_MS, Event::Deliver(id));
        self.after(0, Event::Start(Work::Reconcile { message: id, wake }));
    }

    /// The consumer has finished it.
    pub fn finish(&mut self, id: usize) {
        self.mail.messages[id] = None;
    }
}

fn label(wake: &Wake) -> String {
    match wake {
        Wake::Cluster(name) => super::state::short(name).to_owned(),
        Wake::OrphanScan { cursor } => format!("sweep {cursor:?}"),
    }
}
