//! What a cluster's start is made of: the moments that client, gateway, supervisors and dask wrote down, in one order.

use crate::failure::{Context, Failure, Outcome};
use crate::gateway::{Gateway, Kind, Schedulers};
use crate::http::PASSWORD;
use crate::processes::{GATEWAY_MARK, TASK_MARK};
use crate::setup::Setup;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const SCRIPT: &str = include_str!("anatomy.py");
const PATIENCE: Duration = Duration::from_secs(240);

/// Lines of dask's own logs that end a step, and what it was.
const STEPS: [(&str, &str); 8] = [
    ("distributed.scheduler - INFO - ---", "scheduler: Python has started and imported dask"),
    ("Creating preload: dask_gateway", "scheduler: our preload is imported"),
    ("distributed.scheduler - INFO - State start", "scheduler: preloads and dashboard are imported"),
    ("dashboard at:", "scheduler: it listens"),
    ("Start Nanny at", "worker: Python has started, imported dask, and the nanny listens"),
    ("Start worker at", "worker: the worker's own process has started and listens"),
    ("Registered to", "worker: it is connected"),
    ("Register worker addr", "scheduler: it knows the worker"),
];

/// Starts a cluster of ours once to warm up, then once to be told of.
pub async fn tell(setup: &Setup) -> Outcome<String> {
    let gateway = Gateway::start(setup, Kind::Ours, Schedulers::Dask).await?;
    session(setup, &gateway).await?;
    let (name, mut moments) = session(setup, &gateway).await?;
    moments.extend(of_tasks(&gateway.data().join("clusters").join(&name))?);
    gateway.stop().await?;
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, mut before) = (moments[0].0, moments[0].0);
    let mut text = "   since the start  since the last\n".to_owned();
    for (at, what) in moments {
        text += &format!("{:>15.0} ms {:>12.0} ms  {what}\n", (at - first) * 1e3, (at - before) * 1e3);
        before = at;
    }
    Ok(text)
}

/// A moment, in seconds since the epoch, and what had happened by then.
type Moment = (f64, String);

async fn session(setup: &Setup, gateway: &Gateway) -> Outcome<(String, Vec<Moment>)> {
    let mut command = Command::new(setup.python.python());
    command.args(["-c", SCRIPT, &format!("http://{}", gateway.address), PASSWORD]);
    command.env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False").env_remove(GATEWAY_MARK).env_remove(TASK_MARK);
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let output = output.context(|| "a cluster's start took too long".to_owned())?;
    let output = output.context(|| "Python cannot be run".to_owned())?;
    let said: Result<(String, BTreeMap<String, f64>), _> = serde_json::from_slice(&output.stdout);
    let Ok((name, at)) = said else {
        return Err(Failure::new(format!("the session failed:\n{}", String::from_utf8_lossy(&output.stderr))));
    };
    gateway.settle().await;
    Ok((name, at.into_iter().map(|(what, at)| (at, format!("client: {what}"))).collect()))
}

/// What the files of a cluster's tasks say.
fn of_tasks(cluster: &Path) -> Outcome<Vec<Moment>> {
    let mut moments = Vec::new();
    for launch in files(&cluster.join("launches"))? {
        let record: Value = read(&launch)?;
        let role = record["role"].as_str().unwrap_or_default().to_owned();
        moments.extend(ms(&record["accepted_at"]).map(|at| (at, format!("{role}: its supervisor waits"))));
        for task in record["tasks"].as_object().into_iter().flat_map(|tasks| tasks.keys()) {
            let dir = cluster.join("tasks").join(task);
            let started: Value = read(&dir.join("started.json"))?;
            moments.extend(ms(&started["at"]).map(|at| (at, format!("{role}: its supervisor has its order"))));
            let log = std::fs::read_to_string(dir.join("log")).context(|| format!("no log of {task}"))?;
            moments.extend(of_log(&log, ms(&started["at"]).unwrap_or_default()));
        }
    }
    Ok(moments)
}

/// The first line of each step; lines begin as `2026-11-30 14:12:58,377 - `.
fn of_log(log: &str, near: f64) -> Vec<Moment> {
    let first = |(mark, what): (&str, &str)| {
        let line = log.lines().find(|line| line.contains(mark) && line.get(23..26) == Some(" - "))?;
        Some((local_time(line.get(..23)?, near)?, what.to_owned()))
    };
    STEPS.into_iter().filter_map(first).collect()
}

/// The moment of a local time `2026-11-30 14:12:58,377`, which is not far from `near`: time zones are whole quarters of an hour apart.
fn local_time(text: &str, near: f64) -> Option<f64> {
    let mut parts = text.get(11..)?.split([':', ',']).map(|part| part.parse::<f64>().ok());
    let mut part = || parts.next().flatten();
    let of_day = part()? * 3600.0 + part()? * 60.0 + part()? + part()? / 1e3;
    Some(of_day + ((near - of_day) / 900.0).round() * 900.0)
}

fn ms(value: &Value) -> Option<f64> {
    Some(value.as_i64()? as f64 / 1e3)
}

fn files(dir: &Path) -> Outcome<Vec<std::path::PathBuf>> {
    let entries = std::fs::read_dir(dir).context(|| format!("`{}` cannot be read", dir.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect())
}

fn read(path: &Path) -> Outcome<Value> {
    let bytes = std::fs::read(path).context(|| format!("`{}` cannot be read", path.display()))?;
    serde_json::from_slice(&bytes).context(|| format!("`{}` is no JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logs_local_time_is_the_moment_that_is_near() {
        let log = "2026-11-30 19:42:58,377 - distributed.scheduler - INFO - State start\nlater\n";
        // 14:12:58 UTC, written down five and a half hours east
        assert_eq!(of_log(log, 1_796_047_970.0), [(1_796_047_978.377, STEPS[2].1.to_owned())]);
        assert_eq!(of_log("2026-11-30 State start", 0.0), []);
    }
}
