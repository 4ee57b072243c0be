//! What ECS tells of its tasks: at least once, in any order, or never. Each event writes its task's item, and wakes its cluster.

use aws_lambda_events::sqs::SqsEvent;
use faregate_ecs::event::task_facts;
use faregate_functions::{Aws, Settings, Taken, chain, each, gateway, init_logs};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let gateway = gateway(&settings, &Aws::load().await, None).await?.gateway;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let gateway = gateway.clone();
        async move { Ok::<_, Error>(each(event.payload, move |body| take(gateway.clone(), body)).await) }
    }))
    .await
}

async fn take(gateway: std::sync::Arc<faregate::gateway::Gateway>, body: String) -> Taken {
    let facts = match task_facts(&body) {
        Ok(Some(facts)) => facts,
        Ok(None) => return Taken::Yes, // a task of somebody else
        Err(error) => {
            tracing::error!(error = chain(&error), "an event cannot be read");
            return Taken::No;
        }
    };
    match gateway.task_event(&facts).await {
        Ok(()) => Taken::Yes,
        Err(error) => {
            tracing::warn!(task = %facts.id, %error, "an event was not taken in; it comes again");
            Taken::No
        }
    }
}
