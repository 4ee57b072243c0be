//! A closed loop: each connection asks again as soon as it was answered, for a time.

use crate::failure::{Failure, Outcome};
use crate::http::Connection;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// No window has more requests on one connection, whatever its time.
const MOST: usize = 200_000;

/// Whether connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// One connection for all requests.
    Alive,
    /// A new connection for each, as a dask scheduler does; no more than so many a script.
    Fresh {
        /// Most requests of one script: each leaves a port in TIME_WAIT.
        most: usize,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Requests, all answered with success.
    pub requests: f64,
    /// In so many seconds.
    pub seconds: f64,
}

/// Runs scripts side by side for `time`, each its requests in turn, over and over. Fails at the first answer that is none of success.
pub async fn closed_loop(address: SocketAddr, scripts: Vec<Vec<Vec<u8>>>, keep: Keep, time: Duration) -> Outcome<Done> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for script in scripts {
        running.spawn(play(address, script, keep, start + time));
    }
    let mut requests = 0;
    while let Some(ended) = running.join_next().await {
        requests += ended.unwrap_or_else(|panic| Err(Failure::new(panic.to_string())))?;
    }
    Ok(Done { requests: requests as f64, seconds: start.elapsed().as_secs_f64() })
}

async fn play(address: SocketAddr, script: Vec<Vec<u8>>, keep: Keep, until: Instant) -> Outcome<usize> {
    let most = if let Keep::Fresh { most } = keep { most } else { MOST };
    let mut connection = Connection::open(address).await?;
    for (count, request) in script.iter().cycle().enumerate() {
        if count == most || (count > 0 && Instant::now() >= until) {
            return Ok(count);
        }
        if count > 0 && keep != Keep::Alive {
            connection = Connection::open(address).await?;
        }
        connection.ask(request).await?.good()?;
    }
    Ok(0)
}
