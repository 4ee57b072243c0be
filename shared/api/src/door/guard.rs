//! The door: who calls is settled before anything of the request is read, and the session cookie is set on the way out.

use super::principal::{Principal, Session};
use super::rights;
use crate::App;
use crate::body::discard;
use crate::error::ApiError;
use crate::path::cluster_name;
use crate::routes::AccessRule;
use crate::sign_in_page::{self, is_browser};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use faregate_auth::{AuthError, Failed, SignedIn, authorization};
use faregate_core::model::{ClusterName, Ms};
use faregate_headers::{Cookie, Peer, by_https, names_another_origin};
use faregate_keys::Use;
use std::sync::Arc;

/// Lets a request through once it is known whose it is, and that the row of its route is open to them: its handler asks for what
/// [`principal`](super::principal) has.
pub async fn guard(State((app, access)): State<(Arc<App>, AccessRule)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let now = app.gateway.now();
    let seen_at = is_browser(&parts.method, &parts.headers).then(|| parts.uri.clone());
    let Admitted { principal, cookie, reply } = admit(&app, &access, &mut parts, now).await;
    let response = match principal {
        Err(error) => {
            discard(body).await;
            error.into_response()
        }
        Ok(principal) => {
            parts.extensions.insert(principal);
            next.run(Request::from_parts(parts, body)).await
        }
    };
    let is_refused = response.status() == StatusCode::UNAUTHORIZED;
    let form = seen_at.filter(|_| is_refused).map(|uri| {
        let next = uri.path_and_query().map_or("/", |next| next.as_str());
        sign_in_page::form(&app, StatusCode::UNAUTHORIZED, next, None)
    });
    let has_form = form.is_some();
    let mut response = form.unwrap_or(response);
    let headers = response.headers_mut();
    cookie.map(|cookie| headers.append(header::SET_COOKIE, cookie));
    match reply {
        Some(reply) => drop(headers.append(header::WWW_AUTHENTICATE, reply)),
        None if is_refused => {
            // beside the form no prompt; a browser that has tickets uses them without one
            let silent = |challenge: &HeaderValue| challenge.as_bytes().starts_with(b"Negotiate");
            for challenge in app.auth.challenges().filter(|challenge| !has_form || silent(challenge)) {
                response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        None => {}
    }
    response
}

/// Lets a request through to a route that needs no sign-in, if it comes from where clients come from.
pub async fn client_network(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check_network(&app, &Peer::of(request.extensions())) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            discard(request.into_body()).await;
            error.into_response()
        }
    }
}

/// Clients come from the networks that are served, where some are named. Whose address is not known does not.
fn check_network(app: &App, peer: &Peer) -> Result<(), ApiError> {
    let is_served = |address| app.client_networks.iter().any(|network| network.contains(address));
    if app.client_networks.is_empty() || peer.address.is_some_and(is_served) {
        return Ok(());
    }
    let from = peer.address.map_or("an unknown address".to_owned(), |address| address.to_canonical().to_string());
    let message = format!(
        "requests from {from} are not served here: an administrator says which addresses are (`ApiClientCidr`)"
    );
    Err(ApiError::new(StatusCode::FORBIDDEN, message))
}

/// Who calls, or why they do not come in; and what their answer carries either way.
struct Admitted {
    principal: Result<Principal, ApiError>,
    cookie: Option<HeaderValue>,
    reply: Option<HeaderValue>,
}

impl From<Result<Principal, ApiError>> for Admitted {
    fn from(principal: Result<Principal, ApiError>) -> Self {
        Admitted { principal, cookie: None, reply: None }
    }
}

