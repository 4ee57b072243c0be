//! The store on DynamoDB: the suite of every store, each property on a table of its own.
#![allow(clippy::unwrap_used)]

use faregate::ports::Store;
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::table::create_table;
use faregate_dynamodb::DynamoStore;
use faregate_tests::store_suite::Running;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

fn on_dynamodb(property: impl FnOnce(Arc<dyn Store>) -> Running) {
    static MINISTACK: OnceLock<Ministack> = OnceLock::new();
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let ministack = MINISTACK.get_or_init(Ministack::start);
    let table = format!("table-{}", TABLES.fetch_add(1, Ordering::Relaxed));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = aws_sdk_dynamodb::Client::new(&ministack.sdk_config().await);
        create_table(&client, &table).await;
        property(Arc::new(DynamoStore::new(client, table))).await;
    });
}

faregate_tests::store_suite!(on_dynamodb);
