//! HTTP Basic with a password that all users share, or with none.

use crate::{AuthError, Authenticated, Method, Peer, Presented};
use async_trait::async_trait;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::{Ms, user_name};
use http::HeaderValue;

/// What a browser needs to ask its user.
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"faregate\"");

/// Takes a user's word for their name. With no password everyone who reaches the port can be anybody: say so where it is configured.
pub struct SharedPassword {
    /// The password that all users share; none = whatever they send is ignored.
    pub password: Option<String>,
}

#[async_trait]
impl Method for SharedPassword {
    fn name(&self) -> &'static str {
        "basic"
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(CHALLENGE)
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        matches!(presented, Presented::Basic { .. })
    }

    fn is_guessable(&self) -> bool {
        self.password.is_some()
    }

    async fn authenticate(&self, presented: &Presented, _: &Peer, _: Ms) -> Result<Authenticated, AuthError> {
        let Presented::Basic { name, password } = presented else { return Err(AuthError::denied("no password")) };
        if let Some(right) = &self.password {
            // digests have one length, so that the time says nothing about the password's
            let (right, given) = (digest(&SHA256, right.as_bytes()), digest(&SHA256, password.as_bytes()));
            verify_slices_are_equal(right.as_ref(), given.as_ref())
                .map_err(|_| AuthError::denied("a wrong password"))?;
        }
        let name = user_name(name).map_err(|_| AuthError::denied("no user can be called so"))?;
        Ok(Authenticated::user(name, self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn name(password: Option<&str>, name: &str, given: &str) -> Option<String> {
        let method = SharedPassword { password: password.map(str::to_owned) };
        let presented = Presented::Basic { name: name.to_owned(), password: given.to_owned() };
        method.authenticate(&presented, &Peer::default(), 0).await.ok().map(|entered| entered.who.name)
    }

    #[tokio::test]
    async fn a_user_is_who_they_say() {
        assert_eq!(name(None, "alice", "whatever").await.as_deref(), Some("alice"));
        assert_eq!(name(None, "alice", "").await.as_deref(), Some("alice"));
        assert_eq!(name(None, "al ice", "a:b").await.as_deref(), Some("al ice"));
        assert_eq!(name(None, "andre\u{301}", "x").await.as_deref(), Some("andré"));
    }

    #[tokio::test]
    async fn the_shared_password_counts() {
        assert_eq!(name(Some("right:one"), "alice", "right:one").await.as_deref(), Some("alice"));
        for wrong in ["wrong", "", "right:one ", "right:on"] {
            assert_eq!(name(Some("right:one"), "alice", wrong).await, None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_a_user_is_denied() {
        for bad in ["", "a\nb", "a\0b", "a\u{85}b", &"a".repeat(200)] {
            assert_eq!(name(None, bad, "x").await, None, "{bad:?}");
        }
    }
}
