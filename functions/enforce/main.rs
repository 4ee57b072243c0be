//! Time itself as an event, once a minute: limits, idleness, lifetimes, silence, what is past due; every few minutes a sweep, and a step
//! of the recounts.

use faregate_core::ports::{Wake, Wakes};
use faregate_dynamodb::DynamoStore;
use faregate_functions::{Aws, Metrics, Outside, Settings, SqsWakes, chain, gateway, init_logs, key_ring, outside};
use faregate_gateway::{Gateway, RecountCursor};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Minutes between two sweeps, and at least between the beginnings of two rounds of recounts.
const EVERY: i64 = 5;

/// What a pass is made with.
struct Parts {
    gateway: Gateway,
    store: Arc<DynamoStore>,
    wakes: Arc<SqsWakes>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let aws = Aws::from_env()?;
    let ring = key_ring(&aws.secrets(), &settings.secret).await?;
    let Outside { ports, store, wakes } = outside(&settings, &aws, None);
    let parts = Parts { gateway: gateway(&settings, ports, ring)?, store, wakes };
    // where the recounts are; should it be lost with this process, they begin anew
    let recounts = Mutex::new(None);
    let (settings, parts, recounts) = (&settings, &parts, &recounts);
    lambda_runtime::run(service_fn(async move |_: LambdaEvent<Value>| {
        let done = enforce(settings, parts, &mut *recounts.lock().await).await;
        done.inspect_err(|error| tracing::error!(error = chain(&**error), "a pass failed"))
    }))
    .await
}

async fn enforce(settings: &Settings, parts: &Parts, recounts: &mut Option<RecountCursor>) -> Result<(), Error> {
    let now = parts.gateway.now();
    let since = parts.store.pass_begins(now).await?;
    let report = parts.gateway.pass(since).await?;
    tracing::trace!(target: "faregate", ?report, "a pass");
    let metrics = Metrics::default()
        .with("ActiveClusters", report.active)
        .with("SilentClusters", report.silent)
        .with("WokenClusters", report.woken)
        .with("EndedClusters", report.ended)
        .with("MassSilence", usize::from(report.mass_silence))
        .with("ClustersOverLimits", report.over_limits)
        .with("BrokenLimits", report.broken_limits)
        .with("UnaskedSchedulers", report.unasked)
        .with_ms("IdleDelay", report.idle_delay_ms);
    metrics.emit(&settings.stack, now);
    match now / 60_000 % EVERY {
        0 => parts.wakes.wake(Wake::Sweep { cursor: None }, 0).await?,
        minute if minute == 2 || recounts.is_some() => {
            let (repaired, rest) = parts.gateway.recount_step(recounts.take()).await?;
            *recounts = rest;
            Metrics::default().with("RepairedCounters", repaired).emit(&settings.stack, now);
        }
        _ => {}
    }
    Ok(())
}
