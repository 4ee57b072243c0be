//! Everything there is in a world, behind one lock.

use super::accounts::Accounts;
use super::dice::Dice;
use super::fleet::{Change, Fleet};
use super::ground_truth::GroundTruth;
use super::mail::Mail;
use super::records::Records;
use super::scheduler::{Dask, Schedule};
use super::setup::{FAULT_END, Setup};
use super::work::Work;
use faregate_core::model::{ClusterName, Ms, Reason, TaskId};
use faregate_core::ports::Route;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::task::Waker;

/// What happens at some moment.
pub enum Event {
    /// A shell's pause is over.
    Wake(Waker),
    /// A call lands whose caller is gone.
    Land(Box<dyn FnOnce(&mut State) + Send>),
    /// A shell begins.
    Start(Work),
    /// A message of the queue becomes visible.
    Deliver(usize),
    /// A task changes by itself.
    Task(usize, Change),
    /// A dask scheduler does something.
    Dask(usize, Schedule),
    /// A process crashes, with all that is under way in it.
    ProcessCrash(usize),
    /// One of the world's own random events.
    RandomEvent(RandomEvent),
    /// The same, unless what this ticket is for has been done.
    Unless(u64, Box<Event>),
}

/// What nobody asked for.
#[derive(Clone, Copy, Debug)]
pub enum RandomEvent {
    /// A running task is killed.
    Kill,
    /// A scheduler hangs for good.
    Hang,
    /// A scheduler is busy for minutes.
    Busy,
    /// A nanny restarts its worker.
    Restart,
    /// There is, or is no, capacity.
    Capacity,
    /// A cluster's work comes or goes.
    Work,
    /// The minute is over: passes, sweeps, recounts.
    Minute,
    /// A scheduler ends its cluster by itself.
    Exit,
    /// A client connects, or the last one leaves.
    Clients,
    /// An admin edits limits.
    Edit,
    /// An admin mends what is broken of them.
    Mend,
    /// An admin lowers one, in calmer times.
    Lower,
}

struct Timed {
    at: Ms,
    seq: u64,
    event: Event,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}
impl Eq for Timed {}
impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.seq).cmp(&(other.at, other.seq))
    }
}

/// What was counted, for those who read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Events of the world.
    pub events: u64,
    /// Turns of the reconciler.
    pub turns: u64,
    /// Those of them in the last minutes.
    pub late_turns: u64,
    /// Shells cut off.
    pub crashes: u64,
    /// Calls that landed after their caller's death.
    pub landed_late: u64,
    /// Tasks that were started.
    pub tasks: u64,
    /// Clusters created.
    pub clusters: u64,
    /// Clusters that reached RUNNING.
    pub running: u64,
    /// Milliseconds in the ledger, of all tasks.
    pub billed_ms: i64,
    /// Tasks whose end was never told.
    pub untold: u64,
    /// Starts that the platform failed.
    pub failed_starts: u64,
    /// Workers that are connected in the end.
    pub connected: u64,
}

/// Everything.
pub struct State {
    /// Now.
    pub now: Ms,
    /// Chance.
    pub dice: Dice,
    /// What the seed decided.
    pub setup: Setup,
    queue: BinaryHeap<Reverse<Timed>>,
    seq: u64,
    /// The store.
    pub records: Records,
    /// The launcher's tasks.
    pub fleet: Fleet,
    /// The dask schedulers, by task.
    pub dask: BTreeMap<usize, Dask>,
    /// The queue of wakes.
    pub mail: Mail,
    /// Clusters whose credentials are in place.
    pub credentials: BTreeSet<ClusterName>,
    /// The proxy's table.
    pub routes: BTreeMap<ClusterName, Route>,
    /// What truly happened to each cluster.
    pub ground_truths: BTreeMap<ClusterName, GroundTruth>,
    /// Is there capacity?
    pub capacity: bool,
    /// The shell that is being polled has crashed.
    pub crashed: bool,
    /// No faults and no delays at all (for suites that bring their own runtime).
    pub still: bool,
    /// Broken promises.
    pub broken: Vec<String>,
    /// Why clusters were told to end.
    pub ends: Vec<Reason>,
    /// Tell everything.
    pub trace: bool,
    /// Tickets given out, and those whose work is done.
    pub tickets: u64,
    /// See [`State::tickets`].
    pub taken: BTreeSet<u64>,
    /// Charges and bills.
    pub accounts: Accounts,
    /// When a task's end was first written down, while it is not settled.
    pub known_ends: BTreeMap<TaskId, Ms>,
    /// Counts.
    pub stats: Stats,
}

