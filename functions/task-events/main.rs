//! What ECS tells of its tasks: at least once, in any order, or never. Each event writes its task's item, and wakes its cluster.
//!
//! That of a task which failed waits for the end of its log, for a moment: what the reconciler makes of the task then has its last line,
//! and no reconcile waits for a log.

use aws_lambda_events::sqs::SqsEvent;
use faregate_ecs::event::{failed_by_itself, task_facts};
use faregate_functions::{Aws, Records, Settings, Taken, TaskLogs, chain, each, init_logs};
use faregate_gateway::TaskEvents;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let task_events = Records::new(&settings, &Aws::from_env()?).task_events(&settings);
    let logs = TaskLogs::from_env(&settings.stack)?;
    let world = Arc::new(World { task_events, logs });
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let world = world.clone();
        async move { Ok::<_, Error>(each(event.payload, move |body| take(world.clone(), body)).await) }
    }))
    .await
}

/// What an event is taken in with.
struct World {
    task_events: TaskEvents,
    logs: TaskLogs,
}

async fn take(world: Arc<World>, body: String) -> Taken {
    let World { task_events, logs } = &*world;
    let mut facts = match task_facts(&body) {
        Ok(Some(facts)) => facts,
        Ok(None) => return Taken::Yes, // a task of somebody else
        Err(error) => {
            tracing::error!(error = chain(&error), "unreadable task event");
            return Taken::No;
        }
    };
    if failed_by_itself(&facts) {
        facts.last_lines = logs.last_lines(&facts.id).await;
    }
    match task_events.apply(&facts).await {
        Ok(()) => Taken::Yes,
        Err(error) => {
            tracing::warn!(task = %facts.id, %error, "task event failed; it is delivered again");
            Taken::No
        }
    }
}
