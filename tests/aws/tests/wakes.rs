//! The queue on SQS: the suite of every queue, on two emulators.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::moto::Moto;
use faregate_core::ports::{Wake, Wakes};
use faregate_functions::{SqsWakes, WakeMessage};
use faregate_tests::wakes_suite::Fixture;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct OnSqs {
    wakes: SqsWakes,
    client: Client,
    queue: String,
}

impl OnSqs {
    async fn of_ministack() -> OnSqs {
        static MINISTACK: OnceLock<Ministack> = OnceLock::new();
        OnSqs::of(&MINISTACK.get_or_init(Ministack::start).sdk_config().await).await
    }

    async fn of_moto() -> OnSqs {
        static MOTO: OnceLock<Moto> = OnceLock::new();
        OnSqs::of(&MOTO.get_or_init(Moto::start).sdk_config().await).await
    }

    async fn of(config: &SdkConfig) -> OnSqs {
        static QUEUES: AtomicU32 = AtomicU32::new(0);
        let client = Client::new(config);
        let name = format!("wakes-{}", QUEUES.fetch_add(1, Ordering::Relaxed));
        let queue = client.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        let of_wakes = client.clone();
        OnSqs { wakes: SqsWakes::new(|| of_wakes, &queue), client, queue }
    }
}

#[async_trait]
impl Fixture for OnSqs {
    fn wakes(&self) -> &dyn Wakes {
        &self.wakes
    }

    async fn next(&self) -> Wake {
        loop {
            let receive = self.client.receive_message().queue_url(&self.queue).wait_time_seconds(1);
            let Some(message) = receive.send().await.unwrap().messages().first().cloned() else { continue };
            let receipt = message.receipt_handle().unwrap();
            self.client.delete_message().queue_url(&self.queue).receipt_handle(receipt).send().await.unwrap();
            let message: WakeMessage = serde_json::from_str(message.body().unwrap()).unwrap();
            return message.wake;
        }
    }
}

mod ministack {
    faregate_tests::wakes_suite!(super::OnSqs::of_ministack().await);
}

mod moto {
    faregate_tests::wakes_suite!(super::OnSqs::of_moto().await);
}
