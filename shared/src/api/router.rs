//! The table of contents, served.

use super::failure::Failure;
use super::routes::{Route, Who, routes};
use super::{App, Dashboards, auth, operations as op};
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use std::sync::Arc;

/// Everything the gateway serves, under the prefix of `app`; each path with and without a slash at its end.
///
/// It adds no logging, compression or limits of connections: what serves it does.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    let (mut open, mut guarded) = (Router::new(), Router::new());
    let (mut people, mut admins) = (Router::new(), Router::new());
    for Route { path, who, handler, .. } in routes() {
        let router = match who {
            Who::Anybody => &mut open,
            Who::User | Who::Cluster | Who::UserOrCluster => &mut guarded,
            Who::Person => &mut people,
            Who::Admin => &mut admins,
        };
        let whole = format!("{}{path}", app.prefix);
        if !path.contains("{*") {
            *router = std::mem::take(router).route(&format!("{whole}/"), handler.clone());
        }
        *router = std::mem::take(router).route(&whole, handler);
    }
    let dashboard = format!("{}/clusters/{{name}}/{{*rest}}", app.prefix);
    match app.dashboards {
        Dashboards::Here { sign_in: true } | Dashboards::Elsewhere { sign_in: true, .. } => {
            guarded = guarded.route(&dashboard, get(op::dashboard));
        }
        // whoever holds the key needs no sign-in, and the proxy checks it
        Dashboards::Elsewhere { sign_in: false, .. } => open = open.route(&dashboard, get(op::redirect)),
        Dashboards::Here { sign_in: false } | Dashboards::Nowhere => {}
    }
    guarded
        .merge(people.route_layer(from_fn(auth::people_only)))
        .merge(admins.route_layer(from_fn(auth::admins_only)))
        .route_layer(from_fn_with_state(app.clone(), auth::guard))
        .merge(open)
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .with_state(app)
}
