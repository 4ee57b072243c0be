//! One cluster asks for two hundred workers at once.

use crate::calls::print_ecs;
use crate::{RUN_TASK_MS, gateway};
use fake_ecs::{Fault, Then};
use faregate_aws_tests::inside::served::{Served, eventually, heartbeat, scheduler_address};
use std::time::Instant;

const WORKERS: usize = 200;

pub async fn run() {
    let (_ministack, inside) = gateway().await;
    let served = Served::new(&inside);
    let name = served.create("alice").await;
    let address = scheduler_address(&inside.ecs, &name).await;
    inside.ecs.forget_calls();
    inside.ecs.fail(Fault::next(u32::MAX, "RunTask", Then::Slow { by_ms: RUN_TASK_MS }));
    let begun = Instant::now();
    served.heartbeat(&inside, &name, &heartbeat(&address, WORKERS as u32, &[])).await;
    eventually("all workers are accepted", || (inside.ecs.tasks().len() > WORKERS).then_some(())).await;
    let took = begun.elapsed().as_secs_f64();
    let (least, ideal) = (WORKERS / 10, (WORKERS as f64 - 100.0) / 20.0);
    println!("{WORKERS} workers of one cluster asked for at once, RunTask answering after {RUN_TASK_MS} ms:");
    println!(
        "  all accepted after {took:.1} s; Fargate's rate (100 tasks at once, then 20 a second) allows {ideal:.1} s"
    );
    println!("  the least number of calls is {least}, ten workers each; what is throttled is called again");
    print_ecs(&inside.ecs);
    println!();
}
