//! What is printed.

use crate::measure::{Measured, Run};
use faregate_tests::crowd::{Count, PERIOD_MS, STAND_INS, WORKERS};

/// A line of a table: what, and its value of one run.
type Line = (&'static str, fn(&Run) -> String);

const LINES: [Line; 11] = [
    ("seconds", |p| format!("{:.2}", p.seconds)),
    ("  of these, waiting for schedulers", |p| format!("{:.2}", p.waited)),
    ("CPU seconds", |p| format!("{:.3}", p.cpu)),
    ("peak of memory beyond that at rest, MiB", |p| format!("{:.1}", p.memory as f64 / f64::from(1 << 20))),
    ("items read", |p| read(p).to_string()),
    ("items written", |p| written(p).to_string()),
    ("wakes sent", |p| p.wakes.to_string()),
    ("schedulers asked whether they are idle", |p| p.asked.to_string()),
    ("  unanswered", |p| p.unanswered.to_string()),
    ("  left for the next run", |p| p.left.to_string()),
    ("longest that an answer was overdue, s", |p| format!("{:.1}", p.delay)),
];

/// Prints all sizes side by side, and how what they cost grows.
pub fn print(all: &[Measured]) {
    println!(
        "Enforcement runs in which nothing changed, over clusters of {WORKERS} workers, of whose schedulers one in {STAND_INS} hangs; one begins \
         every {} s.",
        PERIOD_MS / 1000
    );
    table("A run in which every scheduler is to be asked whether it is idle", all, |m| &m.all_due);
    println!("  items read, for each cluster (calls in all):");
    let mut methods: Vec<&String> = all.iter().flat_map(|m| m.all_due.counts.keys()).collect();
    methods.sort();
    methods.dedup();
    for method in methods {
        let value = |m: &Measured| {
            let Count { calls, read, .. } = m.all_due.counts.get(method).copied().unwrap_or_default();
            format!("{:.3} ({calls})", read as f64 / m.clusters as f64)
        };
        row(&format!("    {method}"), all.iter().map(value));
    }
    println!("  growth from one size to the next:");
    all.windows(2).for_each(|pair| growth(&pair[0], &pair[1]));
    table("The next run, a minute later: only who did not answer is asked again", all, |m| &m.next);
    table("The first run of all, which remembers limits that it sees for the first time", all, |m| &m.first[0]);
    row("runs until all were asked", all.iter().map(|m| m.first.len().to_string()));
}

fn table(what: &str, all: &[Measured], run: fn(&Measured) -> &Run) {
    println!("\n{what}:");
    row("clusters", all.iter().map(|m| m.clusters.to_string()));
    row("workers", all.iter().map(|m| (m.clusters as i64 * WORKERS).to_string()));
    for (what, value) in LINES {
        row(what, all.iter().map(|m| value(run(m))));
    }
}

fn row(what: &str, values: impl Iterator<Item = String>) {
    let values: String = values.map(|value| format!("{value:>14}")).collect();
    println!("  {what:<42}{values}");
}

fn growth(few: &Measured, many: &Measured) {
    let times = |of: fn(&Run) -> f64| of(&many.all_due) / of(&few.all_due).max(f64::MIN_POSITIVE);
    println!(
        "    {:.1} times the clusters: {:.1} times the seconds, {:.1} the CPU seconds, {:.1} the memory, {:.1} the items read",
        many.clusters as f64 / few.clusters as f64,
        times(|run| run.seconds),
        times(|run| run.cpu),
        times(|run| run.memory as f64),
        times(|run| read(run) as f64),
    );
}

fn read(run: &Run) -> usize {
    run.counts.values().map(|count| count.read).sum()
}

fn written(run: &Run) -> usize {
    run.counts.values().map(|count| count.written).sum()
}
