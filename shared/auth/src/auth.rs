//! Who calls: by `Authorization` header, or by the session cookie that spares the client a second round trip.
//!
//! Each way to sign in is a [`Method`] and a file of its own. [`Auth`] holds those that are configured, in order: the first that accepts
//! what was presented decides.

use crate::access::Access;
use crate::failed::{Failed, FailureLog};
use crate::guesses::Guesses;
use crate::session::{Session, Sessions};
use crate::{AuthError, Authenticated, Method, Peer, Presented, Reading, SessionCheck, SessionEnd};
use faregate_core::model::{Identity, MachineToken, Ms, Role, user_name};
use faregate_keys::{KeyRing, KeyRingError};
use http::{HeaderMap, HeaderValue};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

/// The ways to sign in, and the sessions of those who did.
pub struct Auth {
    methods: Vec<Box<dyn Method>>,
    admins: BTreeSet<String>,
    groups: BTreeMap<String, BTreeSet<String>>,
    sessions: Sessions,
    /// Of the methods whose credentials can be guessed.
    pub guesses: Arc<Guesses>,
    /// What the log says of those who are not let in.
    pub failures: FailureLog,
}

/// A user counts in so many groups at most; a transaction has a counter for each.
pub const MOST_GROUPS: usize = 20;

/// How a session began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStart {
    /// When credentials were shown.
    pub at: Ms,
    /// See [`Method::stamp`].
    pub stamp: Option<String>,
}

/// Somebody who was let in, and by what: for up to a minute that is believed to hold. [`Auth::confirm`] asks.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Who.
    pub who: Identity,
    start: SessionStart,
    /// From where.
    pub peer: Peer,
}

/// Somebody whose password or token is, by the records as they are now, still what they were let in by. [`Auth::confirm`] alone makes
/// it, for what lasts longer than a session.
#[derive(Debug)]
pub struct Confirmed(Identity);

impl Deref for Confirmed {
    type Target = Identity;
    fn deref(&self) -> &Identity {
        &self.0
    }
}

/// Somebody who has proved who they are.
#[derive(Debug)]
pub struct SignedIn {
    /// Who, and by what.
    pub authentication: Authentication,
    /// Is the cookie to be (re)newed?
    pub renew: bool,
    /// See [`Authenticated::reply`].
    pub reply: Option<HeaderValue>,
}

impl Auth {
    /// Sessions are signed with the ring's newest key, and good with any. Users named in `admins` are admins, whatever the
    /// method.
    pub fn new(
        ring: &KeyRing,
        mut methods: Vec<Box<dyn Method>>,
        admins: BTreeSet<String>,
    ) -> Result<Self, KeyRingError> {
        methods.sort_by_key(|method| method.is_asked_last());
        let (groups, sessions) = (BTreeMap::new(), Sessions::new(ring)?);
        Ok(Auth { methods, admins, groups, sessions, guesses: Arc::default(), failures: FailureLog::default() })
    }

    /// Failed tries are kept there, too.
    pub fn with_access(self, access: &Arc<Access>) -> Self {
        Auth { guesses: Arc::new(Guesses::on_record(access.clone())), ..self }
    }

    /// Groups by name, and who is in them beside those of whom a method says so.
    pub fn with_groups(self, groups: BTreeMap<String, BTreeSet<String>>) -> Self {
        Auth { groups, ..self }
    }

    /// What the configuration knows of a user whom a method has let in. A machine token has what it was given, and no more.
    fn enrich(&self, who: &mut Identity) {
        if who.token.is_none() {
            leave_tokens_groups(who);
            if self.admins.contains(&who.name) {
                who.role = Role::Admin;
            }
            for (group, members) in &self.groups {
                if members.contains(&who.name) && !who.groups.contains(group) {
                    who.groups.push(group.clone());
                }
            }
        }
        who.groups.truncate(MOST_GROUPS);
    }

    /// The value of a session's cookie for somebody who showed credentials; none when that is too long ago.
    pub fn issue_session(&self, authentication: &Authentication, now: Ms) -> Option<String> {
        self.sessions.issue(&authentication.who, &authentication.start, now)
    }

