//! The gateway's HTTP server: on a Unix socket that the proxy alone connects to.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use faregate_headers::Peer;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections at once; the proxy has bounds of its own, below this.
const MOST_CONNECTIONS: usize = 2048;
/// For the head of a request, and before it: longer than the proxy keeps connections that nobody uses.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// The longest head, in bytes: more than the proxy takes, with what it adds.
const LONGEST_HEAD: usize = 256 * 1024;

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

/// Serves until `shutdown` resolves and what was begun is answered. While `closing` says so, no new cluster is taken in. Of
/// `descriptors`, the most files that this process may have open, half are for connections.
pub async fn serve(
    listener: UnixListener,
    router: Router,
    closing: Arc<AtomicBool>,
    descriptors: u64,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router =
        router.layer(from_fn_with_state(closing, refuse_new)).layer(from_fn(log)).layer(from_fn(believe_proxy));
    let places = usize::try_from(descriptors / 2).unwrap_or(usize::MAX).clamp(8, MOST_CONNECTIONS);
    let places = Arc::new(Semaphore::new(places));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok((listener.accept().await?.0, place))
        };
        let accepted: io::Result<_> = tokio::select! { accepted = accepted => accepted, () = &mut shutdown => break };
        match accepted {
            Ok((stream, place)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    let _place = place;
                    serve_one(stream, router, stopped).await;
                });
            }
            // at the limit of open files, for example: it will get better, and those that wait are still there
            Err(error) => {
                tracing::warn!(%error, "accept failed; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop((listener, stop));
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves a connection to its end, which comes after the request that is under way when `stopped` says so.
async fn serve_one(stream: UnixStream, router: Router, mut stopped: watch::Receiver<()>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the proxy ended early");
    }
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
