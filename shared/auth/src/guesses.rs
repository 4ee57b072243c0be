//! Passwords are guessed: so tries are counted by user, by peer, and by both together, before anything is computed for them.
//!
//! Who has signed in from a peer before is held to what fails for both together, so that nobody else's guesses lock them out, be they
//! made at the same peer. Others are held to their peer's budget too; and while a user is under attack from everywhere, to having
//! failed at nothing, and to a rate: an attacker may have any number of addresses. What is decided here is in memory; what has failed is also on record
//! ([`Access`]), for other processes, for the next start, and for admins.

mod places;

use crate::access::Access;
use crate::{AuthError, Peer};
use faregate_core::model::{Failures, Ms};
use places::{Go, Places};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked on record whether a block was lifted.
const LOOK_AGAIN_MS: Ms = 2_000;

/// Who tries to come in, how often that failed, and who is at it now.
#[derive(Default)]
pub struct Guesses {
    places: Mutex<Places>,
    /// Somebody has left a place.
    left: Notify,
    /// Where failures are kept; none = in memory alone.
    access: Option<Arc<Access>>,
}

/// A try under way. Dropped without an end it counts as failed: whoever does not wait for the answer is not asking for one.
pub(crate) struct Guess {
    guesses: Arc<Guesses>,
    user: String,
    peer: String,
    known: bool,
    now: Ms,
    over: bool,
}

/// Somebody who waits for a place: until it is dropped, also where they do not wait for it any longer.
struct Waiting {
    guesses: Arc<Guesses>,
    peer: String,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.guesses.lock().waits_no_more(&self.peer);
    }
}

impl Guesses {
    /// Kept there too.
    pub(crate) fn on_record(access: Arc<Access>) -> Self {
        Guesses { access: Some(access), ..Guesses::default() }
    }

    /// A place for a try, when there is one; a refusal where it is not looked at.
    pub(crate) async fn begin(self: &Arc<Self>, user: &str, peer: &Peer, now: Ms) -> Result<Guess, AuthError> {
        let (peer, deadline) = (name_of(peer), Instant::now() + PATIENCE);
        let mut waiting = None;
        let outcome = loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // listening before the look: whoever leaves in between is heard
            left.as_mut().enable();
            let go = self.lock().take(user, &peer, now, waiting.is_some());
            match go {
                Go::On { known } => {
                    let (guesses, user, peer) = (self.clone(), user.to_owned(), peer.clone());
                    break Ok(Guess { guesses, user, peer, known, now, over: false });
                }
                Go::Blocked { by, until } => match self.is_lifted(&by, now).await {
                    true => continue,
                    false => break Err(blocked(until - now)),
                },
                Go::Full => break Err(busy()),
                Go::Wait => {
                    waiting.get_or_insert_with(|| Waiting { guesses: self.clone(), peer: peer.clone() });
                }
            }
            if timeout_at(deadline, left).await.is_err() {
                break Err(busy());
            }
        };
        drop(waiting);
        outcome
    }

    /// An admin has forgiven what failed.
    pub fn forgive(&self, user: Option<&str>, peer: Option<&str>, now: Ms) {
        self.lock().forgive(user, peer, now);
        self.left.notify_waiters();
    }

    /// Was a block lifted meanwhile, by another process? Asked of the records now and then.
    async fn is_lifted(&self, by: &Failures, now: Ms) -> bool {
        let Some(access) = self.access.as_ref().filter(|_| self.lock().may_look(by, now, LOOK_AGAIN_MS)) else {
            return false;
        };
        match access.failures_of(by).await {
            Ok(Some(stored)) if stored.value.lifted_at > by.lifted_at => {
                self.lock().lifted(&stored.value, now);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(%error, "it cannot be seen whether a block was lifted");
                false
            }
        }
    }

    /// Puts on record what has failed: of the peer always, the rest when it is much.
    async fn keep(&self, failed: Vec<Failures>, now: Ms) {
        let Some(access) = &self.access else { return };
        for known in failed {
            match access.failed(&known, now).await {
                Ok(whole) => self.lock().learn(&whole),
                Err(error) => tracing::debug!(%error, "a failed sign-in was not put on record"),
            }
        }
    }

    /// What failed of the same before this process began, or at others, counts as well.
    async fn recall(&self, of: &Failures) {
        let Some(access) = &self.access else { return };
        match access.failures_of(of).await {
            Ok(found) => found.iter().for_each(|stored| self.lock().learn(&stored.value)),
            Err(error) => tracing::debug!(%error, "it cannot be seen what has failed before"),
        }
    }

    /// A panic under the lock leaves counts that are still counts.
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guess {
    /// It was right.
    pub(crate) fn right(mut self) {
        self.over = true;
        self.guesses.lock().right(&self.user, &self.peer, self.known, self.now);
        self.guesses.left.notify_waiters();
    }

    /// It was wrong.
    pub(crate) async fn wrong(mut self) {
        let failed = self.end_wrong();
        let first = self.guesses.lock().first_failure(&self.user, &self.peer);
        if let Some(first) = first.filter(|first| !failed.contains(first)) {
            self.guesses.recall(&first).await;
        }
        self.guesses.keep(failed, self.now).await;
    }

    /// Nobody could say.
    pub(crate) fn undecided(mut self) {
        self.over = true;
        self.guesses.lock().leave(&self.user, &self.peer, self.known);
        self.guesses.left.notify_waiters();
    }

    fn end_wrong(&mut self) -> Vec<Failures> {
        self.over = true;
        let failed = self.guesses.lock().wrong(&self.user, &self.peer, self.known, self.now);
        self.guesses.left.notify_waiters();
        failed
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        if !self.over {
            self.end_wrong();
        }
    }
}

