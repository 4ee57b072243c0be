//! The reconciler: takes wakes, and alone starts and stops tasks. One cluster's error is a later wake of its own, never a failed batch.

use aws_lambda_events::sqs::SqsEvent;
use faregate_core::command::Listen;
use faregate_ecs::EcsLauncher;
use faregate_functions::{
    Aws, Records, RecordsAreRoutes, Settings, SqsWakes, Taken, WakeMessage, chain, each, ecs_settings, init_logs,
    key_ring, schedulers,
};
use faregate_gateway::Reconciler;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let parts =
        parts().await.inspect_err(|error| tracing::error!(error = chain(&**error), "reconcile start failed"))?;
    let parts = Arc::new(parts);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let parts = parts.clone();
        async move { Ok::<_, Error>(each(event.payload, move |body| reconcile(parts.clone(), body)).await) }
    }))
    .await
}

/// What a wake is handled with.
struct Parts {
    reconciler: Reconciler,
    wakes: Arc<SqsWakes>,
}

async fn parts() -> Result<Parts, Error> {
    let settings = Settings::from_env()?;
    let aws = Aws::from_env()?;
    let ring = key_ring(&aws.secrets(), &settings.secret).await?;
    let launcher = EcsLauncher::new(ecs_settings(&settings.stack)?, aws.later(Aws::ecs), aws.later(Aws::s3));
    let records = Records::new(&settings, &aws);
    let (context, schedulers) = (records.context(&settings, ring), schedulers(&settings, &aws)?);
    let (api_url, listen) = (settings.api_url.clone(), Listen::own_address());
    let reconciler =
        Reconciler::new(context, Arc::new(launcher), Arc::new(RecordsAreRoutes), schedulers, api_url, listen);
    Ok(Parts { reconciler, wakes: records.wakes })
}

async fn reconcile(parts: Arc<Parts>, body: String) -> Taken {
    let message: WakeMessage = match serde_json::from_str(&body) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(body, %error, "unreadable wake");
            return Taken::No;
        }
    };
    let Err(error) = parts.reconciler.reconcile(&message.wake).await else { return Taken::Yes };
    tracing::warn!(wake = ?message.wake, failed = message.failed, error = chain(&error), "reconcile failed; it is tried again");
    match message.again() {
        Some((again, delay_ms)) if parts.wakes.send(&again, delay_ms).await.is_ok() => Taken::Yes,
        _ => Taken::No,
    }
}
