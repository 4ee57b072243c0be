//! The one-machine queue: the suite of every queue.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use faregate_cli::wakes::LocalWakes;
use faregate_core::ports::{Wake, Wakes};
use faregate_tests::wakes_suite::Fixture;

struct Local(LocalWakes);

#[async_trait]
impl Fixture for Local {
    fn wakes(&self) -> &dyn Wakes {
        &self.0
    }

    async fn next(&self) -> Wake {
        let wake = self.0.next().await;
        self.0.done(wake.clone(), true);
        wake
    }
}

faregate_tests::wakes_suite!(Local(LocalWakes::new()));
