//! What AWS tells of tasks: at least once, in any order, or never. What became of one writes its item, and wakes its cluster; that some will
//! be retired is written to the clusters whose schedulers are among them.
//!
//! That of a task which failed waits for the end of its log, for a moment: what the reconciler makes of the task then has its last line,
//! and no reconcile waits for a log.

use aws_lambda_events::sqs::SqsEvent;
use faregate_ecs::event::{TaskEvent, failed_by_itself, read};
use faregate_functions::{Aws, Metrics, Records, Settings, Taken, TaskLogs, chain, each, init_logs};
use faregate_gateway::TaskEvents;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let settings = Settings::from_env()?;
    let task_events = Records::new(&settings, &Aws::from_env()?).task_events(&settings);
    let logs = TaskLogs::from_env(&settings.stack)?;
    let world = Arc::new(World { task_events, logs, stack: settings.stack });
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
    stack: String,
}

async fn take(world: Arc<World>, body: String) -> Taken {
    let World { task_events, logs, stack } = &*world;
    let done = match read(&body) {
        Ok(Some(TaskEvent::Changed(mut facts))) => {
            if failed_by_itself(&facts) {
                facts.last_lines = logs.last_lines(&facts.id).await;
            }
            let applied = task_events.apply(&facts).await;
            if let (Ok(true), Some(started_at)) = (&applied, facts.started_at) {
                let took_ms = (started_at - facts.accepted_at).max(0);
                Metrics::default().with_each_ms("TaskStart", vec![took_ms]).emit(stack, started_at);
            }
            applied.map(drop).map_err(|error| (facts.id.to_string(), error))
        }
        Ok(Some(TaskEvent::Retirement { tasks, at })) => {
            let names: Vec<String> = tasks.iter().map(ToString::to_string).collect();
            task_events.announce_retirement(&tasks, &at).await.map_err(|error| (names.join(", "), error))
        }
        Ok(None) => return Taken::Yes, // a task of somebody else
        Err(error) => {
            tracing::error!(error = chain(&error), "unreadable task event");
            return Taken::No;
        }
    };
    match done {
        Ok(()) => Taken::Yes,
        Err((task, error)) => {
            tracing::warn!(task, %error, "task event failed; it is delivered again");
            Taken::No
        }
    }
}
