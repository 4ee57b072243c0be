//! Tables of calls.

use fake_ecs::{FakeEcs, Rates};
use faregate_aws_tests::inside::Inside;
use faregate_aws_tests::wire::counted;

/// Each action of ECS: how often, how many in the busiest second, how many refused, beside AWS's rate.
pub fn print_ecs(ecs: &FakeEcs) {
    let rates = Rates::default();
    println!("  {:<24}{:>8}{:>18}{:>12}   AWS allows", "ECS", "calls", "busiest second", "throttled");
    for (action, count) in ecs.counts() {
        let allowed = match action.as_str() {
            "RunTask" => format!("{}/s", rates.run_task.per_second),
            "StopTask" => format!("{}/s, with RunTask", rates.run_and_stop.per_second),
            "DescribeTasks" | "ListTasks" => format!("{}/s together", rates.read.per_second),
            "RegisterTaskDefinition" => format!("{} at once, {}/s", rates.register.burst, rates.register.per_second),
            _ => String::new(),
        };
        println!("  {action:<24}{:>8}{:>18}{:>12}   {allowed}", count.calls, count.peak_per_second, count.throttled);
    }
}

/// Calls of everything but ECS since the last look, in all and for each of `n`; how many in all.
pub fn print_aws(inside: &Inside, n: usize, of_what: &str) -> usize {
    let calls = inside.aws.take();
    println!("  {:<34}{:>8}{:>22}", "all but ECS", "calls", format!("for each {of_what}"));
    for (action, count) in counted(&calls) {
        println!("  {action:<34}{count:>8}{:>22.2}", count as f64 / n as f64);
    }
    calls.len()
}
