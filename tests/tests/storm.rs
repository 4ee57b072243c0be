//! Limits hold in one process on the embedded store, whoever asks at the same moment, and whatever its writes meet.
#![allow(clippy::unwrap_used)]

use faregate_tests::storm::local::{Local, Programs};
use faregate_tests::storm::{People, blow};
use std::sync::atomic::Ordering;

async fn storm(contention_percent: u32) {
    let programs = Programs {
        supervisor: env!("CARGO_BIN_EXE_faregate-test-launcher").into(),
        dask: env!("CARGO_BIN_EXE_light-dask").into(),
    };
    let people = People::default();
    let local = Local::start(&programs, &people, contention_percent).await;
    blow(&local.host, &people, 5).await;
    assert_eq!(local.repaired.load(Ordering::SeqCst), 0, "no counter ever drifted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_at_once_exceed_no_limit_and_leave_nothing_counted() {
    storm(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_exceed_no_limit_while_a_third_of_all_writes_meets_others() {
    storm(30).await;
}
