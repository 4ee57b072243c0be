//! The reconciler: takes wakes, and alone starts and stops tasks. One cluster's error is a later wake of its own, never a failed batch.

use aws_lambda_events::sqs::SqsEvent;
use faregate_ecs::EcsLauncher;
use faregate_functions::{Aws, Parts, Settings, Taken, WakeMessage, chain, each, ecs_settings, gateway, init_logs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let parts =
        parts().await.inspect_err(|error| tracing::error!(error = chain(&**error), "the reconciler cannot start"))?;
    let parts = Arc::new(parts);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let parts = parts.clone();
        async move { Ok::<_, Error>(each(event.payload, move |body| turn(parts.clone(), body)).await) }
    }))
    .await
}

async fn parts() -> Result<Parts, Error> {
    let settings = Settings::from_env()?;
    let aws = Aws::load().await;
    let launcher = EcsLauncher::new(ecs_settings(&settings.stack)?, aws.ecs(), aws.s3());
    Ok(gateway(&settings, &aws, Some(Arc::new(launcher))).await?)
}

async fn turn(parts: Arc<Parts>, body: String) -> Taken {
    let message: WakeMessage = match serde_json::from_str(&body) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(body, %error, "this is no wake");
            return Taken::No;
        }
    };
    let Err(error) = parts.gateway.turn(&message.wake).await else { return Taken::Yes };
    tracing::warn!(wake = ?message.wake, failed = message.failed, error = chain(&error), "a turn failed; it is taken again");
    match message.again() {
        Some((again, delay_ms)) if parts.wakes.send(&again, delay_ms).await.is_ok() => Taken::Yes,
        _ => Taken::No,
    }
}
