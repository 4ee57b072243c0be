//! Who calls: by `Authorization` header, or by the session cookie that spares the client a second round trip.

mod basic;
mod guard;
mod session;

pub use basic::Basic;
pub use guard::{ClusterCaller, User, dashboard_cookie, guard};

use crate::model::{Identity, KeyRing, KeyRingError, Ms, Role};
use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue, header};
use session::Sessions;
use std::collections::{BTreeMap, BTreeSet};

/// The credentials are not good. What was wrong with them is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied;

/// A way to sign in with an `Authorization` header.
#[async_trait]
pub trait Method: Send + Sync {
    /// The first word of the header; compared without regard to case.
    fn scheme(&self) -> &'static str;
    /// What `WWW-Authenticate` says to those without credentials.
    fn challenge(&self) -> HeaderValue;
    /// Who it is, by what follows the scheme: any bytes a header may hold.
    async fn authenticate(&self, credentials: &[u8]) -> Result<Identity, Denied>;
}

/// The ways to sign in, and the sessions of those who did.
pub struct Auth {
    methods: Vec<Box<dyn Method>>,
    admins: BTreeSet<String>,
    groups: BTreeMap<String, BTreeSet<String>>,
    sessions: Sessions,
}

/// A user counts in so many groups at most; a transaction has a counter for each.
pub const MOST_GROUPS: usize = 20;

/// Somebody who has proved who they are.
struct SignedIn {
    who: Identity,
    /// When they last showed credentials, if the cookie is to be (re)newed.
    renew_from: Option<Ms>,
}

impl Auth {
    /// Sessions are signed with the ring's newest key, and good with any. Users named in `admins` are admins, whatever the
    /// method.
    pub fn new(ring: &KeyRing, methods: Vec<Box<dyn Method>>, admins: BTreeSet<String>) -> Result<Self, KeyRingError> {
        Ok(Auth { methods, admins, groups: BTreeMap::new(), sessions: Sessions::new(ring)? })
    }

    /// Groups by name, and who is in them beside those of whom a method says so.
    pub fn with_groups(self, groups: BTreeMap<String, BTreeSet<String>>) -> Self {
        Auth { groups, ..self }
    }

    /// What the configuration knows of a user whom a method has let in.
    fn enrich(&self, who: &mut Identity) {
        if self.admins.contains(&who.name) {
            who.role = Role::Admin;
        }
        for (group, members) in &self.groups {
            if members.contains(&who.name) && !who.groups.contains(group) {
                who.groups.push(group.clone());
            }
        }
        who.groups.truncate(MOST_GROUPS);
    }

    /// What a 401 says.
    fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        self.methods.iter().map(|method| method.challenge())
    }

    /// Credentials of a scheme that is known here decide; otherwise the cookie does, and a bad one counts as absent.
    async fn sign_in(&self, headers: &HeaderMap, now: Ms) -> Result<SignedIn, Denied> {
        if let Some((scheme, credentials)) = authorization(headers)
            && let Some(method) = self.methods.iter().find(|m| m.scheme().as_bytes().eq_ignore_ascii_case(scheme))
        {
            let mut who = method.authenticate(credentials).await?;
            self.enrich(&mut who);
            return Ok(SignedIn { who, renew_from: Some(now) });
        }
        self.sessions.find(headers, now).ok_or(Denied)
    }
}

/// Scheme and credentials of the `Authorization` header; without a space there are no credentials.
fn authorization(headers: &HeaderMap) -> Option<(&[u8], &[u8])> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes().trim_ascii();
    let end = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    Some((&value[..end], value[end..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn signed_in(authorization: &str) -> Option<Identity> {
        let ring = KeyRing::from_random(&[7; 64]);
        let methods: Vec<Box<dyn Method>> = vec![Box::new(Basic { password: None })];
        let auth = Auth::new(&ring, methods, ["root".to_owned()].into()).unwrap();
        let headers = [(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())].into_iter().collect();
        auth.sign_in(&headers, 0).await.ok().map(|signed_in| signed_in.who)
    }

    #[tokio::test]
    async fn admins_are_those_who_are_named() {
        assert_eq!(signed_in("Basic cm9vdDp4").await.unwrap().role, Role::Admin);
        assert_eq!(signed_in("Basic YWxpY2U6eA==").await.unwrap().role, Role::User);
        assert_eq!(signed_in("Basic Uk9PVDp4").await.unwrap().role, Role::User, "case counts");
    }

    #[test]
    fn groups_are_what_the_configuration_adds() {
        let groups = [("b", "alice"), ("a", "alice"), ("c", "bob")];
        let groups = groups.map(|(group, user)| (group.to_owned(), [user.to_owned()].into())).into();
        let auth = Auth::new(&KeyRing::from_random(&[7; 64]), Vec::new(), BTreeSet::new()).unwrap().with_groups(groups);
        let mut who =
            Identity { name: "alice".into(), groups: vec!["b".into()], role: Role::User, method: "basic".into() };
        auth.enrich(&mut who);
        assert_eq!(who.groups, ["b", "a"]);
    }

    #[tokio::test]
    async fn a_scheme_may_stand_alone_and_spaces_round_it_do_not_count() {
        assert!(signed_in("  bAsIc   YWxpY2U6eA==  ").await.is_some());
        for nothing in ["Basic", "", "   ", "Basi YWxpY2U6eA==", "YWxpY2U6eA=="] {
            assert!(signed_in(nothing).await.is_none(), "{nothing}");
        }
    }
}
