//! The way to the schedulers' own HTTP APIs, from within their network. It makes no call to AWS.

use faregate_core::ports::{Answer, Ask, SchedulerError, Schedulers};
use faregate_dask::HttpSchedulers;
use faregate_functions::init_logs;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use std::time::Duration;

/// A question to a scheduler is given up after this time.
const QUESTION: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logs();
    let schedulers = HttpSchedulers::new(QUESTION);
    let schedulers = &schedulers;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Vec<Ask>>| {
        let answers: Vec<Result<Answer, SchedulerError>> = schedulers.ask(event.payload).await;
        tracing::trace!(target: "faregate", answers = answers.len(), "schedulers were asked");
        Ok::<_, Error>(answers)
    }))
    .await
}
