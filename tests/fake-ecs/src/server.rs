//! The HTTP server: calls come in, meet their faults, are answered.

use crate::faults::Then;
use crate::state::Inner;
use crate::wire::{Answer, ApiError, CONTENT_TYPE, TARGET};
use crate::{actions, checks, clock, control, metadata, random, run_task};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hyper::body::Frame;
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// All routes.
pub fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/", post(api))
        .route("/v4/{task}", get(metadata::container))
        .route("/v4/{task}/task", get(metadata::task))
        .merge(control::routes())
        .with_state(inner)
}

async fn api(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(action) = target.strip_prefix(TARGET).map(str::to_owned) else {
        return respond(Err(ApiError::new(
            "UnknownOperationException",
            format!("`{target}` is not an action of ECS."),
        )));
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    inner.lock().calls.record(&action, &text, clock::now());
    let body: Value = match serde_json::from_str(if text.is_empty() { "{}" } else { &text }) {
        Ok(body @ Value::Object(_)) => body,
        Ok(_) => return respond(Err(ApiError::new("SerializationException", "the body is not an object"))),
        Err(error) => return respond(Err(ApiError::new("SerializationException", error.to_string()))),
    };
    // In a task of its own: what was accepted is done, even if the caller leaves.
    let answer = tokio::spawn(async move { meet(&inner, &action, &body).await }).await;
    answer.unwrap_or_else(|_| respond(Err(ApiError::server())))
}

async fn meet(inner: &Arc<Inner>, action: &str, body: &Value) -> Response {
    if !admitted(inner, action, body) {
        return respond(Err(ApiError::throttled()));
    }
    let fault = next_fault(inner, action, body);
    match fault {
        Some(Then::ReplyLost { status }) => {
            let _lost = actions::perform(inner, action, body, None);
            if status { respond(Err(ApiError::server())) } else { cut() }
        }
        Some(Then::LandsLater { after_ms }) => {
            let (inner, action, body) = (inner.clone(), action.to_owned(), body.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                let _lost = actions::perform(&inner, &action, &body, None);
            });
            cut()
        }
        Some(Then::Slow { by_ms }) => {
            tokio::time::sleep(Duration::from_millis(by_ms)).await;
            respond(actions::perform(inner, action, body, None))
        }
        other => match other.as_ref().and_then(Then::error) {
            Some(error) => respond(Err(error)),
            None => respond(actions::perform(inner, action, body, other.as_ref())),
        },
    }
}

/// Does the rate allow this call?
fn admitted(inner: &Inner, action: &str, body: &Value) -> bool {
    let mut state = inner.lock();
    let Some(rates) = state.knobs.rates else { return true };
    let admitted = state.buckets.take(&rates, clock::now(), action, checks::wanted(body));
    if !admitted {
        state.calls.throttled(action);
    }
    admitted
}

fn next_fault(inner: &Inner, action: &str, body: &Value) -> Option<Then> {
    let mut state = inner.lock();
    let image = actions::image(&state, body);
    let fault = state.faults.take(action, body, &image)?;
    if fault == Then::Throttled {
        state.calls.throttled(action);
    }
    // A shortage does not undo what an earlier call with the same token got.
    let again = action == "RunTask" && fault.shortage().is_some();
    if again && run_task::accepted_before(&mut state, &inner.settings, body).is_ok_and(|known| known.is_some()) {
        return None;
    }
    Some(fault)
}

fn respond(answer: Answer) -> Response {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (error.http_status(), error.body()),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(CONTENT_TYPE));
    if let Ok(id) = http::HeaderValue::from_str(&crate::tasks::uuid(&random::hex32(), 'd')) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// An answer that never comes: the connection ends in the middle of it.
fn cut() -> Response {
    let mut response = Response::new(Body::new(Cut));
    response.headers_mut().insert("content-length", http::HeaderValue::from_static("1000"));
    response
}

/// A body that fails at once.
struct Cut;

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("the reply is lost"))))
    }
}
