//! Starting, and finding what was started.

use super::{Fixture, Runs, described, ids, launch, listed, new_cluster, reaches, started, stopped, until};
use faregate_core::model::{LaunchId, TaskId, TaskState};
use faregate_core::ports::{LaunchError, Launched};

/// A reply may be lost: the call is made again.
pub async fn the_same_launch_again_returns_the_same_tasks(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(3, Runs::ForEver), fixture.now());
    let first = started(fixture, &request).await;
    assert_eq!(first.len(), 3);
    assert_eq!(started(fixture, &request).await, first);
    for task in &first {
        reaches(fixture, task, TaskState::Running).await;
    }
    assert_eq!(started(fixture, &request).await, first);
    let own = listed(fixture).await.into_iter().filter(|facts| facts.launch == request.id).collect::<Vec<_>>();
    assert!(own.len() <= 3, "{own:?}");
    stopped(fixture, &first).await;
}

/// The token lives as long as its tasks are remembered.
pub async fn a_launch_whose_tasks_have_ended_starts_nothing_again(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(2, Runs::Exits(0)), fixture.now());
    let first = started(fixture, &request).await;
    let mut ended = Vec::new();
    for task in &first {
        ended.push(reaches(fixture, task, TaskState::Stopped).await);
    }
    assert_eq!(started(fixture, &request).await, first);
    for (task, ended) in first.iter().zip(ended) {
        assert_eq!(described(fixture, task).await, Some(ended));
    }
}

/// Two turns of the reconciler may overlap.
pub async fn calls_at_the_same_time_start_the_tasks_of_one_launch_once(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(2, Runs::ForEver), fixture.now());
    let call = || fixture.launcher().launch(&request, fixture.now());
    let replies = tokio::join!(call(), call(), call(), call(), call());
    let mut seen: Vec<Vec<TaskId>> = Vec::new();
    for reply in [replies.0, replies.1, replies.2, replies.3, replies.4] {
        match reply {
            Ok(Launched { tasks, .. }) => seen.push(ids(&tasks)),
            Err(LaunchError::Conflict(mut tasks)) => {
                tasks.sort();
                seen.push(tasks);
            }
            Err(LaunchError::Throttled) => {}
            Err(error) => panic!("{error}"),
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].len(), 2);
    let all =
        || async { Some(ids(&fixture.launcher().list_launch(&request.id).await.unwrap())).filter(|i| *i == seen[0]) };
    until(fixture, "exactly the two tasks of the launch", all).await;
    stopped(fixture, &seen[0]).await;
}

/// ... by one call.
pub async fn ten_workers_are_one_launch(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(10, Runs::ForEver), fixture.now());
    let tasks = started(fixture, &request).await;
    assert_eq!(tasks.len(), 10);
    for task in &tasks {
        let facts = reaches(fixture, task, TaskState::Running).await;
        assert_eq!((facts.id, facts.launch), (task.clone(), request.id.clone()));
        assert!(task.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{task}");
        assert!(task.worker_name().parse::<u64>().is_err(), "{task}");
        assert!(facts.started_at.is_some() && facts.capacity.is_some());
    }
    stopped(fixture, &tasks).await;
}

/// Neither of one cluster nor of two.
pub async fn two_launches_have_nothing_in_common(fixture: &dyn Fixture) {
    let (here, there) = (new_cluster(), new_cluster());
    let mut all = Vec::new();
    for (cluster, n) in [(&here, 1), (&here, 2), (&there, 1)] {
        all.extend(started(fixture, &launch(cluster, n, fixture.spec(2, Runs::ForEver), fixture.now())).await);
    }
    let mut distinct = all.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 6, "{all:?}");
    stopped(fixture, &all).await;
}

/// A call that was frozen half-way must not land after everyone has stopped counting on it.
pub async fn a_launch_after_its_window_is_not_made(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(1, Runs::ForEver), fixture.now());
    let late = fixture.launcher().launch(&request, request.not_after + 1).await;
    assert!(matches!(late, Err(LaunchError::Unknown(_))), "{late:?}");
    fixture.pause().await;
    assert_eq!(fixture.launcher().list_launch(&request.id).await.unwrap(), []);
}

/// For good: it is not tried again.
pub async fn a_launch_of_nothing_is_refused(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(0, Runs::ForEver), fixture.now());
    let refused = fixture.launcher().launch(&request, fixture.now()).await;
    assert!(matches!(refused, Err(LaunchError::Rejected(_))), "{refused:?}");
}

/// Sooner or later: lists may be behind.
pub async fn descriptions_and_lists_agree(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let request = launch(&cluster, 1, fixture.spec(2, Runs::ForEver), fixture.now());
    let tasks = started(fixture, &request).await;
    for task in &tasks {
        reaches(fixture, task, TaskState::Running).await;
    }
    let agree = || async {
        let described = fixture.launcher().describe(&tasks).await.unwrap();
        let mut of_launch = fixture.launcher().list_launch(&request.id).await.unwrap();
        let mut of_all = listed(fixture).await;
        of_all.retain(|facts| facts.launch == request.id);
        of_launch.sort_by(|a, b| a.id.cmp(&b.id));
        of_all.sort_by(|a, b| a.id.cmp(&b.id));
        let described: Vec<_> = described.into_iter().flatten().collect();
        (described.len() == 2 && described == of_launch && described == of_all).then_some(())
    };
    until(fixture, "descriptions and lists that agree", agree).await;
    stopped(fixture, &tasks).await;
    let gone = || async { listed(fixture).await.iter().all(|facts| facts.launch != request.id).then_some(()) };
    until(fixture, "a list without what is at rest", gone).await;
    assert_eq!(ids(&fixture.launcher().list_launch(&request.id).await.unwrap()), tasks);
}

/// However few fit on a page.
pub async fn a_list_holds_every_task_once_however_many_pages_it_has(fixture: &dyn Fixture) {
    let mut expected = Vec::new();
    for cluster in [new_cluster(), new_cluster()] {
        expected.extend(started(fixture, &launch(&cluster, 1, fixture.spec(4, Runs::ForEver), fixture.now())).await);
    }
    expected.sort();
    let complete = || async {
        let mut found = ids(&listed(fixture).await);
        found.retain(|id| expected.contains(id));
        (found == expected).then_some(())
    };
    until(fixture, "every task exactly once", complete).await;
    stopped(fixture, &expected).await;
}

/// Gone long ago, or never was: nobody can tell.
pub async fn unknown_ids_are_unknown_and_can_be_stopped(fixture: &dyn Fixture) {
    let cluster = new_cluster();
    let tasks = started(fixture, &launch(&cluster, 1, fixture.spec(1, Runs::ForEver), fixture.now())).await;
    let nobody = TaskId("t00000000deadbeef".to_owned());
    reaches(fixture, &tasks[0], TaskState::Running).await;
    let asked = [nobody.clone(), tasks[0].clone(), nobody.clone()];
    let described = fixture.launcher().describe(&asked).await.unwrap();
    assert_eq!(described.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    fixture.launcher().stop(&nobody).await.unwrap();
    assert_eq!(fixture.launcher().list_launch(&LaunchId::new(&cluster, 99)).await.unwrap(), []);
    stopped(fixture, &tasks).await;
}
