//! What ECS answers to a launch. Each is one call: the SDK must not try again by itself.

use crate::fargate::Fargate;
use fake_ecs::{Fault, Then, When};
use faregate_core::model::Launch;
use faregate_core::ports::{LaunchError, Launched};
use faregate_tests::launcher_suite::{Fixture, Runs, ids, launch, new_cluster, started};

/// The answer to a launch of three workers that meets a fault, after which one call was made.
async fn meets(fargate: &Fargate, then: Then) -> (Launch, Result<Launched, LaunchError>) {
    fargate.ecs.forget_calls();
    fargate.ecs.fail(Fault::next(1, "RunTask", then));
    let request = launch(&new_cluster(), 1, fargate.spec(3, Runs::ForEver), fargate.now());
    let answer = fargate.launcher().launch(&request, fargate.now()).await;
    assert_eq!(fargate.ecs.calls("RunTask"), 1, "{answer:?}");
    (request, answer)
}

fn error(status: u16, name: &str, message: &str) -> Then {
    Then::Error { status, name: name.into(), message: message.into() }
}

#[tokio::test]
async fn throttling_is_said_and_not_tried_again_here() {
    let fargate = Fargate::without_processes().await;
    assert_eq!(meets(&fargate, Then::Throttled).await.1, Err(LaunchError::Throttled));
}

#[tokio::test]
async fn some_tasks_are_a_shortfall_and_none_is_no_capacity() {
    let fargate = Fargate::without_processes().await;
    for then in [Then::NoCapacity { start: 2 }, Then::NoMemory { start: 2 }] {
        let launched = meets(&fargate, then).await.1.unwrap();
        assert_eq!(launched.tasks.len(), 2);
        assert!(launched.shortfall.is_some_and(|why| why.starts_with("no capacity")));
    }
    for then in [Then::NoCapacity { start: 0 }, Then::NoMemory { start: 0 }] {
        let answer = meets(&fargate, then).await.1;
        assert!(matches!(answer, Err(LaunchError::NoCapacity(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_missing_vcpu_quota_is_a_wait_that_names_the_quota_and_how_to_raise_it() {
    let fargate = Fargate::without_processes().await;
    let Err(LaunchError::NoCapacity(why)) = meets(&fargate, Then::VcpuLimit).await.1 else { panic!("not a wait") };
    assert!(why.contains("Fargate On-Demand vCPU resource count") && why.contains("Service Quotas"), "{why}");
}

#[tokio::test]
async fn when_spot_has_no_capacity_a_launch_on_demand_has() {
    let fargate = Fargate::without_processes().await;
    let when = When { capacity_provider: Some("FARGATE_SPOT".into()), ..When::default() };
    fargate.ecs.fail(Fault { when, ..Fault::next(9, "RunTask", Then::NoCapacity { start: 0 }) });
    let cluster = new_cluster();
    let mut spec = fargate.spec(2, Runs::ForEver);
    spec.fargate.spot = true;
    let refused = fargate.launcher().launch(&launch(&cluster, 1, spec.clone(), fargate.now()), fargate.now()).await;
    assert!(matches!(refused, Err(LaunchError::NoCapacity(_))), "{refused:?}");
    spec.fargate.spot = false;
    assert_eq!(started(&fargate, &launch(&cluster, 2, spec, fargate.now())).await.len(), 2);
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_the_same_launch_again_finds_its_tasks() {
    let fargate = Fargate::without_processes().await;
    for (nth, status) in [(1, false), (2, true)] {
        let (request, lost) = meets(&fargate, Then::ReplyLost { status }).await;
        assert!(matches!(lost, Err(LaunchError::Unknown(_))), "{lost:?}");
        let again = started(&fargate, &request).await;
        assert_eq!((again.len(), fargate.ecs.tasks().len()), (3, nth * 3), "not started twice");
        assert_eq!(ids(&fargate.launcher().list_launch(&request.id).await.unwrap()), again);
    }
}

#[tokio::test]
async fn another_request_with_the_same_token_is_told_the_tasks_of_the_first() {
    let fargate = Fargate::without_processes().await;
    let request = launch(&new_cluster(), 1, fargate.spec(3, Runs::ForEver), fargate.now());
    let first = started(&fargate, &request).await;
    let mut another = request.clone();
    another.spec.count = 2;
    let conflict = fargate.launcher().launch(&another, fargate.now()).await;
    let Err(LaunchError::Conflict(mut tasks)) = conflict else { panic!("{conflict:?}") };
    tasks.sort();
    assert_eq!(tasks, first);
}

#[tokio::test]
async fn what_can_never_work_is_refused_and_what_broke_on_the_way_is_unknown() {
    let fargate = Fargate::without_processes().await;
    let message = "The subnet ID 'subnet-a' does not exist";
    let answer = meets(&fargate, error(400, "InvalidParameterException", message)).await.1;
    assert!(matches!(&answer, Err(LaunchError::Rejected(why)) if why.contains(message)), "{answer:?}");
    let answer = meets(&fargate, error(400, "AccessDeniedException", "may not pass the role")).await.1;
    assert!(matches!(&answer, Err(LaunchError::Denied(why)) if why.contains("may not pass the role")), "{answer:?}");
    let answer = meets(&fargate, error(500, "ServerException", "try again")).await.1;
    assert!(matches!(&answer, Err(LaunchError::Unknown(_))), "{answer:?}");
    let answer = meets(&fargate, error(503, "ServiceUnavailable", "")).await.1;
    assert!(matches!(&answer, Err(LaunchError::Unknown(_))), "{answer:?}");
}

#[tokio::test]
async fn a_definition_that_cannot_be_registered_now_is_throttled() {
    let fargate = Fargate::without_processes().await;
    fargate.ecs.fail(Fault::next(1, "RegisterTaskDefinition", Then::Throttled));
    let request = launch(&new_cluster(), 1, fargate.spec(1, Runs::ForEver), fargate.now());
    let answer = fargate.launcher().launch(&request, fargate.now()).await;
    assert_eq!(answer, Err(LaunchError::Throttled));
    assert_eq!((fargate.ecs.calls("RegisterTaskDefinition"), fargate.ecs.calls("RunTask")), (1, 0));
    assert_eq!(started(&fargate, &request).await.len(), 1);
}
