//! Time itself as an event, once a minute: limits, idleness, lifetimes, silence, what is past due; every few minutes the sweep and the
//! recount.

use faregate::model::Ms;
use faregate::ports::{Wake, Wakes};
use faregate_functions::{Aws, Metrics, Parts, Settings, chain, gateway, init_logs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

/// Passes between two sweeps, and between two recounts (which take turns).
const EVERY: Ms = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let parts = gateway(&settings, &Aws::load().await, None).await?;
    let (settings, parts) = (&settings, &parts);
    lambda_runtime::run(service_fn(async move |_: LambdaEvent<Value>| {
        enforce(settings, parts).await.inspect_err(|error| tracing::error!(error = chain(&**error), "a pass failed"))
    }))
    .await
}

async fn enforce(settings: &Settings, parts: &Parts) -> Result<(), Error> {
    let now = parts.gateway.now();
    let since = parts.store.pass_begins(now).await?;
    let report = parts.gateway.pass(since).await?;
    tracing::trace!(target: "faregate", ?report, "a pass");
    let metrics = Metrics::default()
        .with("ActiveClusters", report.active as f64)
        .with("SilentClusters", report.silent as f64)
        .with("WokenClusters", report.woken as f64)
        .with("EndedClusters", report.ended as f64)
        .with("MassSilence", f64::from(u8::from(report.mass_silence)));
    metrics.emit(&settings.stack, now);
    match now / 60_000 % EVERY {
        0 => parts.wakes.wake(Wake::Sweep { cursor: None }, 0).await?,
        2 => drop(parts.gateway.recount_active().await?),
        _ => {}
    }
    Ok(())
}
