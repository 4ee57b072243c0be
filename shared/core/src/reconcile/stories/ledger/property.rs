//! Whatever becomes known in whatever order: what was billed is what the tasks' last facts say.

use super::*;
use proptest::prelude::*;

/// What an event says of one of the tasks.
#[derive(Clone, Debug)]
struct Event {
    task: usize,
    pulled_at: Option<Ms>,
    started_at: Option<Ms>,
    stopped_at: Option<Ms>,
    spot: bool,
    /// Is there a round before the next event?
    round: bool,
}

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn events() -> impl Strategy<Value = Vec<Event>> {
    // over more than a year, so that there are more months than one transaction takes
    let moment = || 0i64..40_000_000_000;
    let event = (0..IDS.len(), prop::option::of(moment()), prop::option::of(moment()), prop::option::of(moment()));
    let event =
        (event, any::<bool>(), any::<bool>()).prop_map(|((task, pulled_at, started_at, stopped_at), spot, round)| {
            Event { task, pulled_at, started_at, stopped_at, spot, round }
        });
    prop::collection::vec(event, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_ledger_is_the_sum_of_what_the_last_facts_come_to(events in events(), minimum in 0i64..120_000) {
        let mut story = paying(&IDS);
        story.policy.billing_minimum_ms = minimum;
        for (n, event) in events.into_iter().enumerate() {
            story.after(1_000);
            let task = &mut story.snapshot.tasks[1 + event.task];
            let mut facts = task.value.facts.clone();
            facts.version = n as u64 + 10;
            (facts.pulled_at, facts.started_at) = (event.pulled_at, event.started_at);
            facts.capacity = event.spot.then(|| "FARGATE_SPOT".to_owned());
            // an end once known is not taken back
            facts.stopped_at = event.stopped_at.or(facts.stopped_at);
            facts.state = if facts.stopped_at.is_some() { TaskState::Stopped } else { TaskState::Running };
            task.value.apply_facts(&facts, Ms::MAX);
            task.version += 1;
            if event.round {
                story.round();
            }
        }
        for _ in 0..30 {
            story.round();
        }
        let billed: BTreeMap<_, _> = story.ledger.clone().into_iter().filter(|(_, amount)| !amount.is_zero()).collect();
        prop_assert_eq!(&billed, &story.bill_of_facts());
        let kept = story.snapshot.tasks.iter().flat_map(|task| task.value.billed.values().copied());
        prop_assert_eq!(kept.sum::<Amount>(), billed.into_values().sum::<Amount>());
    }
}
