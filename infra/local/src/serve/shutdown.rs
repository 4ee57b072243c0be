//! How a gateway ends: clusters first, while everything that they need for it still serves.

use super::loops::World;
use faregate::model::{Reason, ReasonCode};
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

/// Between two looks at what still runs.
const LOOK: Duration = Duration::from_millis(100);
/// Clusters have this time to come to rest, beyond what their processes are given to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// SIGTERM and SIGINT.
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// From now on these signals end nothing by themselves.
    pub fn listen() -> io::Result<Self> {
        Ok(Signals { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// The next one.
    pub async fn next(&mut self) {
        tokio::select! { _ = self.term.recv() => {}, _ = self.int.recv() => {} }
    }
}

/// Stops every cluster and waits until all are at rest; `stop_time` is what one process may take to stop. How many are left.
pub async fn stop_clusters(world: &World, stop_time: Duration) -> usize {
    let reason = Reason::new(ReasonCode::GatewayShutdown, "the gateway is shutting down");
    // a process that ignores its first signals is asked again in another round
    let deadline = Instant::now() + stop_time * 2 + PATIENCE;
    loop {
        match world.gateway.stop_all(&reason).await {
            Ok(0) => return 0,
            Ok(left) if Instant::now() > deadline => return left,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "clusters were not stopped; it is tried again"),
        }
        sleep(LOOK).await;
    }
}
