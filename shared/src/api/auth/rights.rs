//! What those who came in may not do all the same: a machine token beyond its scopes, and the frozen nearly everything.

use crate::api::App;
use crate::api::failure::Failure;
use crate::model::{Identity, Role, TokenScope};
use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};

/// By these the frozen read why nothing goes, and what became of their clusters.
const OPEN_TO_THE_FROZEN: [&str; 2] = ["/api/v1/limits", "/api/v1/clusters/{name}/explain"];
const ADMINS: &str = "/api/v1/admin/";

/// May they ask for this?
pub(super) async fn check(app: &App, who: &Identity, parts: &Parts) -> Result<(), Failure> {
    within_scopes(who, &parts.method)?;
    let route = parts.extensions.get().map(MatchedPath::as_str).unwrap_or_default();
    let route = route.strip_prefix(&app.prefix).unwrap_or(route);
    if open_to_the_frozen(who, route.strip_suffix('/').unwrap_or(route)) {
        return Ok(());
    }
    Ok(app.gateway.refuse_frozen(who).await?)
}

/// What looks is `read`, what deletes is `stop`, and all else is `create`.
fn scope(method: &Method) -> TokenScope {
    match *method {
        Method::GET | Method::HEAD => TokenScope::Read,
        Method::DELETE => TokenScope::Stop,
        _ => TokenScope::Create,
    }
}

fn within_scopes(who: &Identity, method: &Method) -> Result<(), Failure> {
    let scope = scope(method);
    match &who.token {
        Some(token) if !token.scopes.contains(&scope) => {
            let has = token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join("`, `");
            let message = format!(
                "this token is not good for that: it would need the scope `{}`, and has `{has}`",
                scope.as_str()
            );
            Err(Failure::new(StatusCode::FORBIDDEN, message))
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
    use crate::model::TokenUse;

    fn who(role: Role, scopes: Option<&[TokenScope]>) -> Identity {
        let token = scopes.map(|scopes| TokenUse { id: "1".into(), scopes: scopes.iter().copied().collect() });
        Identity { name: "alice".into(), groups: Vec::new(), role, method: "tokens".into(), token }
    }

    #[test]
    fn a_token_is_good_for_its_scopes_and_a_person_for_all() {
        let methods = [Method::GET, Method::HEAD, Method::DELETE, Method::POST, Method::PUT, Method::PATCH];
        let allowed = |who: &Identity| methods.iter().filter(|m| within_scopes(who, m).is_ok()).count();
        assert_eq!(allowed(&who(Role::User, None)), 6);
        assert_eq!(allowed(&who(Role::User, Some(&[TokenScope::Read]))), 2);
        assert_eq!(allowed(&who(Role::User, Some(&[TokenScope::Stop]))), 1);
        assert_eq!(allowed(&who(Role::User, Some(&[TokenScope::Create]))), 3);
        assert_eq!(allowed(&who(Role::User, Some(&TokenScope::ALL))), 6);
        let refused = within_scopes(&who(Role::User, Some(&[TokenScope::Read])), &Method::DELETE).unwrap_err();
        assert!(refused.message.contains("`stop`, and has `read`"), "{}", refused.message);
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
