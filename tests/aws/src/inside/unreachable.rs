//! No way to the schedulers, as where the relay is down.

use async_trait::async_trait;
use faregate_core::ports::{Answer, Ask, SchedulerError, Schedulers};

/// Every question fails on its way.
pub(super) struct Unreachable;

#[async_trait]
impl Schedulers for Unreachable {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let fails = |_| Err(SchedulerError::Relay("the relay is down".into()));
        asks.into_iter().map(fails).collect()
    }
}
