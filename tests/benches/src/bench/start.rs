//! A real cluster's start, as a user with the official client sees it.

use crate::failure::{Context, Failure, Outcome};
use crate::gateway::{Gateway, Kind, Schedulers};
use crate::http::PASSWORD;
use crate::processes::{GATEWAY_MARK, TASK_MARK};
use crate::setup::Setup;
use crate::table::Row;
use crate::{Scale, step};
use serde::Deserialize;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const SCRIPT: &str = include_str!("start.py");
const PATIENCE: Duration = Duration::from_secs(240);

/// What the script says.
#[derive(Deserialize)]
struct Seconds {
    running: f64,
    result: f64,
    scaled: f64,
}

/// Measures both, in turns.
pub async fn measure(setup: &Setup, scale: &Scale, rows: &mut Vec<Row>) -> Outcome<()> {
    let place = rows.len();
    rows.extend([
        Row::no_slower("new cluster until RUNNING", "s"),
        Row::no_slower("new cluster until two workers' first result", "s"),
        Row::no_slower("scale(2) until the first result", "s"),
    ]);
    let mut gateways = Vec::new();
    for &kind in &scale.kinds {
        gateways.push(Gateway::start(setup, kind, Schedulers::Dask).await?);
    }
    // the first start of all reads Python's files from disk: for nobody's account
    first_result(setup, &gateways[0]).await?;
    for round in 1..=scale.rounds {
        step(&format!("round {round}: a cluster's start"));
        let mut order: Vec<&Gateway> = gateways.iter().collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for gateway in order {
            let seconds = first_result(setup, gateway).await?;
            let Seconds { running, result, scaled } = seconds;
            for (row, value) in rows[place..].iter_mut().zip([running, result, scaled]) {
                match gateway.kind {
                    Kind::Official => row.official.push(value),
                    Kind::Ours => row.ours.push(value),
                }
            }
        }
    }
    for gateway in gateways {
        gateway.stop().await?;
    }
    Ok(())
}

async fn first_result(setup: &Setup, gateway: &Gateway) -> Outcome<Seconds> {
    let mut command = Command::new(setup.python.python());
    command.args(["-c", SCRIPT, &format!("http://{}", gateway.address), PASSWORD]);
    command.env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False").env_remove(GATEWAY_MARK).env_remove(TASK_MARK);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await;
    let output = output
        .context(|| format!("a cluster's start took over {} s", PATIENCE.as_secs()))?
        .context(|| "Python cannot be run".to_owned())?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(format!("the session failed:\n{text}\nits gateway says:\n{}", gateway.last_words())));
    }
    let seconds = serde_json::from_slice(&output.stdout).context(|| "the session said no JSON".to_owned())?;
    at_rest(gateway).await;
    Ok(seconds)
}

/// The next session shall not share the machine with the end of the last one.
async fn at_rest(gateway: &Gateway) {
    let deadline = Instant::now() + PATIENCE;
    while !gateway.tasks().is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(100)).await;
    }
    gateway.settle().await;
}
