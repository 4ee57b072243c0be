//! A real cluster's end: from `shutdown()` until every process of it is gone.

use crate::failure::{Context, Failure, Outcome};
use crate::gateway::{Gateway, Kind, Schedulers};
use crate::http::PASSWORD;
use crate::processes::{GATEWAY_MARK, TASK_MARK};
use crate::setup::Setup;
use crate::table::{Better, Row};
use crate::{Scale, step};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const SCRIPT: &str = include_str!("end.py");
const PATIENCE: Duration = Duration::from_secs(240);
/// Workers of the clusters that end.
const WORKERS: [usize; 3] = [0, 2, 8];

/// Measures both, in turns. What counts is how long the slowest of twenty take, but one.
pub async fn measure(setup: &Setup, scale: &Scale, rows: &mut Vec<Row>) -> Outcome<()> {
    let mut gateways = Vec::new();
    for &kind in &scale.kinds {
        gateways.push(Gateway::start(setup, kind, Schedulers::Dask).await?);
    }
    for workers in WORKERS {
        let place = rows.len();
        let what = format!("shutdown() with {workers} workers until nothing runs");
        rows.push(Row::new(what, "s", Better::Less, Some(1.0)).by_p95());
        for round in 1..=scale.rounds {
            step(&format!("round {round}: the end of a cluster with {workers} workers"));
            let mut order: Vec<&Gateway> = gateways.iter().collect();
            if round % 2 == 0 {
                order.reverse();
            }
            for gateway in order {
                let seconds = end(setup, gateway, workers).await?;
                match gateway.kind {
                    Kind::Official => rows[place].official.push(seconds),
                    Kind::Ours => rows[place].ours.push(seconds),
                }
            }
        }
    }
    for gateway in gateways {
        gateway.stop().await?;
    }
    Ok(())
}

async fn end(setup: &Setup, gateway: &Gateway, workers: usize) -> Outcome<f64> {
    let mut command = Command::new(setup.python.python());
    command.args(["-c", SCRIPT, &format!("http://{}", gateway.address), PASSWORD, &workers.to_string()]);
    command.env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False").env_remove(GATEWAY_MARK).env_remove(TASK_MARK);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut session = command.spawn().context(|| "Python cannot be run".to_owned())?;
    let failed = || Failure::new(format!("the session failed; its gateway says:\n{}", gateway.last_words()));
    let (Some(mut stdin), Some(stdout)) = (session.stdin.take(), session.stdout.take()) else { return Err(failed()) };
    let mut lines = BufReader::new(stdout).lines();
    match timeout(PATIENCE, lines.next_line()).await {
        Ok(Ok(Some(line))) if line == "ready" => {}
        _ => return Err(failed()),
    }
    gateway.settle().await;
    if gateway.tasks().len() <= workers {
        return Err(Failure::new("the processes of the cluster that is to end are not found".to_owned()));
    }
    let start = Instant::now();
    stdin.write_all(b"\n").await.context(|| "the session is gone".to_owned())?;
    while !gateway.tasks().is_empty() {
        if start.elapsed() > PATIENCE {
            return Err(Failure::new(format!("a cluster's end took over {} s", PATIENCE.as_secs())));
        }
        sleep(Duration::from_millis(10)).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    session.wait().await.context(|| "the session does not end".to_owned())?;
    gateway.settle().await;
    Ok(seconds)
}
