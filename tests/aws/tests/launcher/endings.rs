//! Why tasks end, in words; and the events that tell of it.

use crate::fargate::{Fargate, task_logs};
use fake_ecs::{FakeEcs, StartFailures};
use faregate_core::model::{TaskFacts, TaskState};
use faregate_ecs::event::{TaskEvent, failed_by_itself, read};
use faregate_tests::launcher_suite::{Fixture, Runs, launch, new_cluster, reaches, started, stopped};
use std::collections::BTreeSet;

async fn rest_of(fargate: &Fargate, runs: Runs, happens: impl FnOnce(&str)) -> TaskFacts {
    let task = started(fargate, &launch(&new_cluster(), 1, fargate.spec(1, runs), fargate.now())).await.remove(0);
    reaches(fargate, &task, TaskState::Running).await;
    happens(&task.0);
    reaches(fargate, &task, TaskState::Stopped).await
}

async fn rest_of_ended(fargate: &Fargate, runs: Runs) -> TaskFacts {
    let task = started(fargate, &launch(&new_cluster(), 1, fargate.spec(1, runs), fargate.now())).await.remove(0);
    reaches(fargate, &task, TaskState::Stopped).await
}

#[tokio::test]
async fn a_task_that_runs_out_of_memory_says_so_and_how_much_it_had() {
    let fargate = Fargate::start().await;
    let rest = rest_of(&fargate, Runs::ForEver, |task| assert!(fargate.ecs.run_out_of_memory(task))).await;
    assert_eq!(rest.exit_code, Some(137));
    assert_eq!(rest.stop_reason.as_deref(), Some("it ran out of memory: the task has 2 GiB (exit code 137)"));
}

#[tokio::test]
async fn the_last_line_of_a_task_that_failed_is_in_its_log_when_it_has_stopped() {
    let (fargate, logs) = (Fargate::start().await, task_logs());
    let rest = rest_of_ended(&fargate, Runs::Exits(3)).await;
    assert!(failed_by_itself(&rest), "{rest:?}");
    assert_eq!(logs.last_lines(&rest.id).await, ["so it ends"]);
    let rest = rest_of(&fargate, Runs::ForEver, |task| assert!(fargate.ecs.kill(task))).await;
    assert!(failed_by_itself(&rest), "{rest:?}");
    assert_eq!(logs.last_lines(&rest.id).await, [""; 0], "it wrote nothing");
}

#[tokio::test]
async fn spot_that_takes_its_capacity_back_is_named() {
    let fargate = Fargate::without_processes().await;
    let rest = rest_of(&fargate, Runs::ForEver, |task| assert!(fargate.ecs.interrupt(task))).await;
    assert_eq!(rest.stop_code.as_deref(), Some("SpotInterruption"));
    assert!(rest.stop_reason.as_ref().is_some_and(|why| why.contains("Spot capacity was taken back")), "{rest:?}");
}

#[tokio::test]
async fn what_aws_stops_lost_its_place_and_what_ends_by_itself_did_not() {
    type Stop = fn(&FakeEcs, &str) -> bool;
    let fargate = Fargate::without_processes().await;
    let moved: [Stop; 3] = [FakeEcs::interrupt, FakeEcs::retire, FakeEcs::rebalance];
    let stops = moved.map(|stop| (stop, true)).into_iter().chain([(FakeEcs::kill as Stop, false)]);
    for (stop, lost) in stops {
        let rest = rest_of(&fargate, Runs::ForEver, |task| assert!(stop(&fargate.ecs, task))).await;
        assert_eq!(rest.lost_to_platform, lost, "{rest:?}");
    }
}

