//! What those who came in may not do all the same: a machine token beyond its scopes, and the frozen nearly everything.

use crate::App;
use crate::failure::Failure;
use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use faregate_core::model::{Identity, Role, TokenScope};

/// By these the frozen read why nothing goes, and what became of their clusters.
const OPEN_TO_THE_FROZEN: [&str; 2] = ["/api/v1/limits", "/api/v1/clusters/{name}/explain"];
const ADMINS: &str = "/api/v1/admin/";
const DASHBOARDS: &str = "/clusters/";

/// May they ask for this?
pub(super) async fn check(app: &App, who: &Identity, parts: &Parts) -> Result<(), Failure> {
    let route = parts.extensions.get().map(MatchedPath::as_str).unwrap_or_default();
    let route = route.strip_prefix(&app.prefix).unwrap_or(route);
    within_scopes(who, scope(&parts.method, route))
        .map_err(|sentence| Failure::new(StatusCode::FORBIDDEN, sentence))?;
    if open_to_the_frozen(who, route.strip_suffix('/').unwrap_or(route)) {
        return Ok(());
    }
    Ok(app.gateway.clusters.refuse_frozen(who).await?)
}

/// The way in to a dashboard is `connect`; what else looks is `read`, what deletes is `stop`, and all the rest is `create`.
fn scope(method: &Method, route: &str) -> TokenScope {
    match *method {
        Method::GET | Method::HEAD if route.starts_with(DASHBOARDS) => TokenScope::Connect,
        Method::GET | Method::HEAD => TokenScope::Read,
        Method::DELETE => TokenScope::Stop,
        _ => TokenScope::Create,
    }
}

/// Else the sentence that names the scope.
pub fn within_scopes(who: &Identity, scope: TokenScope) -> Result<(), String> {
    match &who.token {
        Some(token) if !token.allows(scope) => {
            let has = token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join("`, `");
            Err(format!(
                "this token is not good for that: it would need the scope `{}`, and has `{has}`",
                scope.as_str()
            ))
        }
        _ => Ok(()),
    }
}

fn open_to_the_frozen(who: &Identity, route: &str) -> bool {
    OPEN_TO_THE_FROZEN.contains(&route) || who.role == Role::Admin && route.starts_with(ADMINS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::TokenUse;

    fn who(role: Role, scopes: Option<&[TokenScope]>) -> Identity {
        let token = scopes.map(|scopes| TokenUse { id: "1".into(), scopes: scopes.iter().copied().collect() });
        Identity { name: "alice".into(), groups: Vec::new(), role, method: "tokens".into(), token }
    }

    #[test]
    fn a_token_is_good_for_its_scopes_and_a_person_for_all() {
        let methods = [Method::GET, Method::HEAD, Method::DELETE, Method::POST, Method::PUT, Method::PATCH];
        let allowed = |who: &Identity, route: &str| {
            methods.iter().filter(|method| within_scopes(who, scope(method, route)).is_ok()).count()
        };
        let (api, dashboard) = ("/api/v1/clusters/{name}", "/clusters/{name}/{*rest}");
        for (scopes, of_api, of_dashboard) in [
            (None, 6, 6),
            (Some(&[TokenScope::Read][..]), 2, 0),
            (Some(&[TokenScope::Connect]), 0, 2),
            (Some(&[TokenScope::Stop]), 1, 1),
            (Some(&[TokenScope::Create]), 3, 5),
            (Some(&TokenScope::ALL), 6, 6),
        ] {
            let who = who(Role::User, scopes);
            assert_eq!((allowed(&who, api), allowed(&who, dashboard)), (of_api, of_dashboard), "{scopes:?}");
        }
        let refused = within_scopes(&who(Role::User, Some(&[TokenScope::Read])), TokenScope::Stop).unwrap_err();
        assert!(refused.contains("`stop`, and has `read`"), "{refused}");
    }

    #[test]
    fn the_frozen_read_why_and_admins_thaw_themselves() {
        for (role, route, open) in [
            (Role::User, "/api/v1/limits", true),
            (Role::User, "/api/v1/clusters/{name}/explain", true),
            (Role::User, "/api/v1/clusters/{name}", false),
            (Role::User, "/api/v1/admin/freeze", false),
            (Role::Admin, "/api/v1/admin/freeze", true),
            (Role::Admin, "/api/v1/clusters", false),
            (Role::User, "", false),
        ] {
            assert_eq!(open_to_the_frozen(&who(role, None), route), open, "{route}");
        }
    }
}
