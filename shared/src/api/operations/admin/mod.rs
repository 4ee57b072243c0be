//! What admins alone may ask for, under `/api/v1/admin/`. Who may is settled in one place: [`admins_only`].

mod audit;
mod clusters;
mod explain;
mod freeze;
mod limits;
mod params;
mod stop;
mod usage;

use crate::api::App;
use crate::api::body::discard;
use crate::api::failure::Failure;
use crate::gateway::admin::Act;
use crate::gateway::{Caller, Refusal};
use crate::model::{Identity, Role};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post};
use std::sync::Arc;

/// The admins' table of contents, below the prefix. Names that stand at a path's end may hold slashes, escaped or not.
pub fn routes(prefix: &str) -> Router<Arc<App>> {
    let list: [(&str, MethodRouter<Arc<App>>); 10] = [
        ("clusters", get(clusters::clusters)),
        ("clusters/{name}", delete(stop::stop)),
        ("users/{*user}", delete(stop::stop_all)),
        ("limits", get(limits::list)),
        ("limits/{*scope}", patch(limits::change)),
        ("freeze", post(freeze::freeze)),
        ("unfreeze", post(freeze::unfreeze)),
        ("usage", get(usage::usage)),
        ("explain/{*scope}", get(explain::explain)),
        ("audit", get(audit::audit)),
    ];
    let routes = list.into_iter().fold(Router::new(), |router, (path, methods)| {
        let path = format!("{prefix}/api/v1/admin/{path}");
        let router = if path.contains("{*") { router } else { router.route(&format!("{path}/"), methods.clone()) };
        router.route(&path, methods)
    });
    routes.route_layer(from_fn(admins_only))
}

/// Lets admins through, and nobody else. The guard before it has found out who calls.
async fn admins_only(request: Request, next: Next) -> Response {
    let admin = |caller: &Caller| matches!(caller, Caller::User(Identity { role: Role::Admin, .. }));
    if request.extensions().get().is_some_and(admin) {
        return next.run(request).await;
    }
    discard(request.into_body()).await;
    Failure::new(StatusCode::FORBIDDEN, "this is for administrators only").into_response()
}

/// What the signed-in admin does, and why.
fn act(who: &Identity, why: Option<&str>) -> Result<Act, Refusal> {
    Act::new(&who.name, why)
}
