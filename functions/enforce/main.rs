//! Time itself as an event, once a minute: limits, idleness, lifetimes, silence, what is past due; every few minutes an orphan scan, and
//! a step of the recounts.

use faregate_core::ports::{Wake, Wakes};
use faregate_functions::{Aws, Metrics, Records, RelaySchedulers, Settings, chain, init_logs, key_ring, schedulers};
use faregate_gateway::{Enforcer, RecountCursor};
use faregate_machine::now;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Minutes between two orphan scans, and at least between the beginnings of two rounds of recounts.
const EVERY: i64 = 5;

/// What an enforcement run is made with.
struct Parts {
    enforcer: Enforcer,
    relay: Arc<RelaySchedulers>,
    records: Records,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let aws = Aws::from_env()?;
    let ring = key_ring(&aws.secrets(), &settings.secret).await?;
    let records = Records::new(&settings, &aws);
    let relay = schedulers(&settings, &aws)?;
    let enforcer = Enforcer::new(records.context(&settings, ring), relay.clone());
    let parts = Parts { enforcer, relay, records };
    // where the recounts are; should it be lost with this process, they begin anew
    let recounts = Mutex::new(None);
    let (settings, parts, recounts) = (&settings, &parts, &recounts);
    lambda_runtime::run(service_fn(async move |_: LambdaEvent<Value>| {
        let done = enforce(settings, parts, &mut *recounts.lock().await).await;
        done.inspect_err(|error| tracing::error!(error = chain(&**error), "enforcement run failed"))
    }))
    .await
}

async fn enforce(settings: &Settings, parts: &Parts, recounts: &mut Option<RecountCursor>) -> Result<(), Error> {
    let now = now();
    let since = parts.records.store.enforcement_begins(now).await?;
    let report = parts.enforcer.enforce(since).await?;
    tracing::trace!(target: "faregate", ?report, "enforcement run");
    let metrics = Metrics::default()
        .with("ActiveClusters", report.active)
        .with("SilentClusters", report.silent)
        .with("WokenClusters", report.woken)
        .with("EndedClusters", report.ended)
        .with("MassSilence", usize::from(report.mass_silence))
        .with("ClustersOverLimits", report.over_limits)
        .with("BrokenLimits", report.broken_limits)
        .with("UnaskedSchedulers", report.unasked)
        .with("WaitingForCapacity", report.blocked.capacity)
        .with("Throttled", report.blocked.throttled)
        .with("WaitingForPermissions", report.blocked.permissions)
        .with("RefusedLaunches", report.blocked.refused)
        .with("WaitingForLimits", report.blocked.limits)
        .with_ms("IdleDelay", report.idle_delay_ms)
        .with_each_ms("ClusterStart", report.starts_ms);
    metrics.emit(&settings.stack, now);
    match now / 60_000 % EVERY {
        0 => parts.records.wakes.wake(Wake::OrphanScan { cursor: None }, 0).await?,
        1 => {
            if let Err(error) = parts.relay.keep_ready().await {
                tracing::warn!(error, "relay failed; schedulers cannot be asked");
            }
        }
        minute if minute == 2 || recounts.is_some() => {
            let (repaired, rest) = parts.enforcer.recount_step(recounts.take()).await?;
            *recounts = rest;
            Metrics::default().with("RepairedCounters", repaired).emit(&settings.stack, now);
        }
        _ => {}
    }
    Ok(())
}
