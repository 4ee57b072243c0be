//! What ECS tells of its tasks: at least once, in any order, or never. Each event writes its task's item, and wakes its cluster.

use aws_lambda_events::sqs::SqsEvent;
use faregate::gateway::task_event;
use faregate::model::Policy;
use faregate::ports::Ports;
use faregate_ecs::event::task_facts;
use faregate_functions::{Aws, Settings, Taken, chain, each, init_logs, outside};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let world = Arc::new((outside(&settings, &Aws::from_env()?, None).ports, settings.policy));
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let world = world.clone();
        async move { Ok::<_, Error>(each(event.payload, move |body| take(world.clone(), body)).await) }
    }))
    .await
}

async fn take(world: Arc<(Ports, Policy)>, body: String) -> Taken {
    let (ports, policy) = &*world;
    let facts = match task_facts(&body) {
        Ok(Some(facts)) => facts,
        Ok(None) => return Taken::Yes, // a task of somebody else
        Err(error) => {
            tracing::error!(error = chain(&error), "an event cannot be read");
            return Taken::No;
        }
    };
    match task_event(ports, policy, &facts).await {
        Ok(()) => Taken::Yes,
        Err(error) => {
            tracing::warn!(task = %facts.id, %error, "an event was not taken in; it comes again");
            Taken::No
        }
    }
}
