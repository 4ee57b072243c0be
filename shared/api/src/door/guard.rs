//! The door: who calls is settled before anything of the request is read, and the session cookie is set on the way out.

use super::rights;
use crate::App;
use crate::body::discard;
use crate::failure::Failure;
use crate::path::cluster_name;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use faregate_auth::{AuthError, Authentication, Confirmed, Failed, SessionEnd, SignedIn, authorization};
use faregate_core::model::{ClusterName, Identity, Ms, Role};
use faregate_gateway::Caller;
use faregate_headers::{Cookie, Peer, by_https};
use faregate_keys::Use;
use std::sync::Arc;

/// Who came in.
#[derive(Clone)]
enum Principal {
    User(Session),
    Cluster(ClusterName),
}

/// Lets a request through once it is known whose it is: its handler asks for [`User`], [`Session`], [`ClusterCaller`] or [`AnyCaller`].
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let now = app.gateway.now();
    let Admitted { principal, cookie, reply } = admit(&app, &mut parts, now).await;
    let mut response = match principal {
        Err(failure) => {
            discard(body).await;
            failure.into_response()
        }
        Ok(principal) => {
            parts.extensions.insert(principal);
            next.run(Request::from_parts(parts, body)).await
        }
    };
    let headers = response.headers_mut();
    cookie.map(|cookie| headers.append(header::SET_COOKIE, cookie));
    match reply {
        Some(reply) => drop(headers.append(header::WWW_AUTHENTICATE, reply)),
        None if response.status() == StatusCode::UNAUTHORIZED => {
            for challenge in app.auth.challenges() {
                response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        None => {}
    }
    response
}

/// Who calls, or why they do not come in; and what their answer carries either way.
struct Admitted {
    principal: Result<Principal, Failure>,
    cookie: Option<HeaderValue>,
    reply: Option<HeaderValue>,
}

impl From<Result<Principal, Failure>> for Admitted {
    fn from(principal: Result<Principal, Failure>) -> Self {
        Admitted { principal, cookie: None, reply: None }
    }
}

async fn admit(app: &App, parts: &mut Parts, now: Ms) -> Admitted {
    let peer = Peer::of(&parts.extensions);
    if let Some(cluster) = cluster_by_token(app, parts).await {
        if let Err(AuthError::Denied(why)) = &cluster {
            app.auth.failures.say(&peer, "cluster-token", None, why, now);
        }
        return cluster.map(Principal::Cluster).map_err(|_| unauthorized()).into();
    }
    let session = Cookie::session(by_https(&parts.headers), &app.prefix);
    let signed_in = app.auth.sign_in(&parts.headers, session.name, &peer, now).await;
    let SignedIn { authentication, renew, reply } = match signed_in {
        Ok(signed_in) => signed_in,
        Err(failed) => return Err(refused(app, &peer, &failed, now)).into(),
    };
    if changes_state(&parts.method) && is_foreign(&parts.headers) {
        let message = "a page of another site may not change anything here";
        return Err(Failure::new(StatusCode::FORBIDDEN, message)).into();
    }
    let cookie = if renew { app.auth.issue_session(&authentication, now) } else { None };
    let cookie = cookie.and_then(|value| session.set(&value));
    let principal =
        rights::check(app, &authentication.who, parts).await.map(|()| Principal::User(Session { authentication }));
    Admitted { principal, cookie, reply }
}

/// What they are told who are not let in, and what the log says of them.
fn refused(app: &App, peer: &Peer, failed: &Failed, now: Ms) -> Failure {
    let user = failed.user.as_deref();
    let say = |reason: &str| app.auth.failures.say(peer, failed.method, user, reason, now);
    match &failed.why {
        AuthError::Denied(why) => {
            say(why);
            unauthorized()
        }
        AuthError::Forbidden(sentence) => {
            say(sentence);
            Failure::new(StatusCode::FORBIDDEN, sentence)
        }
        AuthError::TooMany { sentence, seconds } => {
            say("too many have failed before");
            Failure { retry_after: Some(*seconds), ..Failure::new(StatusCode::TOO_MANY_REQUESTS, sentence) }
        }
        AuthError::Unavailable(sentence) => {
            tracing::warn!(method = failed.method, sentence, "authentication unavailable");
            Failure::new(StatusCode::BAD_GATEWAY, sentence)
        }
        // the client sends none before it is asked for them
        AuthError::Missing | AuthError::SessionOver(_) => {
            tracing::debug!(why = %failed.why, "no credentials, and no session that holds");
            unauthorized()
        }
    }
}

/// Lets admins through, and nobody else. The guard before it has found out who calls.
pub async fn admins_only(request: Request, next: Next) -> Response {
    let admin =
        |principal: &Principal| matches!(principal, Principal::User(session) if session.who().role == Role::Admin);
    if request.extensions().get().is_some_and(admin) {
        return next.run(request).await;
    }
    discard(request.into_body()).await;
    Failure::new(StatusCode::FORBIDDEN, "this is for administrators only").into_response()
}

/// Lets people through, and no machine token. The guard before it has found out who calls.
pub async fn people_only(request: Request, next: Next) -> Response {
    let person = |principal: &Principal| matches!(principal, Principal::User(session) if session.who().token.is_none());
    if request.extensions().get().is_some_and(person) {
        return next.run(request).await;
    }
    discard(request.into_body()).await;
    Failure::new(StatusCode::FORBIDDEN, "this is for people only: a token makes, shows and revokes none")
        .into_response()
}

fn unauthorized() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "sign in: the credentials are missing or wrong")
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

fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// Sent by a page of another site: a browser adds cookies, and credentials it remembers, without asking its user.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let own = [&b"http://"[..], b"https://"].iter().any(|scheme| {
        origin.as_bytes().strip_prefix(*scheme).is_some_and(|address| address.eq_ignore_ascii_case(host))
    });
    !own
}

/// The cookie that opens one cluster's dashboard, and is sent to nothing else.
pub fn dashboard_cookie(app: &App, headers: &HeaderMap, name: &ClusterName, pass: &str) -> Option<HeaderValue> {
    Cookie::dashboard(by_https(headers), &app.prefix, name).set(pass)
}

/// A signed-in user who looks at something; 401 for a cluster. Whoever changes anything is a [`Session`].
pub struct User(pub Identity);

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        if changes_state(&parts.method) {
            tracing::error!(method = %parts.method, "request refused: its handler asks for no confirmation");
            return Err(unauthorized());
        }
        Session::from_request_parts(parts, state).await.map(|session| User(session.authentication.who))
    }
}

/// A signed-in user; 401 for a cluster. That they are is believed for up to a minute after their password was changed or their token
/// revoked: whatever lasts longer than their session begins with [`Session::confirmed`].
#[derive(Clone)]
pub struct Session {
    authentication: Authentication,
}

impl Session {
    /// Who it is, for looking.
    pub fn who(&self) -> &Identity {
        &self.authentication.who
    }

    /// Who it is, by the records as they are now; 403 for those who would not be let in any more. Asked once all of the request has
    /// arrived, as that may take its time.
    pub async fn confirmed(&self, app: &App) -> Result<Confirmed, Failure> {
        self.ask(app).await?.map_err(|end| Failure::new(StatusCode::FORBIDDEN, end.to_string()))
    }

    /// Would they still be let in, by the records as they are now?
    pub async fn holds(&self, app: &App) -> Result<bool, Failure> {
        Ok(self.ask(app).await?.is_ok())
    }

    async fn ask(&self, app: &App) -> Result<Result<Confirmed, SessionEnd>, Failure> {
        let now = app.gateway.now();
        match app.auth.confirm(&self.authentication, now).await {
            Ok(confirmed) => Ok(Ok(confirmed)),
            Err(AuthError::SessionOver(end)) => Ok(Err(end)),
            Err(why) => Err(refused(app, &self.authentication.peer, &Failed::new("session", None, why), now)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match parts.extensions.remove() {
            Some(Principal::User(session)) => Ok(session),
            _ => Err(unauthorized()),
        }
    }
}

/// The cluster in the path itself, by its token; 401 for a user.
pub struct ClusterCaller(pub ClusterName);

impl<S: Sync> FromRequestParts<S> for ClusterCaller {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match parts.extensions.remove() {
            Some(Principal::Cluster(name)) => Ok(ClusterCaller(name)),
            _ => Err(unauthorized()),
        }
    }
}

/// Either of them.
pub struct AnyCaller(Principal);

impl AnyCaller {
    /// A user as in [`Session::confirmed`].
    pub async fn confirmed(self, app: &App) -> Result<Caller, Failure> {
        Ok(match self.0 {
            Principal::User(session) => Caller::User(session.confirmed(app).await?.clone()),
            Principal::Cluster(name) => Caller::Cluster(name),
        })
    }
}

impl<S: Sync> FromRequestParts<S> for AnyCaller {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.remove().map(AnyCaller).ok_or_else(unauthorized)
    }
}
