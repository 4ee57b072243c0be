//! Ends, asked for or not.

use super::{Fixture, Runs, described, launch, new_cluster, reaches, started, stopped};
use faregate_core::model::{Task, TaskState};
use std::time::{Duration, Instant};

/// However often it is asked for.
pub async fn a_task_that_is_stopped_comes_to_rest_and_stays_there(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let tasks = started(fixture, &launch(&cluster, 1, fixture.spec(2, Runs::ForEver), fixture.now())).await;
    reaches(fixture, &tasks[0], TaskState::Running).await;
    for _ in 0..3 {
        fixture.launcher().stop(&tasks[0]).await.unwrap();
    }
    let rest = reaches(fixture, &tasks[0], TaskState::Stopped).await;
    assert!(rest.stop_code.is_some() && rest.stop_reason.is_some() && rest.stopped_at.is_some(), "{rest:?}");
    assert!(rest.stopped_at >= rest.started_at && rest.started_at >= Some(rest.accepted_at), "{rest:?}");
    fixture.launcher().stop(&tasks[0]).await.unwrap();
    assert_eq!(described(fixture, &tasks[0]).await, Some(rest));
    assert!(described(fixture, &tasks[1]).await.unwrap().state < TaskState::Stopped, "the other one goes on");
    stopped(fixture, &tasks).await;
}

/// The exit code, and what it wrote last.
pub async fn a_task_that_ends_by_itself_shows_how(fixture: &dyn Fixture) {
    for code in [0, 3] {
        let request = launch(&new_cluster(), 1, fixture.spec(1, Runs::Exits(code)), fixture.now());
        let tasks = started(fixture, &request).await;
        let rest = reaches(fixture, &tasks[0], TaskState::Stopped).await;
        assert_eq!(rest.exit_code, Some(code), "{rest:?}");
        assert!(rest.started_at.is_some() && rest.stopped_at >= rest.started_at, "{rest:?}");
        assert_eq!(fixture.written_by(&rest).await, ["so it ends"]);
    }
}

/// Whoever learns every answer in turn is never told something older.
pub async fn facts_never_go_back(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(1, Runs::ForEver), fixture.now());
    let mut answers = fixture.launcher().launch(&request, fixture.now()).await.unwrap().tasks;
    let task = answers[0].id.clone();
    let patience = Instant::now() + Duration::from_secs(120);
    while answers.last().is_none_or(|facts| facts.state != TaskState::Stopped) {
        assert!(Instant::now() < patience, "never at rest: {:?}", answers.last());
        if answers.last().is_some_and(|facts| facts.state == TaskState::Running) {
            fixture.launcher().stop(&task).await.unwrap();
        }
        let known = answers.iter().any(|facts| facts.state == TaskState::Running);
        let answer = described(fixture, &task).await;
        assert!(answer.is_some() || !known, "a running task is not forgotten");
        answers.extend(answer);
        fixture.pause().await;
    }
    let mut learned = Task::new(cluster, answers[0].clone());
    for pair in answers.windows(2) {
        assert!(pair[0].version <= pair[1].version && pair[0].state <= pair[1].state, "{pair:?}");
        assert!(pair[0].state == pair[1].state || pair[0].version < pair[1].version, "{pair:?}");
        learned.apply_facts(&pair[1], i64::MAX);
        assert_eq!(learned.facts, pair[1]);
    }
}
