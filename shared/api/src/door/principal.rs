//! Those who came in, as handlers ask for them: [`User`], [`Session`], [`ClusterCaller`] or [`AnyCaller`].

use super::guard::{refused, unauthorized};
use crate::App;
use crate::error::ApiError;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use faregate_auth::{AuthError, Authentication, Confirmed, Failed, SessionEnd};
use faregate_core::model::{ClusterName, Identity};
use faregate_gateway::Caller;

/// Who came in.
#[derive(Clone)]
pub(super) enum Principal {
    User(Session),
    Cluster(ClusterName),
}

/// A signed-in user who looks at something; 401 for a cluster. Whoever changes anything is a [`Session`].
pub struct User(pub Identity);

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if !parts.method.is_safe() {
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
    pub(super) authentication: Authentication,
}

impl Session {
    /// Who it is, for looking.
    pub fn who(&self) -> &Identity {
        &self.authentication.who
    }

    /// Who it is, by the records as they are now; 403 for those who would not be let in any more. Asked once all of the request has
    /// arrived, as that may take its time.
    pub async fn confirmed(&self, app: &App) -> Result<Confirmed, ApiError> {
        self.ask(app).await?.map_err(|end| ApiError::new(StatusCode::FORBIDDEN, end.to_string()))
    }

    /// Would they still be let in, by the records as they are now?
    pub async fn holds(&self, app: &App) -> Result<bool, ApiError> {
        Ok(self.ask(app).await?.is_ok())
    }

    async fn ask(&self, app: &App) -> Result<Result<Confirmed, SessionEnd>, ApiError> {
        let now = app.gateway.now();
        match app.auth.confirm(&self.authentication, now).await {
            Ok(confirmed) => Ok(Ok(confirmed)),
            Err(AuthError::SessionOver(end)) => Ok(Err(end)),
            Err(why) => Err(refused(app, &self.authentication.peer, &Failed::new("session", None, why), now)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.remove() {
            Some(Principal::User(session)) => Ok(session),
            _ => Err(unauthorized()),
        }
    }
}

/// The cluster in the path itself, by its token; 401 for a user.
pub struct ClusterCaller(pub ClusterName);

impl<S: Sync> FromRequestParts<S> for ClusterCaller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
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
    pub async fn confirmed(self, app: &App) -> Result<Caller, ApiError> {
        Ok(match self.0 {
            Principal::User(session) => Caller::User(session.confirmed(app).await?.clone()),
            Principal::Cluster(name) => Caller::Cluster(name),
        })
    }
}

impl<S: Sync> FromRequestParts<S> for AnyCaller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.remove().map(AnyCaller).ok_or_else(unauthorized)
    }
}
