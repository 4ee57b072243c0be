//! Wires before the emulators of a deployed stack, on threads of their own: what the functions and the proxy call is written down.

use crate::wire::{Call, Wire};
use std::sync::mpsc::channel;
use tokio::runtime::{Builder, Runtime};

/// The wires. Cut when they are dropped.
pub struct Wires {
    /// To everything but ECS.
    pub aws: Wire,
    /// To ECS.
    pub ecs: Wire,
    runtime: Option<Runtime>,
}

impl Wires {
    /// Before the emulator, and before the fake ECS.
    pub fn start(aws: &str, ecs: &str) -> Wires {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("wires").enable_all().build().unwrap();
        let (send, started) = channel();
        let (aws, ecs) = (aws.to_owned(), ecs.to_owned());
        runtime.spawn(async move { send.send((Wire::start(&aws).await, Wire::start(&ecs).await)) });
        let (aws, ecs) = started.recv().unwrap();
        Wires { aws, ecs, runtime: Some(runtime) }
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        [self.aws.calls(), self.ecs.calls()].concat()
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
