//! The gateway's HTTP server: on a Unix socket that the proxy alone connects to.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use faregate::api::Peer;
use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::net::UnixListener;

/// Listens at `path`, in place of whatever was left there: the data directory's lock says that nobody else does.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until `shutdown` resolves and what was begun is answered. While `closing` says so, no new cluster is taken in.
pub async fn serve(
    listener: UnixListener,
    router: Router,
    closing: Arc<AtomicBool>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router =
        router.layer(from_fn_with_state(closing, refuse_new)).layer(from_fn(log)).layer(from_fn(believe_proxy));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// Whoever connects here is the proxy: what it says of the other end of its connections is so.
async fn believe_proxy(mut request: Request, next: Next) -> Response {
    let peer = Peer::take(request.headers_mut());
    request.extensions_mut().insert(peer);
    next.run(request).await
}

/// Clusters made now would be stopped at once.
async fn refuse_new(State(closing): State<Arc<AtomicBool>>, request: Request, next: Next) -> Response {
    let creates = request.method() == Method::POST && request.uri().path().trim_end_matches('/').ends_with("/clusters");
    if creates && closing.load(Ordering::Relaxed) {
        let body = Json(serde_json::json!({"error": "the gateway is shutting down"}));
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], body).into_response();
    }
    next.run(request).await
}

/// One line a request, at the level `debug`. The query is left out: it may hold what is not ours to log.
async fn log(request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let (start, method, path) = (Instant::now(), request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), ms = start.elapsed().as_millis() as u64, "request");
    response
}
