//! The table of contents: every route, and who may ask for it.

use super::{App, operations as op};
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use std::sync::Arc;

/// Who may ask for a route. Whose the cluster is that they ask about is settled by the gateway, for all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// No sign-in.
    Anybody,
    /// Users.
    User,
    /// Users, and no machine token of theirs.
    Person,
    /// The cluster in the path, by its token.
    Cluster,
    /// Users, and the cluster in the path.
    UserOrCluster,
    /// Admins.
    Admin,
}

/// One method of one path.
pub struct Route {
    /// GET also answers HEAD.
    pub method: Method,
    /// Below the prefix, as axum writes paths. Served with a slash at its end too, unless it takes all the rest.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
    pub(super) handler: MethodRouter<Arc<App>>,
}

fn route<H, T>(method: Method, filter: MethodFilter, path: &'static str, who: Who, handler: H) -> Route
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    Route { method, path, who, handler: on(filter, handler) }
}

macro_rules! methods {
    ($($name:ident $method:ident,)*) => {
        $(fn $name<H: Handler<T, Arc<App>>, T: 'static>(path: &'static str, who: Who, handler: H) -> Route {
            route(Method::$method, MethodFilter::$method, path, who, handler)
        })*
    };
}

methods! {
    get GET,
    post POST,
    delete DELETE,
    patch PATCH,
}

/// All but the dashboards, which depend on where they are. Names that stand at an admin's path's end may hold slashes, escaped or not.
pub fn routes() -> Vec<Route> {
    use Who::{Admin, Anybody, Cluster, Person, User, UserOrCluster};
    vec![
        get("/api/health", Anybody, op::health),
        get("/api/version", Anybody, op::version),
        get("/api/v1/options", User, op::options),
        get("/api/v1/limits", User, op::limits),
        get("/api/v1/usage", User, op::usage),
        get("/api/v1/clusters", User, op::list),
        post("/api/v1/clusters", User, op::create),
        get("/api/v1/clusters/{name}", User, op::get),
        delete("/api/v1/clusters/{name}", UserOrCluster, op::stop),
        post("/api/v1/clusters/{name}/scale", User, op::scale),
        post("/api/v1/clusters/{name}/adapt", User, op::adapt),
        post("/api/v1/clusters/{name}/extend", User, op::extend),
        get("/api/v1/clusters/{name}/explain", User, op::explain),
        post("/api/v1/clusters/{name}/heartbeat", Cluster, op::heartbeat),
        get("/api/v1/tokens", Person, op::list_tokens),
        post("/api/v1/tokens", Person, op::make_token),
        delete("/api/v1/tokens/{id}", Person, op::revoke_token),
        get("/api/v1/admin/clusters", Admin, op::admin::clusters),
        delete("/api/v1/admin/clusters/{name}", Admin, op::admin::stop),
        post("/api/v1/admin/clusters/{name}/dashboard", Admin, op::admin::dashboard),
        delete("/api/v1/admin/users/{*user}", Admin, op::admin::stop_all),
        get("/api/v1/admin/limits", Admin, op::admin::list_limits),
        patch("/api/v1/admin/limits/{*scope}", Admin, op::admin::change_limits),
        post("/api/v1/admin/freeze", Admin, op::admin::freeze),
        post("/api/v1/admin/unfreeze", Admin, op::admin::unfreeze),
        get("/api/v1/admin/usage", Admin, op::admin::usage),
        get("/api/v1/admin/explain/{*scope}", Admin, op::admin::explain),
        get("/api/v1/admin/audit", Admin, op::admin::audit),
        get("/api/v1/admin/accounts", Admin, op::admin::accounts),
        get("/api/v1/admin/blocks", Admin, op::admin::blocks),
        delete("/api/v1/admin/blocks", Admin, op::admin::lift_block),
        get("/api/v1/admin/tokens", Admin, op::admin::list_tokens),
        post("/api/v1/admin/tokens", Admin, op::admin::make_token),
        delete("/api/v1/admin/tokens/{id}", Admin, op::admin::revoke_token),
    ]
}
