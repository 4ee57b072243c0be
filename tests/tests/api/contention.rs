//! Turns of the reconciler whose saves others make impossible, again and again.

use faregate_core::model::{ClusterName, LaunchState, Policy, Record};
use faregate_core::ports::{Host, Store, Wake, Write};
use faregate_gateway::ReconcileError;
use faregate_tests::api::{Api, Setup};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A gateway with a new cluster. `times` of its saves meet another, of those that write such a record; how many were tried.
async fn contended(times: u32, such: fn(&Record) -> bool) -> (Api, ClusterName, Arc<AtomicU32>) {
    let tried = Arc::new(AtomicU32::new(0));
    let counted = tried.clone();
    let meets = move |writes: &[Write]| {
        let writes_such = writes.iter().any(|write| matches!(write, Write::Put { record, .. } if such(record)));
        writes_such && counted.fetch_add(1, Ordering::Relaxed) < times
    };
    let setup = Setup { policy: Policy::fargate(), meets: Some(Box::new(meets)), ..Setup::default() };
    let api = Api::with(setup).await;
    let name = api.create("alice").await;
    (api, name, tried)
}

fn is_task(record: &Record) -> bool {
    matches!(record, Record::Task(_))
}

fn is_launch(record: &Record) -> bool {
    matches!(record, Record::Launch(_))
}

#[tokio::test]
async fn what_a_launch_brought_is_not_forgotten_however_often_others_save_first() {
    let (api, name, tried) = contended(100, is_task).await;
    api.turn(&name).await;
    assert!(tried.load(Ordering::Relaxed) > 100);
    let children = api.store.children(&name).await.unwrap();
    let launch = &children.launches[0].value;
    assert_eq!((launch.state, launch.calls, children.tasks.len()), (LaunchState::Accepted, 1, 1));
}

#[tokio::test]
async fn when_its_time_is_up_a_turn_leaves_what_it_learned_to_the_next() {
    let (api, name, _) = contended(u32::MAX, is_task).await;
    let (begun, sent) = (api.host.now(), api.wakes.sent());
    api.turn(&name).await;
    assert!(api.host.now() - begun >= Policy::fargate().max_call_ms);
    assert_eq!(api.wakes.sent(), sent + 1);
    assert_eq!(api.store.children(&name).await.unwrap().launches[0].value.state, LaunchState::Pending);
}

#[tokio::test]
async fn a_turn_that_has_learned_nothing_gives_way_soon() {
    let (api, name, tried) = contended(u32::MAX, is_launch).await;
    let gave_way = api.reconciler.reconcile(&Wake::Cluster(name.clone())).await;
    assert!(matches!(gave_way, Err(ReconcileError::Contended(of)) if of == name));
    assert_eq!(tried.load(Ordering::Relaxed), 7);
    assert!(api.store.children(&name).await.unwrap().launches.is_empty(), "nothing was called");
}