#[tokio::test]
async fn starts_that_fail_by_nobodys_fault_are_told_from_an_image_that_is_not_there() {
    let fargate = Fargate::without_processes().await;
    fargate.ecs.turn(|knobs| {
        knobs.start_failures = StartFailures { rate: 1.0, seed: 1 };
        knobs.unpullable_images = ["nobody/nothing:1".to_owned()].into();
    });
    let mut reasons = BTreeSet::new();
    for n in 1..4 {
        let request = launch(&new_cluster(), n, fargate.spec(10, Runs::ForEver), fargate.now());
        for task in started(&fargate, &request).await {
            let rest = reaches(&fargate, &task, TaskState::Stopped).await;
            assert!(rest.lost_to_platform && rest.started_at.is_none(), "{rest:?}");
            reasons.extend(rest.stop_reason);
        }
    }
    assert!(reasons.len() > 3, "{reasons:?}");
    fargate.ecs.turn(|knobs| knobs.start_failures.rate = 0.0);
    let mut spec = fargate.spec(1, Runs::ForEver);
    spec.image = Some("nobody/nothing:1".into());
    let task = started(&fargate, &launch(&new_cluster(), 1, spec, fargate.now())).await.remove(0);
    assert!(!reaches(&fargate, &task, TaskState::Stopped).await.lost_to_platform);
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_named_and_its_task_never_ran() {
    let fargate = Fargate::start().await;
    fargate.ecs.turn(|knobs| knobs.unpullable_images = ["nobody/nothing:1".to_owned()].into());
    let mut spec = fargate.spec(1, Runs::ForEver);
    spec.image = Some("nobody/nothing:1".into());
    let task = started(&fargate, &launch(&new_cluster(), 1, spec, fargate.now())).await.remove(0);
    let rest = reaches(&fargate, &task, TaskState::Stopped).await;
    let why = rest.stop_reason.clone().unwrap();
    assert!(why.starts_with("the image `nobody/nothing:1` cannot be pulled: "), "{why}");
    assert_eq!((rest.started_at, rest.exit_code), (None, None));
}

#[tokio::test]
async fn a_task_without_its_environment_file_says_what_is_missing() {
    let fargate = Fargate::start().await;
    let cluster = new_cluster();
    fargate.launcher().discard(&cluster).await.unwrap();
    let task = started(&fargate, &launch(&cluster, 1, fargate.spec(1, Runs::ForEver), fargate.now())).await.remove(0);
    let rest = reaches(&fargate, &task, TaskState::Stopped).await;
    let why = rest.stop_reason.unwrap();
    assert!(why.starts_with("the task could not be set up: "), "{why}");
}

#[tokio::test]
async fn a_task_in_a_subnet_without_addresses_says_so() {
    let fargate = Fargate::without_processes().await;
    fargate.ecs.turn(|knobs| knobs.full_subnets = ["subnet-a".to_owned(), "subnet-b".to_owned()].into());
    let spec = fargate.spec(1, Runs::ForEver);
    let task = started(&fargate, &launch(&new_cluster(), 1, spec, fargate.now())).await.remove(0);
    let rest = reaches(&fargate, &task, TaskState::Stopped).await;
    let why = rest.stop_reason.unwrap();
    assert!(why.starts_with("the subnet has no free address left: ") && why.contains("subnet-"), "{why}");
}

#[tokio::test]
async fn events_say_what_descriptions_say() {
    let fargate = Fargate::start().await;
    let request = launch(&new_cluster(), 1, fargate.spec(1, Runs::Exits(3)), fargate.now());
    let task = started(&fargate, &request).await.remove(0);
    let rest = reaches(&fargate, &task, TaskState::Stopped).await;
    let events = fargate.ecs.events();
    let facts = |event: &serde_json::Value| match read(&event.to_string()).unwrap() {
        Some(TaskEvent::Changed(facts)) => *facts,
        other => panic!("{other:?}"),
    };
    let facts: Vec<TaskFacts> = events.iter().map(facts).collect();
    assert!(facts.windows(2).all(|pair| pair[0].version < pair[1].version && pair[0].state <= pair[1].state));
    assert_eq!(facts.last(), Some(&rest));
    assert_eq!(rest.stop_reason.as_deref(), Some("exited with code 3"));
}

#[tokio::test]
async fn a_stop_says_who_asked_for_it() {
    let fargate = Fargate::without_processes().await;
    let request = launch(&new_cluster(), 1, fargate.spec(1, Runs::ForEver), fargate.now());
    let task = started(&fargate, &request).await.remove(0);
    stopped(&fargate, std::slice::from_ref(&task)).await;
    let rest = reaches(&fargate, &task, TaskState::Stopped).await;
    assert_eq!(rest.stop_code.as_deref(), Some("UserInitiated"));
    assert!(rest.stop_reason.is_some_and(|why| why.starts_with("stopped by the gateway")));
}
