//! The seeded world on AWS's adapters: the real core over the real DynamoDB, SQS and ECS adapters, against emulators that lose, delay,
//! repeat and refuse; users, schedulers and workers are made up. Two sets of the shells work over the same records, as functions do.
//!
//! Its bigger sister, the crate `faregate-world`, lives tens of thousands of worlds in virtual time over a store and a launcher of its
//! own. Here time is real: a seed fixes what there is and how often what goes wrong, and not the order in which things meet.

mod asked;
mod caps;
mod dask;
mod fleet;
mod ground_truth;
mod life;
mod random_events;
mod records;
mod rest;
mod setup;
mod stage;
mod verdict;

pub use stage::Stats;

use crate::inside::{Inside, Options};
use crate::ministack::Ministack;
use crate::wire;
use asked::Asked;
use faregate_core::model::{Policy, SafetySwitches};
use faregate_core::ports::Store;
use futures::stream::{self, StreamExt};
use setup::Setup;
use stage::Stage;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How a world ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The promises that were broken.
    pub broken: Vec<String>,
    /// What happened, in numbers.
    pub stats: Stats,
}

/// Lives one world, with all safety rules or without some.
pub async fn run(ministack: &Ministack, seed: u64, switches: SafetySwitches) -> Outcome {
    let setup = Setup::new(seed, switches);
    let stage = Stage::new(setup.clone());
    let mut inside = begin(ministack, &setup, &stage).await;
    let gateways = [inside.gateway.clone(), inside.twin().await];
    let inside = Arc::new(inside);
    let living = tokio::spawn(life::live(inside.clone(), gateways.clone(), stage.clone()));
    random_events::happen(&inside, &gateways, &stage).await;
    end_of_faults(&inside, &stage);
    let (records, mut broken) = verdict::settle(&inside, &stage).await;
    if let Some(records) = records {
        broken.extend(verdict::judge(&inside, &stage, &records).await);
    }
    living.abort();
    let mut stats = stage.lock().stats;
    stats.tasks = inside.ecs.tasks().len();
    stats.reconciles = inside.reconciles.load(Ordering::Relaxed);
    Outcome { seed, broken, stats }
}

/// Lives many, so many at once on one emulator.
pub async fn run_many(
    ministack: &Ministack,
    seeds: Range<u64>,
    switches: SafetySwitches,
    at_once: usize,
) -> Vec<Outcome> {
    stream::iter(seeds).map(|seed| run(ministack, seed, switches)).buffered(at_once).collect().await
}

async fn begin(ministack: &Ministack, setup: &Setup, stage: &Stage) -> Inside {
    let options = Options {
        policy: Policy { switches: setup.switches, ..setup::policy() },
        base: setup.base.clone(),
        schedulers: Arc::new(Asked(stage.clone())),
        reconcilers: 3,
        enforce_ms: 800,
        cut_off: setup.cut_off,
        run_processes: false,
        ..Options::default()
    };
    let inside = Inside::start(ministack, options).await;
    for (scope, limits) in &setup.limits {
        inside.store.put_limits(scope, Some(limits)).await.unwrap();
    }
    inside.ecs.turn(|knobs| {
        knobs.visible_after_ms = setup.visible_after_ms;
        knobs.events = setup.events;
        (knobs.start_failures, knobs.strict_filters) = (setup.start_failures, setup.strict_filters);
        (knobs.provisioning_ms, knobs.pending_ms, knobs.stopping_ms) = (120, 120, 80);
    });
    inside.aws.set(setup.to_aws.clone());
    inside.to_ecs.set(setup.to_ecs.clone());
    inside
}

/// From now on nothing goes wrong any more; what is under way may still land.
fn end_of_faults(inside: &Inside, stage: &Stage) {
    inside.aws.set(wire::Faults::default());
    inside.to_ecs.set(wire::Faults::default());
    inside.ecs.clear_faults();
    inside.ecs.turn(|knobs| {
        knobs.events = Default::default();
        knobs.start_failures = Default::default();
    });
    inside.cut_off_no_more();
    let mut state = stage.lock();
    state.faulty = false;
    // those that are idle work again: whether they end is not left to a race
    state.dask.values_mut().for_each(|dask| dask.idle_since = None);
    state.stats.calls = inside.aws.calls().len() + inside.to_ecs.calls().len();
}
