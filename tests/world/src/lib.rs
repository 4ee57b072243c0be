//! The seeded world: the gateway's real shells in virtual time, over a store, a queue, a launcher and schedulers that do to them
//! whatever AWS, a network or a user may do. One seed is one world; the same seed is the same world again.
//!
//! Every port call is a crash point: the shell that makes it may be dropped before or after the effect, and the effect may come
//! up to a minute later. Faults end at [`FAULT_END`]; at [`END`] every promise must be kept.

mod accounts;
mod answers;
mod bills;
mod books;
mod calls;
mod dice;
mod draw;
mod edits;
mod executor;
mod fleet;
mod ground_truth;
mod hold;
mod mail;
mod many;
mod ports;
mod random_events;
mod records;
mod saves;
mod scheduler;
mod setup;
mod starts;
mod state;
mod verdict;
mod work;

pub use dice::Dice;
pub use many::run_many;
pub use setup::{END, FAULT_END, Setup};
pub use state::Stats;

use executor::{Executor, lock};
use faregate_core::command::Listen;
use faregate_core::model::{Reason, SafetySwitches};
use faregate_core::options::Options;
use faregate_core::ports::{ENTRIES_A_PAGE, Ports};
use faregate_gateway::{ClusterSettings, Services};
use faregate_keys::KeyRing;
use setup::S;
use state::{Event, State};
use std::sync::{Arc, Mutex};
use work::Work;

/// Hosts that run the shells at once, each with its own caches.
const PROCESSES: usize = 2;
/// More events than any world needs: one that has more does not come to rest.
const MOST_EVENTS: u64 = 2_000_000;

/// One world. It implements every port of the gateway.
pub struct World {
    state: Mutex<State>,
}

/// How a world ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The promises that were broken, with their times; empty when all were kept.
    pub broken: Vec<String>,
    /// Why clusters were told to end, in their order.
    pub ends: Vec<Reason>,
    /// What was counted.
    pub stats: Stats,
}

/// Lives the life of one world, with the safety rules that `switches` leaves in force. With `trace` everything that happens is printed.
pub fn run(seed: u64, switches: SafetySwitches, trace: bool) -> Outcome {
    live(Setup::new(seed, switches), trace)
}

/// The same, of a world that is made to measure.
pub fn live(setup: Setup, trace: bool) -> Outcome {
    let seed = setup.seed;
    if trace {
        println!("{setup:#?}");
    }
    let world = Arc::new(World { state: Mutex::new(State::new(setup, trace)) });
    lock(&world.state).plan();
    let mut executor = Executor::default();
    let mut processes: Vec<Services> = (0..PROCESSES).map(|_| world.services()).collect();
    loop {
        let event = {
            let mut state = lock(&world.state);
            if state.stats.events > MOST_EVENTS {
                state.breach("never comes to rest", format!("more than {MOST_EVENTS} events"));
                break;
            }
            match state.next(END) {
                Some(event) => event,
                None => break,
            }
        };
        world.happen(event, &mut executor, &mut processes);
        let now = lock(&world.state).now;
        executor.turn(now, || std::mem::take(&mut lock(&world.state).crashed));
    }
    let mut state = lock(&world.state);
    state.judge();
    let (broken, ends) = (std::mem::take(&mut state.broken), std::mem::take(&mut state.ends));
    Outcome { seed, broken, ends, stats: state.stats }
}

impl World {
    /// A world in which nothing goes wrong and no call takes time, on any executor: for the ports' own suites.
    pub fn still(item_limit: usize) -> Self {
        let setup = Setup { item_limit, ..Setup::new(0, SafetySwitches::default()) };
        let mut state = State::new(setup, false);
        state.still = true;
        state.records.entries_a_page = ENTRIES_A_PAGE;
        World { state: Mutex::new(state) }
    }

    /// A process of this world, with caches of its own.
    fn services(self: &Arc<Self>) -> Services {
        let state = lock(&self.state);
        let ports = Ports {
            store: self.clone(),
            wakes: self.clone(),
            launcher: self.clone(),
            schedulers: self.clone(),
            routes: self.clone(),
            host: self.clone(),
        };
        let settings = ClusterSettings {
            options: Options::default(),
            base: state.setup.base.clone(),
            api_url: "http://127.0.0.1:8000/api".into(),
            listen: Listen::loopback(),
            check_launch: |_| Ok(()),
        };
        Services::new(ports, KeyRing::from_random(&[7; 64]), state.setup.policy.clone(), settings)
    }

    fn happen(self: &Arc<Self>, event: Event, executor: &mut Executor, processes: &mut [Services]) {
        let mut state = lock(&self.state);
        match event {
            Event::Wake(waker) => waker.wake(),
            Event::Land(effect) => effect(&mut state),
            Event::Deliver(message) => state.deliver(message),
            Event::Task(task, change) => state.change(task, change),
            Event::Dask(scheduler, what) => state.schedule(scheduler, what),
            Event::RandomEvent(random_event) => state.happen(random_event),
            Event::Unless(ticket, event) => {
                if !state.taken.contains(&ticket) {
                    drop(state);
                    self.happen(*event, executor, processes);
                }
            }
            Event::ProcessCrash(process) => {
                state.say(|| format!("process {process} crashes"));
                drop(state);
                executor.crash(process);
                processes[process] = self.services();
            }
            Event::Start(work) => {
                if state.is_out() {
                    let again = state.dice.between(20 * S, 60 * S);
                    if matches!(work, Work::Happened { .. } | Work::Create(_)) {
                        state.after(again, Event::Start(work));
                    }
                    return;
                }
                let process = state.dice.below(PROCESSES as i64) as usize;
                let deadline = state.now + state.setup.policy.max_call_ms;
                drop(state);
                executor.start(self.shell(&processes[process], work), process, deadline);
            }
        }
    }
}
