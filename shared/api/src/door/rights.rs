//! What those who came in may not do all the same: what the row of a route keeps from them.

use super::guard::unauthorized;
use super::principal::Principal;
use crate::App;
use crate::error::ApiError;
use crate::routes::{AccessRule, Frozen, Who};
use axum::http::StatusCode;
use faregate_core::model::{Identity, Role, TokenScope};

/// May they ask for this?
pub(super) async fn check(app: &App, access: &AccessRule, principal: Principal) -> Result<Principal, ApiError> {
    if let Some(who) = user(access.who, &principal)? {
        allowed(who, access.scope).map_err(|sentence| ApiError::new(StatusCode::FORBIDDEN, sentence))?;
        if access.frozen == Frozen::Refused {
            app.gateway.clusters.refuse_frozen(who).await?;
        }
    }
    Ok(principal)
}

/// The user, where it is one; a cluster answers for itself. Whoever is not meant is refused.
fn user(who: Who, principal: &Principal) -> Result<Option<&Identity>, ApiError> {
    match (who, principal) {
        (Who::User | Who::UserOrCluster, Principal::User(session)) => Ok(Some(session.who())),
        (Who::Admin, Principal::User(session)) if session.who().role == Role::Admin => Ok(Some(session.who())),
        (Who::Admin, _) => Err(ApiError::new(StatusCode::FORBIDDEN, "this is for administrators only")),
        (Who::Cluster | Who::UserOrCluster, Principal::Cluster(_)) => Ok(None),
        (Who::Anybody | Who::User | Who::Cluster, _) => Err(unauthorized()),
    }
}

/// A person may do what no token may; else the sentence says why not.
fn allowed(who: &Identity, scope: Option<TokenScope>) -> Result<(), String> {
    match scope {
        Some(scope) => within_scopes(who, scope),
        None if who.token.is_some() => Err("this is for people only: a token makes, shows and revokes none".to_owned()),
        None => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::TokenUse;

    fn who(scopes: Option<&[TokenScope]>) -> Identity {
        let token = scopes.map(|scopes| TokenUse { id: "1".into(), scopes: scopes.iter().copied().collect() });
        Identity { name: "alice".into(), groups: Vec::new(), role: Role::User, method: "tokens".into(), token }
    }

    #[test]
    fn a_token_is_good_for_its_scopes_and_a_person_for_all() {
        use TokenScope::{Connect, Create, Read, Stop};
        for (scopes, good) in [
            (None, &[Some(Read), Some(Create), Some(Stop), Some(Connect), None][..]),
            (Some(&[Read][..]), &[Some(Read)]),
            (Some(&[Connect]), &[Some(Connect)]),
            (Some(&[Stop]), &[Some(Stop)]),
            // who makes a cluster may use it
            (Some(&[Create]), &[Some(Create), Some(Connect)]),
            (Some(&TokenScope::ALL), &[Some(Read), Some(Create), Some(Stop), Some(Connect)]),
        ] {
            for scope in TokenScope::ALL.map(Some).into_iter().chain([None]) {
                assert_eq!(allowed(&who(scopes), scope).is_ok(), good.contains(&scope), "{scopes:?} {scope:?}");
            }
        }
        let refused = within_scopes(&who(Some(&[Read])), Stop).unwrap_err();
        assert!(refused.contains("`stop`, and has `read`"), "{refused}");
    }
}
