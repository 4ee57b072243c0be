//! Lambda's poller and `reconcile`, and the schedule with `enforce`.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::Message;
use faregate_dynamodb::DynamoStore;
use faregate_functions::{SqsWakes, WakeMessage};
use faregate_gateway::{Reconciler, Services};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One of the reconcilers: batch after batch.
pub(super) struct Reader {
    pub client: Client,
    pub queue: String,
    pub batch: i32,
    pub reconciler: Arc<Reconciler>,
    pub wakes: SqsWakes,
    pub reconciles: Arc<AtomicU64>,
    /// Percent, and within how many milliseconds.
    pub cut_off: (Arc<AtomicU64>, u64),
    pub seed: u64,
}

impl Reader {
    pub async fn run(mut self) {
        loop {
            let receive = self.client.receive_message().queue_url(&self.queue).max_number_of_messages(self.batch);
            let Ok(batch) = receive.wait_time_seconds(1).visibility_timeout(5).send().await else { continue };
            let dice: Vec<u64> = batch.messages().iter().map(|_| self.roll()).collect();
            join_all(batch.messages().iter().zip(dice).map(|(message, dice)| self.take(message, dice))).await;
        }
    }

    /// A reconcile that is cut off leaves its message, which comes again.
    async fn take(&self, message: &Message, dice: u64) {
        let body: WakeMessage = serde_json::from_str(message.body().unwrap()).unwrap();
        self.reconciles.fetch_add(1, Ordering::Relaxed);
        let handled = self.reconciler.reconcile(&body.wake);
        let (percent, within) = &self.cut_off;
        let life = if dice % 100 < percent.load(Ordering::Relaxed) { (dice >> 8) % within } else { 60_000 };
        match tokio::time::timeout(Duration::from_millis(life), handled).await {
            Err(_) => return,
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(wake = ?body.wake, %error, "reconcile failed");
                let Some((again, delay_ms)) = body.again() else { return };
                if self.wakes.send(&again, delay_ms).await.is_err() {
                    return;
                }
            }
        }
        let receipt = message.receipt_handle().unwrap();
        let _ = self.client.delete_message().queue_url(&self.queue).receipt_handle(receipt).send().await;
    }

    /// splitmix64.
    fn roll(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

pub(super) async fn enforce(services: Services, store: Arc<DynamoStore>, period_ms: u64, repaired: Arc<AtomicU64>) {
    let Services { gateway, enforcer, reconciler, .. } = services;
    for n in 0u64.. {
        tokio::time::sleep(Duration::from_millis(period_ms)).await;
        let now = gateway.now();
        let passed = async {
            let since = store.enforcement_begins(now).await.map_err(|e| e.to_string())?;
            enforcer.enforce(since).await.map_err(|e| e.to_string())?;
            match n % 5 {
                // what the first step leaves goes on by wakes
                0 => reconciler
                    .reconcile(&faregate_core::ports::Wake::OrphanScan { cursor: None })
                    .await
                    .map_err(|e| e.to_string()),
                2 => {
                    let found = enforcer.recount_active().await.map_err(|e| e.to_string())?;
                    repaired.fetch_add(found as u64, Ordering::Relaxed);
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        if let Err(error) = passed.await {
            tracing::debug!(error, "enforcement run failed");
        }
    }
}