impl State {
    /// An empty world.
    pub fn new(setup: Setup, trace: bool) -> Self {
        State {
            now: setup.epoch,
            dice: Dice::new(setup.seed ^ 0x5EED),
            records: Records::new(setup.item_limit),
            fleet: Fleet::default(),
            dask: BTreeMap::new(),
            mail: Mail::default(),
            credentials: BTreeSet::new(),
            routes: BTreeMap::new(),
            ground_truths: BTreeMap::new(),
            capacity: true,
            crashed: false,
            still: false,
            broken: Vec::new(),
            ends: Vec::new(),
            trace,
            tickets: 0,
            taken: BTreeSet::new(),
            accounts: Accounts::default(),
            known_ends: BTreeMap::new(),
            stats: Stats::default(),
            queue: BinaryHeap::new(),
            seq: 0,
            setup,
        }
    }

    /// Since the world began.
    pub fn age(&self) -> Ms {
        self.now - self.setup.epoch
    }

    /// May things go wrong?
    pub fn faulty(&self) -> bool {
        !self.still && self.age() < FAULT_END
    }

    /// True so many times in a thousand, while faults last.
    pub fn fault(&mut self, permille: u32) -> bool {
        self.faulty() && permille > 0 && self.dice.permille(permille)
    }

    /// Is nothing of ours running?
    pub fn is_out(&self) -> bool {
        self.is_within(self.setup.outage)
    }

    /// Is it now within a window of time?
    pub fn is_within(&self, window: Option<(Ms, Ms)>) -> bool {
        window.is_some_and(|(from, to)| (from..to).contains(&self.age()))
    }

    /// What the clock of our hosts and of the launcher says.
    pub fn wall(&self) -> Ms {
        match self.setup.clock {
            Some((at, ahead)) if self.age() < at => self.now + ahead,
            _ => self.now,
        }
    }

    /// When it truly was, if the clock said so before it was set.
    pub fn truly(&self, wall: Ms) -> Ms {
        match self.setup.clock {
            Some((at, ahead)) if wall - ahead < self.setup.epoch + at => wall - ahead,
            _ => wall,
        }
    }

    /// Since when nobody has set it.
    pub fn steady_since(&self) -> Ms {
        match self.setup.clock {
            Some((at, _)) if self.age() >= at => self.setup.epoch + at,
            _ => 0,
        }
    }

    /// When our own service was last back.
    pub fn since(&self) -> Ms {
        match self.setup.outage {
            Some((_, to)) if self.age() >= to => self.setup.epoch + to,
            _ => self.setup.epoch,
        }
    }

    /// Something happens after a while.
    pub fn after(&mut self, delay: Ms, event: Event) {
        self.seq += 1;
        self.queue.push(Reverse(Timed { at: self.now + delay.max(0), seq: self.seq, event }));
    }

    /// The next event within `end` of the beginning, and the clock moved to it.
    pub fn next(&mut self, end: Ms) -> Option<Event> {
        let end = self.setup.epoch + end;
        if self.queue.peek().is_none_or(|Reverse(t)| t.at > end) {
            return None;
        }
        let Reverse(timed) = self.queue.pop()?;
        self.now = timed.at;
        self.stats.events += 1;
        Some(timed.event)
    }

    /// A promise is broken.
    pub fn breach(&mut self, what: &str, how: String) {
        let at = self.age() as f64 / 1000.0;
        self.say(|| format!("BROKEN {what}: {how}"));
        self.broken.push(format!("{what}: {how} (at {at:.1} s)"));
    }

    /// For the trace.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9.3} {}", self.age() as f64 / 1000.0, what());
        }
    }

    /// What truly happened to a cluster.
    pub fn ground_truth(&mut self, name: &ClusterName) -> &mut GroundTruth {
        self.ground_truths.entry(name.clone()).or_default()
    }
}

/// The end of a cluster's name: enough to tell it from others in a trace.
pub fn short(name: &ClusterName) -> &str {
    &name.as_str()[23..]
}
