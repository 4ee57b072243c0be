//! The reconciler: takes wakes, and alone starts and stops tasks. One cluster's error is a later wake of its own, never a failed batch.

use aws_lambda_events::sqs::SqsEvent;
use faregate_ecs::EcsLauncher;
use faregate_functions::{
    Aws, Outside, Settings, SqsWakes, Taken, WakeMessage, chain, each, ecs_settings, gateway, init_logs, key_ring,
    outside,
};
use faregate_gateway::Gateway;
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

/// What a turn is taken with.
struct Parts {
    gateway: Gateway,
    wakes: Arc<SqsWakes>,
}

async fn parts() -> Result<Parts, Error> {
    let settings = Settings::from_env()?;
    let aws = Aws::from_env()?;
    let ring = key_ring(&aws.secrets(), &settings.secret).await?;
    let launcher = EcsLauncher::new(ecs_settings(&settings.stack)?, aws.later(Aws::ecs), aws.later(Aws::s3));
    let Outside { ports, wakes, .. } = outside(&settings, &aws, Some(Arc::new(launcher)));
    Ok(Parts { gateway: gateway(&settings, ports, ring)?, wakes })
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
