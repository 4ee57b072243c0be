//! An enforcement run over many active clusters in which nothing changed, with a scheduler in twenty hanging.

use aws_sdk_dynamodb::Client;
use faregate_aws_tests::ministack::{self, Ministack};
use faregate_aws_tests::table::create_table;
use faregate_aws_tests::wire::{Call, Wire};
use faregate_dynamodb::DynamoStore;
use faregate_machine::now;
use faregate_tests::crowd::{Counted, Crowd, PERIOD_MS, STAND_INS, StandIns, WORKERS, fill};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

const SIZES: [usize; 2] = [100, 1000];
/// Keys that one BatchGetItem takes (Amazon DynamoDB API reference).
const BATCH: usize = 100;

pub async fn run() {
    let schedulers = StandIns::start(1).await.unwrap();
    println!(
        "an enforcement run in which nothing changed, over clusters of {WORKERS} workers; one scheduler in {STAND_INS} hangs:"
    );
    for clusters in SIZES {
        let ministack = Ministack::start();
        let plain = ministack.sdk_config().await;
        create_table(&Client::new(&plain), "enforcement").await;
        let crowd = Crowd { clusters, schedulers: schedulers.addresses.clone(), now: now() };
        fill(&DynamoStore::new(move || Client::new(&plain), "enforcement"), &crowd).await;
        let wire = Wire::start(&ministack.url).await;
        let client = Client::new(&ministack::sdk_config(&wire.url).await);
        let gateway = Counted::new(Arc::new(DynamoStore::new(|| client, "enforcement")));
        let since = crowd.now - PERIOD_MS;
        gateway.enforcer.enforce(since).await.unwrap();
        let first = wire.take().iter().filter(|call| is_write(call)).count();
        gateway.store.take();
        gateway.schedulers.take();
        gateway.advance_until_all_are_due();
        let begins = Instant::now();
        let report = gateway.enforcer.enforce(since).await.unwrap();
        let took = begins.elapsed().as_secs_f64();
        let (calls, questions) = (wire.take(), gateway.schedulers.take());
        println!("  {clusters} clusters, {} workers:", clusters as i64 * WORKERS);
        println!("    {:<44}{:>8}{:>22}", "calls", "", "for each cluster");
        for (what, count) in kinds(&calls) {
            println!("    {what:<44}{count:>8}{:>22.3}", count as f64 / clusters as f64);
        }
        for (method, count) in gateway.store.take().into_iter().filter(|(_, count)| count.read + count.written > 0) {
            let (read, written) = (count.read as f64 / clusters as f64, count.written);
            println!("    items of `{method}`: {read:.3} read for each cluster, {written} written");
        }
        println!(
            "    {} schedulers asked whether they are idle, of whom {} did not answer; {} questions left for the next run",
            questions.idle.len(),
            questions.unanswered.len(),
            report.unasked
        );
        println!(
            "    {took:.1} s, of which {:.1} s waiting for schedulers; the rest is the emulator's speed, not DynamoDB's",
            questions.waited.as_secs_f64()
        );
        println!("    the first run, which remembers the limits, made {first} calls that write");
    }
    println!();
}

fn is_write(call: &Call) -> bool {
    ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"]
        .iter()
        .any(|action| call.action.ends_with(action))
}

/// How many calls there are of each kind; full batches apart from others.
fn kinds(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for call in calls {
        let body = call.json();
        let kind = match call.action.as_str() {
            "dynamodb:Scan" if call.resource.contains("/index/") => "dynamodb:Scan of the index".to_owned(),
            "dynamodb:BatchGetItem" => {
                let keys = body["RequestItems"]["enforcement"]["Keys"].as_array().map_or(0, Vec::len);
                let full = if keys == BATCH { "of 100 keys" } else { "of fewer keys" };
                format!("dynamodb:BatchGetItem {full}")
            }
            action => action.to_owned(),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}
