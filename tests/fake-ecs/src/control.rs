//! The control API: what tests turn, break and look at. All of it is in the Rust API too (`FakeEcs`).
//!
//! | call | what |
//! |---|---|
//! | `GET`, `POST /_control/knobs` | the knobs; turns those that are given |
//! | `GET`, `POST`, `DELETE /_control/faults` | faults; adds one or a list of them; forgets all |
//! | `GET`, `DELETE /_control/calls` | counts and peaks by action; begins anew |
//! | `GET /_control/bodies` | the bodies of all calls, by action |
//! | `GET /_control/tasks` | all tasks, also those long gone, with `pid` and `log` |
//! | `POST /_control/tasks/{task}/kill`, `…/interrupt`, `…/out-of-memory` | SIGKILL to its process; Spot takes it; it uses too much memory |
//! | `POST /_control/tasks/{task}/retire`, `…/rebalance` | AWS stops it, to renew what it runs on; to even out zones |
//! | `POST /_control/tasks/{task}/announce-retirement` | AWS Health sends its notice |
//! | `GET /_control/events` | all events in the order in which they happened |
//! | `POST /_control/clusters/{name}` | there is such a cluster |

use crate::faults::Fault;
use crate::inside;
use crate::state::Inner;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

type Control = State<Arc<Inner>>;
type Refused = (StatusCode, String);

/// Its routes.
pub fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/_control/knobs", get(knobs).post(turn))
        .route("/_control/faults", get(faults).post(fail).delete(clear_faults))
        .route("/_control/calls", get(calls).delete(forget_calls))
        .route("/_control/bodies", get(bodies))
        .route("/_control/tasks", get(tasks))
        .route("/_control/tasks/{task}/{what}", post(harm))
        .route("/_control/events", get(events))
        .route("/_control/clusters/{name}", post(add_cluster))
}

async fn knobs(State(inner): Control) -> Json<Value> {
    Json(json!(inner.knobs()))
}

async fn turn(State(inner): Control, Json(changes): Json<Value>) -> Result<Json<Value>, Refused> {
    let mut state = inner.lock();
    let mut knobs = json!(state.knobs);
    for (name, value) in changes.as_object().into_iter().flatten() {
        knobs[name] = value.clone();
    }
    state.knobs = serde_json::from_value(knobs).map_err(refused)?;
    Ok(Json(json!(state.knobs)))
}

async fn faults(State(inner): Control) -> Json<Value> {
    Json(json!(inner.lock().faults.0))
}

async fn fail(State(inner): Control, Json(body): Json<Value>) -> Result<Json<Value>, Refused> {
    let list = if body.is_array() { body } else { json!([body]) };
    let new: Vec<Fault> = serde_json::from_value(list).map_err(refused)?;
    inner.lock().faults.0.extend(new);
    Ok(Json(json!({})))
}

async fn clear_faults(State(inner): Control) -> Json<Value> {
    inner.lock().faults.0.clear();
    Json(json!({}))
}

async fn calls(State(inner): Control) -> Json<Value> {
    Json(json!(inner.lock().calls.counts()))
}

async fn forget_calls(State(inner): Control) -> Json<Value> {
    inner.lock().calls.clear();
    Json(json!({}))
}

async fn bodies(State(inner): Control) -> Json<Value> {
    Json(json!(inner.lock().calls.all_bodies()))
}

async fn tasks(State(inner): Control) -> Json<Value> {
    Json(json!(inside::tasks(&inner)))
}

async fn harm(State(inner): Control, Path((task, what)): Path<(String, String)>) -> Result<Json<Value>, Refused> {
    let done = match what.as_str() {
        "kill" => inside::kill(&inner, &task),
        "interrupt" => inside::interrupt(&inner, &task),
        "out-of-memory" => inside::run_out_of_memory(&inner, &task),
        "retire" => inside::retire(&inner, &task),
        "rebalance" => inside::rebalance(&inner, &task),
        "announce-retirement" => inside::announce_retirement(&inner, &task),
        other => {
            let all = "kill, interrupt, out-of-memory, retire, rebalance or announce-retirement";
            return Err((StatusCode::NOT_FOUND, format!("`{other}` is not {all}")));
        }
    };
    if done { Ok(Json(json!({}))) } else { Err((StatusCode::CONFLICT, format!("task `{task}` does not run"))) }
}

async fn events(State(inner): Control) -> Json<Value> {
    Json(json!(inner.lock().events))
}

async fn add_cluster(State(inner): Control, Path(name): Path<String>) -> Json<Value> {
    inside::add_cluster(&inner, &name);
    Json(json!({}))
}

fn refused(error: serde_json::Error) -> Refused {
    (StatusCode::BAD_REQUEST, error.to_string())
}