/// By what a peer is counted: its address, or the network that one subscriber has of IPv6 (RFC 6177). On this machine anybody has all
/// addresses of 127.0.0.0/8: there it is the system user, where that is known.
pub(crate) fn name_of(peer: &Peer) -> String {
    match (peer.address.map(|address| address.to_canonical()), peer.uid) {
        (None, _) => "unknown".to_owned(),
        (Some(address), Some(uid)) if address.is_loopback() => format!("uid:{uid}"),
        (Some(address), None) if address.is_loopback() => Ipv4Addr::LOCALHOST.to_string(),
        (Some(IpAddr::V4(address)), _) => address.to_string(),
        (Some(IpAddr::V6(address)), _) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn blocked(wait: Ms) -> AuthError {
    let seconds = wait.div_euclid(1_000) + 1;
    AuthError::TooMany {
        sentence: format!(
            "too many sign-ins have failed: try again in {seconds} s, or have an administrator lift the block"
        ),
        seconds,
    }
}

fn busy() -> AuthError {
    AuthError::TooMany { sentence: "too many sign-ins wait to be checked; try again".to_owned(), seconds: 1 }
}

#[cfg(test)]
mod tests {
    use super::places::FRESH;
    use super::*;
    use futures::future::join_all;

    const NOW: Ms = 1_800_000_000_000;

    fn at(address: &str) -> Peer {
        Peer { address: Some(address.parse().unwrap()), ..Peer::default() }
    }

    async fn try_in(guesses: &Arc<Guesses>, user: &str, peer: &str, right: bool, now: Ms) -> bool {
        match guesses.begin(user, &at(peer), now).await {
            Ok(guess) if right => guess.right(),
            Ok(guess) => guess.wrong().await,
            Err(AuthError::TooMany { .. }) => return false,
            Err(other) => panic!("{other:?}"),
        }
        true
    }

    /// How many of so many tries with a wrong password are looked at.
    async fn looked_at(guesses: &Arc<Guesses>, tries: usize, user: impl Fn(usize) -> String, peer: &str) -> usize {
        let mut count = 0;
        for n in 0..tries {
            count += usize::from(try_in(guesses, &user(n), peer, false, NOW).await);
        }
        count
    }

    #[tokio::test]
    async fn guesses_at_one_user_and_at_many_have_an_end() {
        let guesses = Arc::<Guesses>::default();
        assert_eq!(looked_at(&guesses, 40, |_| "alice".into(), "10.0.0.1").await, 5);
        assert!(!try_in(&guesses, "alice", "10.0.0.1", true, NOW).await, "right or wrong, nobody looks");
        assert_eq!(looked_at(&guesses, 40, |n| format!("nobody{n}"), "10.0.0.1").await, 15);
        assert!(try_in(&guesses, "alice", "10.0.0.2", true, NOW).await, "from elsewhere");
        assert!(try_in(&guesses, "alice", "10.0.0.1", true, NOW + 3_600_000).await, "and an hour later from there");
    }

    #[tokio::test]
    async fn who_has_been_let_in_from_a_peer_is_not_locked_out_by_others_there() {
        let guesses = Arc::<Guesses>::default();
        assert!(try_in(&guesses, "bob", "10.0.0.1", true, NOW).await);
        assert_eq!(looked_at(&guesses, 40, |n| format!("nobody{n}"), "10.0.0.1").await, 20);
        assert!(try_in(&guesses, "bob", "10.0.0.1", true, NOW).await);
        assert!(!try_in(&guesses, "carol", "10.0.0.1", true, NOW).await, "she is a stranger there");
        // but not to guesses at himself
        assert_eq!(looked_at(&guesses, 40, |_| "bob".into(), "10.0.0.1").await, 5);
        assert!(!try_in(&guesses, "bob", "10.0.0.1", true, NOW).await);
    }

    #[tokio::test]
    async fn under_attack_from_everywhere_peers_that_have_failed_at_nothing_are_let_try_in_turn() {
        let guesses = Arc::<Guesses>::default();
        let mut count = 0;
        for n in 0..200 {
            for _ in 0..3 {
                count +=
                    usize::from(try_in(&guesses, "alice", &format!("10.1.{}.{}", n / 100, n % 100), false, NOW).await);
            }
        }
        assert_eq!(
            count,
            50 + FRESH as usize,
            "three from each at first, then one of each that is new, and of those so many"
        );
        let bursts = |n: usize, at_ms| (0..n).map(move |n| (format!("10.9.{}.{}", n / 200, n % 200), NOW + at_ms));
        let mut later = 0;
        for (peer, now) in bursts(300, 10_000) {
            later += usize::from(try_in(&guesses, "alice", &peer, false, now).await);
        }
        assert_eq!(later, 10, "then one a second");
        assert!(try_in(&guesses, "alice", "10.0.0.9", true, NOW + 11_000).await);
        assert!(
            try_in(&guesses, "alice", "10.0.0.9", true, NOW + 11_000).await,
            "who is known there is not held to it"
        );
    }

    #[tokio::test]
    async fn those_who_come_at_once_use_up_no_more_than_one_after_the_other() {
        let guesses = Arc::<Guesses>::default();
        let tries = (0..60).map(|_| try_in(&guesses, "alice", "10.0.0.1", false, NOW));
        assert_eq!(join_all(tries).await.into_iter().filter(|looked_at| *looked_at).count(), 5);
        let users: Vec<String> = (0..60).map(|n| format!("student{n}")).collect();
        let class = users.iter().map(|user| try_in(&guesses, user, "10.0.0.2", true, NOW));
        assert!(join_all(class).await.into_iter().all(|looked_at| looked_at), "a class that signs in together waits");
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_few_and_some_are_for_those_who_are_known() {
        let guesses = Arc::<Guesses>::default();
        assert!(try_in(&guesses, "bob", "10.0.0.1", true, NOW).await);
        let mut held = Vec::new();
        for n in 0..100 {
            let (user, peer) = (format!("user{n}"), at(&format!("10.0.1.{n}")));
            let begun = tokio::time::timeout(Duration::from_millis(1), guesses.begin(&user, &peer, NOW)).await;
            held.extend(begun.ok().map(Result::unwrap));
        }
        assert_eq!(held.len(), places::STRANGERS);
        assert!(guesses.begin("user", &at("10.0.0.9"), NOW).await.is_err(), "in ten seconds nobody has left");
        assert!(try_in(&guesses, "bob", "10.0.0.1", true, NOW).await);
        held.clear();
        assert!(try_in(&guesses, "user", "10.0.0.9", true, NOW).await, "a place that was left is free");
    }

    #[tokio::test]
    async fn who_leaves_while_waiting_leaves_nothing() {
        let guesses = Arc::<Guesses>::default();
        let held = guesses.begin("alice", &at("10.0.0.1"), NOW).await.unwrap();
        let mut four = Vec::new();
        for _ in 0..4 {
            four.push(guesses.begin("alice", &at("10.0.0.1"), NOW).await.unwrap());
        }
        for _ in 0..1_000 {
            let peer = at("10.0.0.1");
            let waits = guesses.begin("alice", &peer, NOW);
            assert!(tokio::time::timeout(Duration::ZERO, waits).await.is_err(), "it waits for those before it");
        }
        held.right();
        assert!(guesses.begin("alice", &at("10.0.0.1"), NOW).await.is_ok());
    }

    #[tokio::test]
    async fn who_leaves_before_the_answer_has_failed() {
        let guesses = Arc::<Guesses>::default();
        for _ in 0..5 {
            drop(guesses.begin("alice", &at("10.0.0.1"), NOW).await.unwrap());
        }
        assert!(!try_in(&guesses, "alice", "10.0.0.1", true, NOW).await);
        guesses.forgive(Some("alice"), None, NOW);
        assert!(try_in(&guesses, "alice", "10.0.0.1", true, NOW).await);
    }

    #[tokio::test]
    async fn what_is_remembered_has_a_bound() {
        let guesses = Arc::<Guesses>::default();
        for n in 0..places::MOST + 100 {
            let peer = Peer { address: Some(IpAddr::from(u32::try_from(n).unwrap().to_be_bytes())), ..Peer::default() };
            guesses.begin(&format!("user{n}"), &peer, NOW).await.unwrap().wrong().await;
        }
        assert!(guesses.lock().len() <= places::MOST);
    }

    #[test]
    fn a_peer_is_an_address_or_a_subscribers_network() {
        for (address, name) in
            [("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
        {
            assert_eq!(name_of(&at(address)), name);
        }
        assert_eq!(name_of(&Peer::default()), "unknown");
        for address in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.9.9.9"] {
            assert_eq!(name_of(&at(address)), "127.0.0.1");
            assert_eq!(name_of(&Peer { uid: Some(1000), ..at(address) }), "uid:1000");
        }
        assert_eq!(name_of(&Peer { uid: Some(1000), ..at("10.0.0.1") }), "10.0.0.1", "a trusted proxy's client");
    }
}
