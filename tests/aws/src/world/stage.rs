//! What the world itself knows: its schedulers, and what truly happened.

use super::dask::Dask;
use super::ground_truth::GroundTruth;
use super::setup::Setup;
use faregate_core::model::{ClusterName, Ms, TaskId};
use faregate_core::ports::Host;
use faregate_machine::Machine;
use faregate_world::Dice;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Shared by everything that happens in one world.
#[derive(Clone)]
pub struct Stage(Arc<Mutex<State>>);

/// What changes.
pub struct State {
    pub setup: Setup,
    pub dice: Dice,
    /// Things may still go wrong.
    pub faulty: bool,
    /// Schedulers that run, by task.
    pub dask: BTreeMap<TaskId, Dask>,
    /// When each worker connects; none = never.
    pub connects: BTreeMap<TaskId, Option<Ms>>,
    pub ground_truths: BTreeMap<ClusterName, GroundTruth>,
    /// When the lowered limit was certainly written.
    pub lowered_at: Option<Ms>,
    pub stats: Stats,
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Clusters that were made.
    pub created: u32,
    /// Clusters that were refused.
    pub refused: u32,
    /// Heartbeats that were taken.
    pub heartbeats: u32,
    /// Tasks that were started.
    pub tasks: usize,
    /// Turns that were begun.
    pub reconciles: u64,
    /// Calls of AWS.
    pub calls: usize,
    /// From the end of all faults to rest.
    pub rest_ms: Ms,
}

impl Stage {
    pub fn new(setup: Setup) -> Stage {
        let state = State {
            dice: Dice::new(!setup.seed),
            setup,
            faulty: true,
            dask: BTreeMap::new(),
            connects: BTreeMap::new(),
            ground_truths: BTreeMap::new(),
            lowered_at: None,
            stats: Stats::default(),
        };
        Stage(Arc::new(Mutex::new(state)))
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    pub fn ground_truth(&mut self, name: &ClusterName) -> &mut GroundTruth {
        self.ground_truths.entry(name.clone()).or_default()
    }

    /// The scheduler of a cluster, if one runs.
    pub fn dask_of(&mut self, name: &ClusterName) -> Option<&mut Dask> {
        self.dask.values_mut().find(|dask| dask.cluster == *name)
    }
}

/// The same clock as the gateway's.
pub fn now() -> Ms {
    Machine::default().now()
}
