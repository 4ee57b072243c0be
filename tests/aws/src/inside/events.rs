//! EventBridge, the queue of events and `task-events` in one: what ECS says of its tasks goes to the core at once.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use faregate_ecs::event::{TaskEvent, read};
use faregate_gateway::TaskEvents;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// The gateways that events are told to: each event to one of them, in turns.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<(usize, Vec<Arc<TaskEvents>>)>>);

impl Told {
    pub fn add(&self, task_events: Arc<TaskEvents>) {
        self.0.lock().unwrap().1.push(task_events);
    }

    fn next(&self) -> Arc<TaskEvents> {
        let (turn, told) = &mut *self.0.lock().unwrap();
        *turn += 1;
        told[*turn % told.len()].clone()
    }
}

pub(super) struct Receiver(TcpListener);

impl Receiver {
    pub async fn bind() -> Receiver {
        Receiver(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    pub async fn deliver(self, told: Told) {
        let router = Router::new().route("/", post(put_events)).with_state(told);
        axum::serve(self.0, router).await.unwrap();
    }
}

/// Taken in before it is answered; what fails is not repeated, as an event that is lost.
async fn put_events(State(told): State<Told>, body: String) -> String {
    let body: Value = serde_json::from_str(&body).unwrap();
    let entries = body["Entries"].as_array().cloned().unwrap_or_default();
    for entry in &entries {
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        let envelope = json!({"source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail});
        if let Ok(Some(TaskEvent::Changed(facts))) = read(&envelope.to_string())
            && let Err(error) = told.next().apply(&facts).await
        {
            tracing::warn!(%error, "an event is lost");
        }
    }
    json!({"FailedEntryCount": 0, "Entries": entries.iter().map(|_| json!({"EventId": "e"})).collect::<Vec<_>>()})
        .to_string()
}
