//! HTTP Basic: any user, with a password that all share, or with none.

use super::{Denied, Method};
use crate::model::{Identity, Role, valid_user};
use async_trait::async_trait;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Takes a user's word for their name. With no password everyone who reaches the port can be anybody: say so where it is configured.
pub struct Basic {
    /// The password that all users share; none = whatever they send is ignored.
    pub password: Option<String>,
}

#[async_trait]
impl Method for Basic {
    fn scheme(&self) -> &'static str {
        "basic"
    }

    fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static("Basic realm=\"faregate\"")
    }

    async fn authenticate(&self, credentials: &[u8]) -> Result<Identity, Denied> {
        let decoded = STANDARD.decode(credentials).map_err(|_| Denied)?;
        let text = text(decoded);
        let (name, password) = text.split_once(':').ok_or(Denied)?;
        if let Some(right) = &self.password {
            // digests have one length, so that the time says nothing about the password's
            let (right, given) = (digest(&SHA256, right.as_bytes()), digest(&SHA256, password.as_bytes()));
            verify_slices_are_equal(right.as_ref(), given.as_ref()).map_err(|_| Denied)?;
        }
        valid_user(name).map_err(|_| Denied)?;
        Ok(Identity { name: name.to_owned(), groups: Vec::new(), role: Role::User, method: "basic".to_owned() })
    }
}

/// Browsers send UTF-8. The official client sends latin-1, whose letters beyond ASCII are not valid UTF-8 in any likely name.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn name(password: Option<&str>, credentials: &[u8]) -> Option<String> {
        let basic = Basic { password: password.map(str::to_owned) };
        basic.authenticate(STANDARD.encode(credentials).as_bytes()).await.ok().map(|who| who.name)
    }

    #[tokio::test]
    async fn a_user_is_who_they_say() {
        assert_eq!(name(None, b"alice:whatever").await.as_deref(), Some("alice"));
        assert_eq!(name(None, b"alice:").await.as_deref(), Some("alice"));
        assert_eq!(name(None, b"al ice:a:b").await.as_deref(), Some("al ice"));
    }

    #[tokio::test]
    async fn names_beyond_ascii_arrive_as_latin_1_or_utf_8() {
        assert_eq!(name(None, b"andr\xe9:x").await.as_deref(), Some("andré"));
        assert_eq!(name(None, "andré:x".as_bytes()).await.as_deref(), Some("andré"));
        assert_eq!(name(Some("pässwort"), b"a:p\xe4sswort").await.as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn the_shared_password_counts() {
        assert_eq!(name(Some("right:one"), b"alice:right:one").await.as_deref(), Some("alice"));
        for wrong in ["alice:wrong", "alice:", "alice:right:one ", "alice:right:on"] {
            assert_eq!(name(Some("right:one"), wrong.as_bytes()).await, None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_a_user_is_denied() {
        for bad in [&b":x"[..], b"alice", b"", b"a\nb:x", b"a\0b:x", b"a\x85b:x", &[b'a'; 200]] {
            assert_eq!(name(None, bad).await, None, "{bad:?}");
        }
        let basic = Basic { password: None };
        for bad in [&b"%%%"[..], b"", b"YWxpY2U6", b"YWxpY2U6 eA==", b"\xff\xfe"] {
            let expected = bad == b"YWxpY2U6";
            assert_eq!(basic.authenticate(bad).await.is_ok(), expected, "{bad:?}");
        }
    }
}
