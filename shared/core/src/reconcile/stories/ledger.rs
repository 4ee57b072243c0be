//! What tasks cost, and when the ledger hears of it.

mod property;

use super::*;

const HOUR: Ms = 3_600_000;

/// us-east-1, Linux on x86: "AWS Fargate pricing", per vCPU and GiB an hour; Spot as it once was.
const RATES: Rates = Rates { vcpu_hour: 0.04048, gib_hour: 0.004445, spot_vcpu_hour: 0.012, spot_gib_hour: 0.0013 };

/// A cluster with these workers that pays for them. Each task has a core and 2 GiB.
fn paying(ids: &[&str]) -> Story {
    let mut story = Story::with_workers(ids);
    story.policy.prices.default = RATES;
    story
}

impl Story {
    /// The launcher tells more of a task, as an event does.
    fn learns(&mut self, id: &str, tell: impl FnOnce(&mut TaskFacts)) -> &mut Self {
        let task = self.snapshot.tasks.iter_mut().find(|t| t.value.facts.id.0 == id).expect("a known task");
        let mut facts = task.value.facts.clone();
        facts.version += 1;
        tell(&mut facts);
        task.value.apply_facts(&facts, Ms::MAX);
        task.version += 1;
        self.round()
    }

    fn usd(&self) -> f64 {
        self.ledger.values().copied().sum::<Amount>().usd()
    }

    /// What the final facts of all settled tasks come to.
    fn bill_of_facts(&self) -> BTreeMap<Month, Amount> {
        let mut sum = BTreeMap::new();
        for task in self.snapshot.tasks.iter().map(|t| &t.value).filter(|t| t.settled) {
            let launch = self.snapshot.launches.iter().map(|l| &l.value).find(|l| l.id == task.facts.launch);
            for (month, amount) in bill(&self.cluster().config, launch, &task.facts, self.now, &self.policy) {
                *sum.entry(month).or_insert_with(Amount::default) += amount;
            }
        }
        sum
    }
}

#[test]
fn a_task_is_billed_once_it_has_settled_and_never_again() {
    let mut story = paying(&["a", "b"]);
    story.after(HOUR).round();
    assert_eq!(story.ledger, BTreeMap::new(), "what runs is computed when it is asked for");
    story.ends("a", 0);
    insta::assert_snapshot!(story.usd(), @"0.04937");
    assert_eq!(story.ledger.values().next().unwrap().millicore_ms, 1000 * HOUR);
    story.after(HOUR).round();
    insta::assert_snapshot!(story.usd(), @"0.04937");
}

#[test]
fn schedulers_and_strays_are_billed_too() {
    let mut story = paying(&["a"]);
    story.after(HOUR).ends("s", 0);
    insta::assert_snapshot!(story.usd(), @"0.04937");
    let mut story = paying(&["a"]);
    let launch = story.snapshot.launches[1].value.clone();
    story.replies(&launch, &["stray"]).after(HOUR).ends("stray", 143);
    insta::assert_snapshot!(story.usd(), @"0.04937");
}

#[test]
fn a_pull_is_billed_and_a_minute_at_least() {
    let mut story = paying(&["a", "b"]);
    story.policy.billing_minimum_ms = 60_000;
    let pulled_at = story.now;
    let start = story.after(HOUR).now;
    for id in ["a", "b"] {
        story.learns(id, |facts| facts.started_at = Some(start));
    }
    story.learns("a", |facts| facts.pulled_at = Some(pulled_at)).ends("a", 1);
    insta::assert_snapshot!(story.usd(), @"0.04937");
    story.after(1).ends("b", 1);
    assert_eq!(story.ledger.values().next().unwrap().millicore_ms, 1000 * (HOUR + 60_000));
}

#[test]
fn on_spot_it_costs_less_and_is_kept_apart() {
    let mut story = paying(&["a"]);
    story.learns("a", |facts| facts.capacity = Some("FARGATE_SPOT".into())).after(HOUR).ends("a", 0);
    insta::assert_snapshot!(story.usd(), @"0.0146");
    let amount = story.ledger.values().next().unwrap();
    assert_eq!((amount.spot_millicore_ms, amount.mib_ms), (1000 * HOUR, 0));
}

