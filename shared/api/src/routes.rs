//! The table of contents: a row says all that there is to know of a route, and the door takes it from there.

use super::{App, Dashboards, operations as op};
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use faregate_core::model::TokenScope;
use std::sync::Arc;

/// Who may ask for a route. Whose the cluster is that they ask about is settled by the gateway, for all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// No sign-in.
    Anybody,
    /// Users.
    User,
    /// The cluster in the path, by its token.
    Cluster,
    /// Users, and the cluster in the path.
    UserOrCluster,
    /// Admins.
    Admin,
}

/// May users ask for a route while they are frozen?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// As always.
    Allowed,
    /// They are told why they are frozen.
    Refused,
}

/// What the door asks of whoever wants in.
#[derive(Clone, Copy, Debug)]
pub struct AccessRule {
    /// Who may.
    pub who: Who,
    /// What a user's machine token must be good for; with none, no token will do.
    pub scope: Option<TokenScope>,
    /// Whether users may while they are frozen.
    pub frozen: Frozen,
}

/// One method of one path.
pub struct Route {
    /// GET also answers HEAD.
    pub method: Method,
    /// Below the prefix, as axum writes paths. Served with a slash at its end too, unless it takes all the rest.
    pub path: &'static str,
    /// To whom it is open.
    pub access: AccessRule,
    /// What it does, for `docs/http.md`.
    pub does: &'static str,
    pub(super) handler: MethodRouter<Arc<App>>,
}

/// Rows of method and path, who, scope, frozen, handler, and what it does. None of them can be left out.
macro_rules! rows {
    ($($method:ident $path:literal, $who:ident, $scope:expr, $frozen:ident, $handler:path, $does:literal;)*) => {
        vec![$(Route {
            method: Method::$method,
            path: $path,
            access: AccessRule { who: Who::$who, scope: $scope, frozen: Frozen::$frozen },
            does: $does,
            handler: on(MethodFilter::$method, $handler),
        }),*]
    };
}

/// All but the dashboards, which depend on where they are. Names that stand at an admin's path's end may hold slashes, escaped or not.
///
/// The frozen read why nothing goes and what became of their clusters, and admins among them act on. (Longer than a function should be, as a table is one list.)
pub fn routes() -> Vec<Route> {
    use TokenScope::{Create, Read, Stop};
    rows! {
        GET "/api/health", Anybody, None, Allowed, op::health,
            "`pass`; 503 and `fail` when something that the gateway depends on is down.";
        GET "/api/version", Anybody, None, Allowed, op::version,
            "The gateway's version.";
        GET "/api/v1/options", User, Some(Read), Refused, op::options,
            "The options that the caller may choose, and their bounds.";
        GET "/api/v1/limits", User, Some(Read), Allowed, op::limits,
            "What the caller may have, whose rule each limit is, what is in use and what is left.";
        GET "/api/v1/usage", User, Some(Read), Refused, op::usage,
            "What the caller's clusters used in a month, and what it cost. Query: `month=2026-11`, by default this one.";
        GET "/api/v1/clusters", User, Some(Read), Refused, op::list,
            "The caller's clusters, oldest first. Query: `status=running,stopped`, by default those that are pending or running.";
        POST "/api/v1/clusters", User, Some(Create), Refused, op::create,
            r#"Makes a cluster: 201 with its name. Body: `{"cluster_options": {…}}`."#;
        GET "/api/v1/clusters/{name}", User, Some(Read), Refused, op::get,
            "One cluster. Query: `wait`, then once it has left PENDING, or a while later; a token needs `connect` for that, else 409.";
        DELETE "/api/v1/clusters/{name}", UserOrCluster, Some(Stop), Refused, op::stop,
            "Stops a cluster: 204, also when there is none of this name.";
        POST "/api/v1/clusters/{name}/scale", User, Some(Create), Refused, op::scale,
            r#"Asks for so many workers; over the limit for as many as it may be, and `msg` says so. Body: `{"count": n}`."#;
        POST "/api/v1/clusters/{name}/adapt", User, Some(Create), Refused, op::adapt,
            r#"Lets the scheduler ask for workers; bounds over the limit are lowered, and `msg` says so. Body: `{"minimum": n, "maximum": n, "active": true}`, where null is unbounded."#;
        POST "/api/v1/clusters/{name}/extend", User, Some(Create), Refused, op::extend,
            r#"Lets a cluster live at least so long from now: when it ends then, null for never. Body: `{"seconds": n}`."#;
        GET "/api/v1/clusters/{name}/explain", User, Some(Read), Allowed, op::explain,
            "Why a cluster is as it is, also after its end.";
        POST "/api/v1/clusters/{name}/heartbeat", Cluster, None, Allowed, op::heartbeat,
            "What a scheduler tells of itself; 409 once it shall stop.";
        GET "/api/v1/tokens", User, None, Refused, op::list_tokens,
            "The caller's machine tokens, without their texts.";
        POST "/api/v1/tokens", User, None, Refused, op::make_token,
            r#"Makes a machine token, in the caller's groups as they are now: 201 with its text, this once. Body: `{"name", "scopes": […], "expires_in": seconds}`."#;
        DELETE "/api/v1/tokens/{id}", User, None, Refused, op::revoke_token,
            "Revokes one of the caller's machine tokens. Query: `stop=true`, then what it started is stopped.";
        GET "/api/v1/admin/clusters", Admin, None, Allowed, op::admin::clusters,
            "Everyone's clusters. Query: `user`, `group`, `status=a,b`, by default those that have not ended; ended ones of one user at a time.";
        DELETE "/api/v1/admin/clusters/{name}", Admin, None, Allowed, op::admin::stop,
            r#"Stops a cluster, whosever it is. Query or body: `{"why"}`."#;
        POST "/api/v1/admin/clusters/{name}/dashboard", Admin, None, Allowed, op::admin::dashboard,
            r#"A link to a cluster's dashboard, whosever it is. Where dashboards ask for sign-in it is good once, within a minute; else it has the key, and is as good as the owner's. Body: `{"why"}`."#;
        DELETE "/api/v1/admin/users/{*user}", Admin, None, Allowed, op::admin::stop_all,
            r#"Stops all of a user's clusters; the path ends with `/clusters`. Query or body: `{"why"}`."#;
        GET "/api/v1/admin/limits", Admin, None, Allowed, op::admin::list_limits,
            "All limits, and items that cannot be read.";
        PATCH "/api/v1/admin/limits/{*scope}", Admin, None, Allowed, op::admin::change_limits,
            r#"Changes a scope's limits: as they are from now on. Body: `{"set": {…}, "unset": […], "why"}`."#;
        POST "/api/v1/admin/freeze", Admin, None, Allowed, op::admin::freeze,
            r#"Freezes a scope: nothing of it starts any more, what runs is stopped, and its users see why. Body: `{"scope", "why"}`."#;
        POST "/api/v1/admin/unfreeze", Admin, None, Allowed, op::admin::unfreeze,
            r#"Takes a freeze back. Body: `{"scope", "why"}`."#;
        GET "/api/v1/admin/usage", Admin, None, Allowed, op::admin::usage,
            "What everybody used in a month, by user and cluster. Query: `month=2026-11`, by default this one; `format=csv`.";
        GET "/api/v1/admin/explain/{*scope}", Admin, None, Allowed, op::admin::explain,
            "What applies to a user, and who says so; what a group's or the default item says. Query: `group`, also several times.";
        GET "/api/v1/admin/audit", Admin, None, Allowed, op::admin::audit,
            "What admins did in a month, oldest first. Query: `month=2026-11`, by default this one.";
        GET "/api/v1/admin/accounts", Admin, None, Allowed, op::admin::accounts,
            "Users with a password of their own, and when each was last set.";
        GET "/api/v1/admin/blocks", Admin, None, Allowed, op::admin::blocks,
            "Whose sign-ins are not looked at for a while, as too many have failed.";
        DELETE "/api/v1/admin/blocks", Admin, None, Allowed, op::admin::lift_block,
            r#"Forgives what has failed of a user, of a peer, or of that user at that peer alone. Query: `user`, `peer`. Query or body: `{"why"}`."#;
        GET "/api/v1/admin/tokens", Admin, None, Allowed, op::admin::list_tokens,
            "Everybody's machine tokens, without their texts. Query: `user`.";
        POST "/api/v1/admin/tokens", Admin, None, Allowed, op::admin::make_token,
            r#"Makes a machine token of a user, in these groups: 201 with its text, this once. Body: `{"user", "groups": […], "name", "scopes": […], "expires_in": seconds, "why"}`."#;
        DELETE "/api/v1/admin/tokens/{id}", Admin, None, Allowed, op::admin::revoke_token,
            r#"Revokes a machine token, whosever it is. Query: `stop=true`, then what it started is stopped. Query or body: `{"why"}`."#;
    }
}

