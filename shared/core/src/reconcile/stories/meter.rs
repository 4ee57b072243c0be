//! What of a cluster is being billed, as its record says.

use super::*;

const MONTH: Ms = 2_678_400_000; // February 1970 begins

fn metered_cluster() -> Story {
    let mut story = Story::with_workers(&["a", "b", "c"]);
    for (task, since) in story.snapshot.tasks.iter_mut().zip([10_000, 20_000, 30_000, 40_000]) {
        task.value.facts.started_at = Some(since);
    }
    story.snapshot.tasks[2].value.facts.capacity = Some("FARGATE_SPOT".into());
    story.snapshot.tasks[3].value.facts.pulled_at = Some(25_000);
    story.after(60_000).round();
    story
}

#[test]
fn the_record_says_what_runs_and_since_when_by_kind() {
    let mut story = metered_cluster();
    let meter = Meter { schedulers: (1, 10_000), workers: (2, 45_000), spot_workers: (1, 30_000) };
    assert_eq!(story.cluster().meter, meter);
    story.ends("a", 0);
    assert_eq!(story.cluster().meter.workers, (1, 25_000));
}

#[test]
fn what_is_being_started_is_not_metered_before_its_pull_begins() {
    let mut story = Story::running();
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    let facts = TaskFacts { started_at: None, ..story.task(&launch, "a") };
    story.says(&launch, Ok(Launched { tasks: vec![facts], shortfall: None }));
    assert_eq!(story.cluster().meter.workers, (0, 0));
}

#[test]
fn the_estimate_is_what_the_tasks_cost_and_never_too_little() {
    let mut story = metered_cluster();
    story.policy.prices.default = Rates { vcpu_hour: 1.0, gib_hour: 0.1, spot_vcpu_hour: 0.3, spot_gib_hour: 0.0 };
    let estimate =
        |story: &Story, start, now| story.cluster().meter.cost(&story.cluster().config, &story.policy, start, now);
    let exact = |story: &Story, start: Ms, now| {
        let amounts = story.snapshot.tasks.iter().map(|t| {
            let metered = metered(&story.cluster().config, None, &t.value.facts, &story.policy.prices);
            let (from, to) = billed_time(&t.value.facts, now, 0).unwrap();
            metered.amount(to - from.max(start))
        });
        amounts.sum::<Amount>()
    };
    let now = 3_600_000;
    let (about, exactly) = (estimate(&story, 0, now), exact(&story, 0, now));
    assert_eq!(Amount { nanousd: 0, ..about }, Amount { nanousd: 0, ..exactly });
    assert!((about.usd() - exactly.usd()).abs() < 1e-8, "but for roundings");
    // all have run since before the month began: the month's share only
    assert_eq!(estimate(&story, MONTH, MONTH + now).millicore_ms, 3 * 1000 * now);
    // some have, some have not: rather too much
    story.snapshot.tasks[1].value.facts.started_at = Some(MONTH + 1_800_000);
    story.round();
    let (about, exactly) = (estimate(&story, MONTH, MONTH + now), exact(&story, MONTH, MONTH + now));
    assert!(about.millicore_ms >= exactly.millicore_ms && about.millicore_ms <= 3 * 1000 * now);
    // at least the least that is billed
    story.policy.billing_minimum_ms = 60_000;
    assert_eq!(estimate(&story, 0, 30_000).spot_millicore_ms, 30_000 * 1000, "but no longer than the month is old");
}