    /// What a 401 says.
    pub fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        let mut said = Vec::new();
        for challenge in self.methods.iter().filter_map(|method| method.challenge()) {
            if !said.contains(&challenge) {
                said.push(challenge);
            }
        }
        said.into_iter()
    }

    /// Credentials that a method accepts decide; otherwise the cookie of this name does, and a bad one counts as absent.
    pub async fn sign_in(&self, headers: &HeaderMap, cookie: &str, peer: &Peer, now: Ms) -> Result<SignedIn, Failed> {
        let presented = Presented::read(headers).map_err(|why| Failed::new("unknown", None, why))?;
        match self.by_credentials(&presented, peer, now).await {
            Some(signed_in) => signed_in,
            None => {
                let failed = |why| Failed::new("session", None, why);
                self.by_session(headers, cookie, peer, now).await.map_err(failed)
            }
        }
    }

    /// What somebody has typed: a name, perhaps empty, and a password or a token.
    pub async fn sign_in_typed(&self, name: &str, password: &str, peer: &Peer, now: Ms) -> Result<SignedIn, Failed> {
        let presented = Presented::Basic { name: name.to_owned(), password: password.to_owned() };
        let nobodys = || {
            Failed::new("unknown", presented.user(), AuthError::denied("no method takes a password or such a token"))
        };
        self.by_credentials(&presented, peer, now).await.unwrap_or_else(|| Err(nobodys()))
    }

    /// None where no method accepts them.
    async fn by_credentials(&self, presented: &Presented, peer: &Peer, now: Ms) -> Option<Result<SignedIn, Failed>> {
        let method = self.methods.iter().find(|method| method.accepts(presented, peer))?;
        let asked = async {
            let Authenticated { mut who, reply } = self.ask(&**method, presented, peer, now).await?;
            self.enrich(&mut who);
            let stamp = method.stamp(&who, now, now).await?;
            let authentication = Authentication { who, start: SessionStart { at: now, stamp }, peer: *peer };
            Ok(SignedIn { authentication, renew: true, reply })
        };
        Some(asked.await.map_err(|why| Failed::new(method.name(), presented.user(), why)))
    }

    /// Asks a method. What can be guessed is looked at only so often.
    async fn ask(
        &self,
        method: &dyn Method,
        presented: &Presented,
        peer: &Peer,
        now: Ms,
    ) -> Result<Authenticated, AuthError> {
        if !method.is_guessable() {
            return method.authenticate(presented, peer, now).await;
        }
        // what no user can be called is nobody's, whatever it is
        let user = user_name(presented.user().unwrap_or_default()).unwrap_or_default();
        let guess = self.guesses.begin(&user, peer, now).await?;
        let authentication = method.authenticate(presented, peer, now).await;
        match &authentication {
            Ok(_) => guess.right(),
            Err(AuthError::Denied(_)) => guess.wrong().await,
            Err(_) => guess.undecided(),
        }
        authentication
    }

    async fn by_session(&self, headers: &HeaderMap, cookie: &str, peer: &Peer, now: Ms) -> Result<SignedIn, AuthError> {
        let Session { mut who, start, renew } = self.sessions.find(headers, cookie, now).ok_or(AuthError::Missing)?;
        leave_tokens_groups(&mut who);
        let authentication = Authentication { who, start, peer: *peer };
        self.check(&authentication, Reading::Believed, now).await?;
        Ok(SignedIn { authentication, renew, reply: None })
    }

    /// Asks the records whether what somebody was let in by still holds, and believes nothing that was read before. Whatever outlasts a
    /// session begins with it.
    pub async fn confirm(&self, authentication: &Authentication, now: Ms) -> Result<Confirmed, AuthError> {
        self.check(authentication, Reading::New, now).await?;
        Ok(Confirmed(authentication.who.clone()))
    }

    async fn check(
        &self,
        Authentication { who, start, peer }: &Authentication,
        reading: Reading,
        now: Ms,
    ) -> Result<(), AuthError> {
        // a method that is configured no more lets nobody in
        let method = self.methods.iter().find(|method| method.name() == who.method);
        let method = method.ok_or(AuthError::SessionOver(SessionEnd::MethodGone))?;
        method.session_holds(SessionCheck { who, peer, start, reading, now }).await
    }
}

/// Only a machine token is in the group of its own, whatever a method says.
fn leave_tokens_groups(who: &mut Identity) {
    if who.token.is_none() {
        who.groups.retain(|group| MachineToken::of_group(group).is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::basic::Basic;
    use http::header;

    async fn signed_in(authorization: &str) -> Option<Identity> {
        let ring = KeyRing::from_random(&[7; 64]);
        let methods: Vec<Box<dyn Method>> = vec![Box::new(Basic::anybody())];
        let auth = Auth::new(&ring, methods, ["root".to_owned()].into()).unwrap();
        let headers = [(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())].into_iter().collect();
        auth.sign_in(&headers, "session", &Peer::default(), 0).await.ok().map(|signed_in| signed_in.authentication.who)
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
        let mut who = Authenticated::user("alice".into(), "basic").who;
        who.groups.extend(["b", "token:0123456789abcdef"].map(str::to_owned));
        auth.enrich(&mut who);
        assert_eq!(who.groups, ["b", "a"]);
    }

    #[tokio::test]
    async fn a_scheme_may_stand_alone() {
        assert!(signed_in("  bAsIc   YWxpY2U6eA==  ").await.is_some());
        for nothing in ["Basic", "", "   ", "Basi YWxpY2U6eA==", "YWxpY2U6eA=="] {
            assert!(signed_in(nothing).await.is_none(), "{nothing}");
        }
    }
}