async fn admit(app: &App, access: &AccessRule, parts: &mut Parts, now: Ms) -> Admitted {
    let peer = Peer::of(&parts.extensions);
    if let Some(cluster) = cluster_by_token(app, parts).await {
        if let Err(AuthError::Denied(why)) = &cluster {
            app.auth.failures.say(&peer, "cluster-token", None, why, now);
        }
        let Ok(cluster) = cluster else { return Err(unauthorized()).into() };
        return rights::check(app, access, Principal::Cluster(cluster)).await.into();
    }
    if let Err(error) = check_network(app, &peer) {
        return Err(error).into();
    }
    let session = Cookie::session(by_https(&parts.headers), &app.prefix);
    let signed_in = app.auth.sign_in(&parts.headers, session.name, &peer, now).await;
    let SignedIn { authentication, renew, reply } = match signed_in {
        Ok(signed_in) => signed_in,
        Err(failed) => return Err(refused(app, &peer, &failed, now)).into(),
    };
    if !parts.method.is_safe() && names_another_origin(&parts.headers) {
        let message = "a page of another site may not change anything here";
        return Err(ApiError::new(StatusCode::FORBIDDEN, message)).into();
    }
    let cookie = if renew { app.auth.issue_session(&authentication, now) } else { None };
    let cookie = cookie.and_then(|value| session.set(&value));
    let principal = rights::check(app, access, Principal::User(Session { authentication })).await;
    Admitted { principal, cookie, reply }
}

/// What they are told who are not let in, and what the log says of them.
pub(super) fn refused(app: &App, peer: &Peer, failed: &Failed, now: Ms) -> ApiError {
    let user = failed.user.as_deref();
    let say = |reason: &str| app.auth.failures.say(peer, failed.method, user, reason, now);
    match &failed.why {
        AuthError::Denied(why) => {
            say(why);
            unauthorized()
        }
        AuthError::Forbidden(sentence) => {
            say(sentence);
            ApiError::new(StatusCode::FORBIDDEN, sentence)
        }
        AuthError::TooMany { sentence, seconds } => {
            say("too many have failed before");
            ApiError { retry_after: Some(*seconds), ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, sentence) }
        }
        AuthError::Unavailable(sentence) => {
            tracing::warn!(method = failed.method, sentence, "authentication unavailable");
            ApiError::new(StatusCode::BAD_GATEWAY, sentence)
        }
        // the client sends none before it is asked for them
        AuthError::Missing | AuthError::SessionOver(_) => {
            tracing::debug!(why = %failed.why, "no credentials, and no session that holds");
            unauthorized()
        }
    }
}

pub(super) fn unauthorized() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "sign in: the credentials are missing or wrong")
}

/// `Authorization: token <cluster's token>`, for the cluster in the path; none when the request makes no such claim.
async fn cluster_by_token(app: &App, parts: &mut Parts) -> Option<Result<ClusterName, AuthError>> {
    let (scheme, token) = authorization(&parts.headers)?;
    if !scheme.eq_ignore_ascii_case(b"token") {
        return None;
    }
    let token = std::str::from_utf8(token).ok().map(str::to_owned);
    let name = cluster_name(parts).await;
    let known = token.zip(name).filter(|(token, name)| app.gateway.ring().verify(token, Use::Cluster, name));
    Some(known.map(|(_, name)| name).ok_or(AuthError::denied("a wrong cluster token")))
}

/// The cookie of whoever has typed good credentials; none where there is no session to begin.
pub async fn credentials(
    app: &App,
    parts: &Parts,
    name: &str,
    password: &str,
) -> Result<Option<HeaderValue>, ApiError> {
    let (peer, now) = (Peer::of(&parts.extensions), app.gateway.now());
    let signed_in = app.auth.sign_in_typed(name, password, &peer, now).await;
    let SignedIn { authentication, .. } = signed_in.map_err(|failed| refused(app, &peer, &failed, now))?;
    let session = app.auth.issue_session(&authentication, now);
    Ok(session.and_then(|value| Cookie::session(by_https(&parts.headers), &app.prefix).set(&value)))
}

/// Sent by a page of ours, which somebody looks at: browsers say so in one header at least, and no page can change it.
pub fn is_own_page(headers: &HeaderMap) -> bool {
    let says = |name: &str, expected: &str| headers.get(name).is_none_or(|value| value == expected);
    let is_told = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    is_told
        && !names_another_origin(headers)
        && says("sec-fetch-site", "same-origin")
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// The cookie that opens one cluster's dashboard, and is sent to nothing else.
pub fn dashboard_cookie(app: &App, headers: &HeaderMap, name: &ClusterName, pass: &str) -> Option<HeaderValue> {
    Cookie::dashboard(by_https(headers), &app.prefix, name).set(pass)
}
