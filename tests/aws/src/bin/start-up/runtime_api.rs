//! The Lambda runtime API, for one process and one event ("Using the Lambda runtime API for custom runtimes").

use crate::{events, services};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// No function may take longer to its first answer.
const LONGEST: Duration = Duration::from_secs(60);

struct Api {
    event: String,
    given: AtomicBool,
    answers: mpsc::UnboundedSender<(Instant, String, Bytes)>,
}

/// Starts it, and says how long its first answer took. The process is gone after.
pub async fn first_answer(function: &str, binary: &Path, services: &services::Address) -> Duration {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let api = Api { event: events::first(function).to_string(), given: AtomicBool::new(false), answers };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(axum::serve(listener, router(Arc::new(api))).into_future());

    let mut command = Command::new(binary);
    command.env_clear().envs(services.environment()).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("AWS_LAMBDA_RUNTIME_API", &address).env("AWS_LAMBDA_FUNCTION_NAME", function);
    let started = Instant::now();
    let mut process = command.spawn().unwrap();
    let answer = tokio::time::timeout(LONGEST, answered.recv()).await;
    process.kill().unwrap();
    process.wait().unwrap();
    server.abort();

    let Ok(Some((at, kind, answer))) = answer else { panic!("`{function}` gives no answer within {LONGEST:?}") };
    let value: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let right = kind == "response" && events::is_right(function, &value);
    assert!(right, "`{function}` gives a wrong answer: {kind} {}", String::from_utf8_lossy(&answer));
    at - started
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(api)
}

/// The event, once; after that there is none.
async fn next(State(api): State<Arc<Api>>) -> (HeaderMap, String) {
    if api.given.swap(true, Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut headers = HeaderMap::new();
    let mut header = |name: &'static str, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
    header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    header("lambda-runtime-deadline-ms", &(now + LONGEST).as_millis().to_string());
    header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:x");
    header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1");
    header("content-type", "application/json");
    (headers, api.event.clone())
}

/// `kind` is `response` or `error`.
async fn answer(
    State(api): State<Arc<Api>>,
    UrlPath((_, kind)): UrlPath<(String, String)>,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let _ = api.answers.send((Instant::now(), kind, body));
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}

async fn init_error(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    let _ = api.answers.send((Instant::now(), "init/error".to_owned(), body));
    StatusCode::ACCEPTED
}
