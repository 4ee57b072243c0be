//! Deploys the real template to the offline stack and keeps it until Enter is pressed: for trying things by hand, with the official client.
//! `offline-stack ['{"cluster": {"idle_timeout": 5}}' [PASS_EVERY_SECONDS]]`: settings over those of the tests, and a pass more often
//! than the schedule's once a minute.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::settings::settings;
use faregate_aws_tests::stack::{Options, Stack};
use serde_json::Value;
use std::io::Read;
use std::time::Duration;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut settings = settings();
    if let Some(more) = arguments.next() {
        merge(&mut settings, serde_json::from_str(&more).expect("the settings are JSON"));
    }
    let pass_every: u64 = arguments.next().map_or(0, |seconds| seconds.parse().expect("seconds are a number"));
    let stack = Stack::deploy(&Options { settings, ..Options::default() });
    println!("address:       {}", stack.front_door.url);
    println!("proxy address: {}", stack.relay_address());
    println!("password:      {}", stack.deployed.password);
    println!("python:        {}", faregate_aws_tests::python::dask().python().display());
    println!("It ends when Enter is pressed.");
    let enter = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    tokio::pin!(enter);
    loop {
        let period = Duration::from_secs(if pass_every == 0 { 3600 } else { pass_every });
        tokio::select! {
            _ = &mut enter => break,
            () = tokio::time::sleep(period) => if let Err(error) = stack.try_pass().await {
                eprintln!("a pass failed: {error}");
            }
        }
    }
    println!("left: {:?}", stack.left().await);
}

/// Objects into objects, everything else in place of what was there.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}
