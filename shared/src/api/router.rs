//! The table of contents.

use super::failure::Failure;
use super::{App, Dashboards, auth, operations as op};
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

/// Everything the gateway serves, under the prefix of `app`; each path with and without a slash at its end.
///
/// It adds no logging, compression or limits of connections: what serves it does.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let open = [("/api/health", get(op::health)), ("/api/version", get(op::version))];
    let guarded = [
        ("/api/v1/options", get(op::options)),
        ("/api/v1/limits", get(op::limits)),
        ("/api/v1/usage", get(op::usage)),
        ("/api/v1/clusters", get(op::list).post(op::create)),
        ("/api/v1/clusters/{name}", get(op::get).delete(op::stop)),
        ("/api/v1/clusters/{name}/scale", post(op::scale)),
        ("/api/v1/clusters/{name}/adapt", post(op::adapt)),
        ("/api/v1/clusters/{name}/extend", post(op::extend)),
        ("/api/v1/clusters/{name}/explain", get(op::explain)),
        ("/api/v1/clusters/{name}/heartbeat", post(op::heartbeat)),
    ];
    let mut guarded = paths(&app, guarded).merge(op::admin::routes(&app.prefix));
    let mut open = paths(&app, open);
    let dashboard = format!("{}/clusters/{{name}}/{{*rest}}", app.prefix);
    match app.dashboards {
        Dashboards::Here { sign_in: true } => guarded = guarded.route(&dashboard, get(op::dashboard)),
        // whoever holds the key needs no sign-in, and the proxy checks it
        Dashboards::Elsewhere { .. } => open = open.route(&dashboard, get(op::redirect)),
        Dashboards::Here { sign_in: false } | Dashboards::Nowhere => {}
    }
    guarded
        .route_layer(from_fn_with_state(app.clone(), auth::guard))
        .merge(open)
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .with_state(app)
}

fn paths<const N: usize>(app: &App, list: [(&str, MethodRouter<Arc<App>>); N]) -> Router<Arc<App>> {
    list.into_iter().fold(Router::new(), |router, (path, methods)| {
        let path = format!("{}{path}", app.prefix);
        router.route(&path, methods.clone()).route(&format!("{path}/"), methods)
    })
}
