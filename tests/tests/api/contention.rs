//! Turns of the reconciler whose saves others make impossible, again and again.

use faregate::dask::Listen;
use faregate::gateway::{Gateway, GatewayConfig, TurnError};
use faregate::model::{ClusterConfig, LaunchState, Policy, Record};
use faregate::options::Options;
use faregate::ports::{Host, Ports, Store, Wake, Write};
use faregate_tests::api::{Api, QuietRoutes};
use faregate_tests::contended::Contended;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A gateway on the same ports, `times` of whose saves meet another: of those that `which` picks.
fn contended(api: &Api, times: u32, which: fn(&[Write]) -> bool) -> (Gateway, Arc<AtomicU32>) {
    let met = Arc::new(AtomicU32::new(0));
    let counted = met.clone();
    let meets = move |writes: &[Write]| which(writes) && counted.fetch_add(1, Ordering::Relaxed) < times;
    let gateway = Gateway::new(GatewayConfig {
        ports: Ports {
            store: Arc::new(Contended { inner: api.store.clone(), meets: Box::new(meets) }),
            wakes: api.wakes.clone(),
            launcher: api.launcher.clone(),
            schedulers: api.schedulers.clone(),
            routes: Arc::new(QuietRoutes),
            host: api.host.clone(),
        },
        ring: api.gateway.ring().clone(),
        policy: Policy::fargate(),
        options: Options::default(),
        base: ClusterConfig::default(),
        api_url: "http://127.0.0.1:8000/api".into(),
        listen: Listen::loopback(),
    });
    (gateway, met)
}

fn brings_a_task(writes: &[Write]) -> bool {
    writes.iter().any(|write| matches!(write, Write::Put { record: Record::Task(_), .. }))
}

#[tokio::test]
async fn what_a_launch_brought_is_not_forgotten_however_often_others_save_first() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    let (gateway, met) = contended(&api, 100, brings_a_task);
    gateway.turn(&Wake::Cluster(name.clone())).await.unwrap();
    assert!(met.load(Ordering::Relaxed) > 100);
    let children = api.store.children(&name).await.unwrap();
    let launch = &children.launches[0].value;
    assert_eq!((launch.state, launch.calls, children.tasks.len()), (LaunchState::Accepted, 1, 1));
}

#[tokio::test]
async fn when_its_time_is_up_a_turn_leaves_what_it_learned_to_the_next() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    let (gateway, _) = contended(&api, u32::MAX, brings_a_task);
    let (begun, sent) = (api.host.now(), api.wakes.sent());
    gateway.turn(&Wake::Cluster(name.clone())).await.unwrap();
    assert!(api.host.now() - begun >= Policy::fargate().caller_life_ms);
    assert_eq!(api.wakes.sent(), sent + 1);
    assert_eq!(api.store.children(&name).await.unwrap().launches[0].value.state, LaunchState::Pending);
}

#[tokio::test]
async fn a_turn_that_has_learned_nothing_gives_way_soon() {
    let api = Api::new().await;
    let name = api.create("alice").await;
    let (gateway, met) = contended(&api, u32::MAX, |_| true);
    let gave_way = gateway.turn(&Wake::Cluster(name.clone())).await;
    assert!(matches!(gave_way, Err(TurnError::Contended(of)) if of == name));
    assert_eq!(met.load(Ordering::Relaxed), 7);
    assert!(api.store.children(&name).await.unwrap().launches.is_empty(), "nothing was called");
}
