//! Task state change events: made, and sent to EventBridge with the faults that were asked for.

use crate::random::Random;
use crate::settings::{EventFaults, Settings};
use crate::state::Inner;
use crate::tasks::{Task, uuid};
use crate::{clock, random};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// How often a send is tried: the emulator may be busy.
const TRIES: u32 = 5;

/// The event that tells of a task as it is now, in EventBridge's envelope
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>).
pub fn envelope(settings: &Settings, task: &Task) -> Value {
    json!({
        "version": "0",
        "id": uuid(&random::hex32(), 'e'),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": settings.account,
        "time": clock::iso(clock::now()),
        "region": settings.region,
        "resources": [task.arn(settings)],
        "detail": task.event_detail(settings),
    })
}

/// The event by which AWS Health tells, days before, that a task will be retired
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html>).
pub fn retirement_notice(settings: &Settings, task: &str) -> Value {
    json!({
        "version": "0",
        "id": uuid(&random::hex32(), 'e'),
        "detail-type": "AWS Health Event",
        "source": "aws.health",
        "account": settings.account,
        "time": clock::iso(clock::now()),
        "region": settings.region,
        "resources": [task],
        "detail": {
            "service": "ECS",
            "eventTypeCode": "AWS_ECS_TASK_PATCHING_RETIREMENT",
            "eventTypeCategory": "scheduledChange",
            "eventScopeCode": "ACCOUNT_SPECIFIC",
            "statusCode": "upcoming",
            "affectedEntities": [{"entityValue": task, "status": "PENDING"}],
        },
    })
}

/// When copies of an event arrive: none, one or two, each after a while. Pure.
pub fn arrivals(faults: &EventFaults, random: &mut Random) -> Vec<Duration> {
    let (lost, doubled) = (random.fraction() < faults.drop, random.fraction() < faults.double);
    let copies = if lost { 0 } else { 1 + usize::from(doubled) };
    (0..copies).map(|_| Duration::from_millis((random.fraction() * faults.delay_up_to_ms as f64) as u64)).collect()
}

/// Sends what comes, until the server ends.
pub async fn send_all(inner: Arc<Inner>, mut outgoing: UnboundedReceiver<Value>) {
    let mut seeded = None;
    while let Some(event) = outgoing.recv().await {
        let Some(endpoint) = inner.settings.events.clone() else { continue };
        let faults = inner.knobs().events;
        let (_, random) = match seeded.take() {
            Some((seed, random)) if seed == faults.seed => seeded.insert((seed, random)),
            _ => seeded.insert((faults.seed, Random::new(faults.seed))),
        };
        for wait in arrivals(&faults, random) {
            if wait.is_zero() {
                send(&inner, &endpoint, &event).await;
                continue;
            }
            let (inner, endpoint, event) = (inner.clone(), endpoint.clone(), event.clone());
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                send(&inner, &endpoint, &event).await;
            });
        }
    }
}

async fn send(inner: &Inner, endpoint: &str, event: &Value) {
    let entry = json!({
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": event["detail"].to_string(),
        "Resources": event["resources"],
    });
    let mut fault = String::new();
    for attempt in 0..TRIES {
        tokio::time::sleep(Duration::from_millis(100) * attempt).await;
        let answer = inner.client.call(endpoint, "events", "AWSEvents.PutEvents", &json!({"Entries": [entry]})).await;
        match answer {
            Ok((status, body)) if status.is_success() => {
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                if answer["FailedEntryCount"].as_u64().unwrap_or(0) > 0 {
                    tracing::error!("PutEvents refused the event: {answer}");
                }
                return;
            }
            Ok((status, body)) => fault = format!("status {status}: {}", String::from_utf8_lossy(&body)),
            Err(error) => fault = error,
        }
    }
    tracing::error!("an event was not delivered in {TRIES} tries: {fault}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(faults: EventFaults) -> [usize; 3] {
        let mut random = Random::new(faults.seed);
        let mut counts = [0; 3];
        (0..1000).for_each(|_| counts[arrivals(&faults, &mut random).len()] += 1);
        counts
    }

    #[test]
    fn without_faults_each_event_arrives_once_and_at_once() {
        assert_eq!(arrivals(&EventFaults::default(), &mut Random::new(1)), [Duration::ZERO]);
        assert_eq!(counts(EventFaults::default()), [0, 1000, 0]);
    }

    #[test]
    fn events_are_lost_doubled_and_held_back_as_told() {
        assert_eq!(counts(EventFaults { drop: 1.0, ..EventFaults::default() }), [1000, 0, 0]);
        assert_eq!(counts(EventFaults { double: 1.0, ..EventFaults::default() }), [0, 0, 1000]);
        let [lost, once, twice] = counts(EventFaults { drop: 0.3, double: 0.3, seed: 5, ..EventFaults::default() });
        assert!(lost > 200 && once > 300 && twice > 100, "{lost} {once} {twice}");
        let held = EventFaults { delay_up_to_ms: 1000, ..EventFaults::default() };
        let waits: Vec<_> = (0..100).flat_map(|seed| arrivals(&held, &mut Random::new(seed))).collect();
        assert!(waits.iter().any(|wait| wait.as_millis() > 500) && waits.iter().all(|wait| wait.as_millis() < 1000));
    }
}
