//! A way to sign in.

use crate::{AuthError, Peer, Presented, SessionStart};
use async_trait::async_trait;
use faregate_core::model::{Identity, Ms, Role};
use http::HeaderValue;

/// Somebody whom a method has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub who: Identity,
    /// What goes back to them as `WWW-Authenticate`, whatever the answer is.
    pub reply: Option<HeaderValue>,
}

impl Authenticated {
    /// A user in no group.
    pub fn user(name: String, method: &str) -> Self {
        let who = Identity { name, groups: Vec::new(), role: Role::User, method: method.to_owned(), token: None };
        Authenticated { who, reply: None }
    }
}

/// How what is known of somebody's credentials was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Less than a minute ago is enough.
    Believed,
    /// Now.
    New,
}

/// A session that began with credentials of a method, and comes back.
#[derive(Clone, Copy, Debug)]
pub struct SessionCheck<'a> {
    /// Whose it is.
    pub who: &'a Identity,
    /// From where it comes now.
    pub peer: &'a Peer,
    /// How it began.
    pub start: &'a SessionStart,
    /// How what is known of its credentials is to be read.
    pub reading: Reading,
    /// When it comes.
    pub now: Ms,
}

/// A way to sign in with an `Authorization` header.
#[async_trait]
pub trait Method: Send + Sync {
    /// Its name in the configuration, and in [`Identity::method`].
    fn name(&self) -> &'static str;
    /// What `WWW-Authenticate` says to those without credentials.
    fn challenge(&self) -> Option<HeaderValue>;
    /// Are these credentials of the kind that it checks? By their look, and where they come from.
    fn accepts(&self, presented: &Presented, peer: &Peer) -> bool;
    /// Who it is. Only ever asked of what it [accepts](Method::accepts).
    async fn authenticate(&self, presented: &Presented, peer: &Peer, now: Ms) -> Result<Authenticated, AuthError>;
    /// Is it asked last, wherever it stands? What it accepts may be another's.
    fn is_asked_last(&self) -> bool {
        false
    }
    /// Can these credentials be guessed, as passwords can? Then tries are counted.
    fn is_guessable(&self) -> bool {
        false
    }
    /// What changes with this user's credentials, where a session is to end with them: clocks may be set, and then its beginning tells
    /// nothing. Asked of whom it has just let in.
    async fn stamp(&self, who: &Identity, since: Ms, now: Ms) -> Result<Option<String>, AuthError> {
        let _ = (who, since, now);
        Ok(None)
    }
    /// Does a session still hold that began with credentials of this method? [`AuthError::SessionOver`] says why not. Asked with
    /// every request, so what it reads it keeps for up to a minute; what outlasts the session wants it read anew.
    async fn session_holds(&self, session: SessionCheck<'_>) -> Result<(), AuthError> {
        let _ = session;
        Ok(())
    }
}
