//! How ECS is asked for the tasks of one launch, whichever filters it takes together.

use crate::fargate::Fargate;
use fake_ecs::{Fault, Then};
use faregate_core::model::Launch;
use faregate_tests::launcher_suite::{Fixture, Runs, ids, launch, new_cluster, started, stopped};
use serde_json::Value;

/// What was asked of ListTasks: by whom tasks were started, and which status they are to have.
fn asked(fargate: &Fargate) -> Vec<(Option<String>, Option<String>)> {
    let text = |body: &Value, name: &str| body[name].as_str().map(str::to_owned);
    let bodies = fargate.ecs.bodies("ListTasks").into_iter();
    let bodies = bodies.map(|body| serde_json::from_str::<Value>(&body).unwrap());
    bodies.map(|body| (text(&body, "startedBy"), text(&body, "desiredStatus"))).collect()
}

/// A launch of four tasks, three of which were stopped, beside another of which all were.
async fn mostly_stopped(fargate: &Fargate) -> Launch {
    let [own, others] = [1, 2].map(|n| launch(&new_cluster(), n, fargate.spec(4, Runs::ForEver), fargate.now()));
    stopped(fargate, &started(fargate, &others).await).await;
    stopped(fargate, &started(fargate, &own).await[..3]).await;
    fargate.ecs.forget_calls();
    own
}

async fn finds_all_four(fargate: &Fargate, request: &Launch) {
    let found = fargate.launcher().list_launch(&request.id).await.unwrap();
    assert_eq!((ids(&found), found.len()), (started(fargate, request).await, 4));
}

#[tokio::test]
async fn running_tasks_are_listed_by_their_launch_alone_and_stopped_ones_by_their_status_as_well() {
    let fargate = Fargate::without_processes().await;
    let own = mostly_stopped(&fargate).await;
    finds_all_four(&fargate, &own).await;
    let by = Some(own.id.0.clone());
    assert_eq!(asked(&fargate), [(by.clone(), None), (by, Some("STOPPED".into()))]);
}

#[tokio::test]
async fn where_the_launch_must_be_the_only_filter_stopped_tasks_are_found_among_all_others() {
    let fargate = Fargate::without_processes().await;
    fargate.ecs.turn(|knobs| knobs.strict_filters = true);
    let own = mostly_stopped(&fargate).await;
    finds_all_four(&fargate, &own).await;
    let (by, are_stopped) = (Some(own.id.0.clone()), Some("STOPPED".to_owned()));
    let all = (None, are_stopped.clone()); // seven, on pages of three
    assert_eq!(asked(&fargate), [(by.clone(), None), (by, are_stopped), all.clone(), all.clone(), all]);
}

#[tokio::test]
async fn a_list_that_is_refused_for_another_reason_is_an_error() {
    let fargate = Fargate::without_processes().await;
    let own = mostly_stopped(&fargate).await;
    fargate.ecs.fail(Fault::next(1, "ListTasks", Then::Throttled));
    assert!(fargate.launcher().list_launch(&own.id).await.is_err());
    assert_eq!(asked(&fargate).len(), 1);
    finds_all_four(&fargate, &own).await;
}
