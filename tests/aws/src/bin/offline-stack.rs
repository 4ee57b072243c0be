//! Deploys the real template to the offline stack and keeps it until Enter is pressed: for trying things by hand, with the official client.
//! `offline-stack ['{"cluster": {"idle_timeout": 5}}' [PASS_EVERY_SECONDS]]`: settings over those of the tests, and a pass more often
//! than the schedule's once a minute.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::settings::settings;
use faregate_aws_tests::stack::{Options, Stack};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long clusters that are stopping, and the index of those that are active, are waited for.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut settings = settings();
    if let Some(more) = arguments.next() {
        merge(&mut settings, serde_json::from_str(&more).expect("the settings are JSON"));
    }
    let pass_every: u64 = arguments.next().map_or(0, |seconds| seconds.parse().expect("seconds are a number"));
    println!("Python environments are made once, and kept in {}:", faregate_tests::python::home().display());
    let python = faregate_aws_tests::python::dask().python();
    println!("  dask, for tasks and for you: {}", python.display());
    println!("  the emulator, with boto3:    {}", faregate_aws_tests::python::emulator().python().display());
    println!("  sam, which deploys:          {}", faregate_aws_tests::python::sam().python().display());
    let stack = Stack::deploy(&Options { settings, ..Options::default() });
    let (address, relay, password) = (&stack.front_door.url, stack.relay_address(), &stack.deployed.password);
    println!("address:       {address}");
    println!("proxy address: {relay}");
    println!("password:      {password}");
    println!("python:        {}", python.display());
    println!("{}", snippets(&python, address, &relay, password));
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
    println!("left: {:?}", left(&stack).await);
}

/// What can be pasted into Python, and into a shell.
fn snippets(python: &Path, address: &str, relay: &str, password: &str) -> String {
    let python = python.display();
    format!(
        r#"
In Python, such as {python}:

from dask_gateway import Gateway, BasicAuth
gateway = Gateway(
    "{address}",
    proxy_address="{relay}",
    auth=BasicAuth("alice", "{password}"),
)
cluster = gateway.new_cluster()
cluster.scale(2)
client = cluster.get_client()
print(client.submit(sum, [1, 2, 3]).result())
cluster.shutdown()

In a shell, after which `Gateway()` needs no arguments:

export DASK_GATEWAY__ADDRESS={address} DASK_GATEWAY__PROXY_ADDRESS={relay}
export DASK_GATEWAY__AUTH__TYPE=basic DASK_GATEWAY__AUTH__KWARGS='{{"username": "alice", "password": "{password}"}}'
{python} -c 'from dask_gateway import Gateway; print(Gateway().list_clusters())'
"#
    )
}

/// What is still there when all that was told to stop has had its time: the index lags behind what was written.
async fn left(stack: &Stack) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = stack.left().await;
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
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