/// Where the form is sent by which browsers sign in. It looks at nobody's credentials but those it is given.
pub fn sign_in_route() -> Option<Route> {
    rows! {
        POST "/sign-in", Anybody, None, Allowed, op::sign_in,
            "What the page sends that browsers get in place of a 401: `user`, `password` and `next` as a form; answers with a page and the session's cookie.";
    }
    .pop()
}

/// The way in to dashboards, where the API has one: reached without the proxy's cookie alone.
pub fn dashboard_route(dashboards: &Dashboards) -> Option<Route> {
    use TokenScope::Connect;
    let mut rows = match dashboards {
        Dashboards::Here { sign_in: true } | Dashboards::Elsewhere { sign_in: true, .. } => rows! {
            GET "/clusters/{name}/{*rest}", User, Some(Connect), Refused, op::dashboard,
                "Where dashboards ask for sign-in: 302 or 303 to the caller's dashboard, with what opens it.";
        },
        // whoever holds the key needs no sign-in, and the proxy checks it
        Dashboards::Elsewhere { sign_in: false, .. } => rows! {
            GET "/clusters/{name}/{*rest}", Anybody, None, Allowed, op::redirect,
                "Where dashboards have an address of their own, and their links a key: 307 to there.";
        },
        Dashboards::Here { sign_in: false } | Dashboards::Nowhere => vec![],
    };
    rows.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frozen_users_may_read_why_and_nothing_else() {
        let users = [Who::User, Who::UserOrCluster];
        let open = routes()
            .into_iter()
            .filter(|route| users.contains(&route.access.who) && route.access.frozen == Frozen::Allowed);
        let open: Vec<String> = open.map(|route| format!("{} {}", route.method, route.path)).collect();
        assert_eq!(open, ["GET /api/v1/limits", "GET /api/v1/clusters/{name}/explain"]);
    }

    #[test]
    fn admins_may_act_while_they_are_frozen() {
        let refused = |route: &Route| route.access.frozen == Frozen::Refused;
        assert!(!routes().iter().any(|route| route.access.who == Who::Admin && refused(route)));
    }

    #[test]
    fn no_token_with_the_scope_read_alone_changes_anything() {
        let reads = |route: &&Route| route.access.scope == Some(TokenScope::Read);
        assert!(routes().iter().filter(reads).all(|route| route.method == Method::GET));
    }
}