#[test]
fn what_never_ran_costs_nothing_and_writes_nothing_in_the_ledger() {
    let mut story = Story::running();
    let launch = story.heartbeat(1, &[], &[], &[]).called();
    let facts = TaskFacts { started_at: None, ..story.task(&launch, "a") };
    story.says(&launch, Ok(Launched { tasks: vec![facts], shortfall: None })).ends("a", 1);
    assert!(story.snapshot.tasks[1].value.settled);
    assert_eq!(story.ledger, BTreeMap::new());
}

#[test]
fn an_end_that_becomes_known_later_is_corrected_by_the_difference() {
    let mut story = paying(&["a"]);
    story.after(2 * HOUR).ends("a", 0);
    insta::assert_snapshot!(story.usd(), @"0.09874");
    let truth = story.now - HOUR;
    story.after(5_000).learns("a", |facts| facts.stopped_at = Some(truth));
    insta::assert_snapshot!(story.usd(), @"0.04937");
    assert_eq!(story.ledger, story.bill_of_facts());
}

#[test]
fn an_end_that_nobody_tells_is_the_moment_at_which_it_was_found() {
    let mut story = paying(&["a"]);
    let unknown = |facts: &mut TaskFacts| {
        facts.state = TaskState::Stopped;
        facts.stopped_at = None;
    };
    story.after(HOUR).learns("a", unknown);
    story.after(HOUR).learns("a", unknown).round();
    insta::assert_snapshot!(story.usd(), @"0.04937");
}

#[test]
fn a_price_that_changes_later_changes_no_bill() {
    let mut story = paying(&["a"]);
    story.after(HOUR).ends("a", 0);
    story.policy.prices.default.vcpu_hour = 10.0;
    story.after(1_000).round();
    insta::assert_snapshot!(story.usd(), @"0.04937");
}

#[test]
fn the_launchs_size_and_architecture_count_and_without_a_launch_the_clusters() {
    let mut story = paying(&["a", "b"]);
    story.policy.prices.arm64 = Rates { vcpu_hour: 1.0, ..Rates::default() };
    story.snapshot.launches[1].value.spec.cores = 4.0;
    story.snapshot.launches[1].value.spec.fargate.cpu_architecture = Some("ARM64".into());
    story.after(HOUR).ends("a", 0);
    insta::assert_snapshot!(story.usd(), @"4");
    let mut facts = story.snapshot.tasks[2].value.facts.clone();
    facts.stopped_at = Some(story.now);
    let own = bill(&story.cluster().config, None, &facts, story.now, &story.policy);
    insta::assert_snapshot!(own.into_values().sum::<Amount>().usd(), @"0.04937");
}

#[test]
fn a_life_of_many_months_is_billed_month_by_month_over_several_rounds() {
    let mut story = paying(&["a"]);
    story.after(20 * 30 * 24 * HOUR).ends("a", 0);
    assert_eq!((story.ledger.len(), story.due_at), (8, Some(story.now)));
    story.round();
    assert_eq!((story.ledger.len(), story.due_at), (16, Some(story.now)));
    story.round();
    assert_eq!(story.ledger, story.bill_of_facts());
}

#[test]
fn many_tasks_that_end_at_once_are_billed_in_transactions_that_are_not_too_large() {
    let ids: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut story = Story::running();
    for group in 0..20 {
        let scope = Scope::Group(group.to_string());
        story.snapshot.cluster.value.reserved.keys.push(scope.clone());
        let usage = Usage { counts: Counts::CLUSTER, ..Usage::none(scope) };
        story.snapshot.usage.push(Stored { value: usage, version: 1 });
    }
    let mut launch = story.heartbeat(100, &[], &[], &[]).called();
    for ids in ids.chunks(10) {
        story.replies(&launch, ids);
        launch = story
            .actions
            .iter()
            .find_map(|a| if let Action::Launch(l) = a { Some((**l).clone()) } else { None })
            .unwrap_or(launch);
    }
    story.now += 4 * 30 * 24 * HOUR;
    story.snapshot.tasks.iter_mut().for_each(|task| {
        task.value.facts.state = TaskState::Stopped;
        task.value.facts.stopped_at = Some(story.now);
    });
    story.round();
    assert_eq!(story.due_at, Some(story.now));
    for _ in 0..8 {
        story.round();
    }
    assert_eq!((story.snapshot.tasks.len(), story.ledger.len()), (101, 5));
    assert_eq!(story.ledger, story.bill_of_facts());
    assert!(story.snapshot.usage.iter().all(|usage| usage.value.counts == Counts::default()));
}
