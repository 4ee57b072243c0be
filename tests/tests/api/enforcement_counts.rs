//! What an enforcement run over many clusters reads and writes.

use faregate_machine::now;
use faregate_sqlite::SqliteStore;
use faregate_tests::crowd::{Counted, Crowd, PERIOD_MS, StandIns, fill};
use std::sync::Arc;

const CLUSTERS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn an_enforcement_run_reads_an_index_row_and_a_heartbeat_of_each_cluster_and_writes_nothing_where_nothing_changed()
 {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&dir.path().join("store.sqlite")).unwrap());
    let schedulers = StandIns::start(0).await.unwrap();
    let crowd = Crowd { clusters: CLUSTERS, schedulers: schedulers.addresses.clone(), now: now() };
    fill(&*store, &crowd).await;
    let gateway = Counted::new(store);
    let since = crowd.now - PERIOD_MS;
    gateway.enforcer.enforce(since).await.unwrap();
    let limits: usize = gateway.store.take().values().map(|count| count.written).sum();
    assert_eq!(limits, crowd.limits().len(), "the first run remembers the limits, and writes nothing else");

    for n in 1..=3 {
        gateway.advance_until_all_are_due();
        gateway.schedulers.take();
        let report = gateway.enforcer.enforce(since).await.unwrap();
        let counts = gateway.store.take();
        let read = |method: &str| counts.get(method).map_or(0, |count| count.read);
        let written: usize = counts.values().map(|count| count.written).sum();
        let said = format!("run {n}: {report:?}, {counts:#?}");
        assert_eq!((report.active, written, gateway.wakes.sent()), (CLUSTERS, 0, 0), "{said}");
        assert_eq!((read("active"), read("heartbeats")), (CLUSTERS, CLUSTERS), "{said}");
        for (method, count) in &counts {
            let most = match method.as_str() {
                "active" | "heartbeats" => CLUSTERS,
                "limits" | "keep_limits" => crowd.limits().len(),
                // a look at what has been spent, for each user who has a budget
                "ledger" => crowd.clusters_with_a_budget(),
                _ => 0,
            };
            assert!(count.read <= most, "`{method}` in {said}");
        }
        assert_eq!(gateway.schedulers.take().idle.len(), CLUSTERS, "everyone is asked, {said}");
    }
}
