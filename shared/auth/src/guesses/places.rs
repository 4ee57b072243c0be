//! Who is at it, who waits, and what has failed: the decision whether one more try is looked at, without clock or waiting.

use faregate_core::model::{Failures, Ms, Pace, PaceStep};
use std::collections::HashMap;

/// Tries at once of those who have not signed in from their peer before …
pub(super) const STRANGERS: usize = 16;
/// … and of those who have.
const KNOWN: usize = 32;
/// Strangers who may wait, in all and of one peer.
const WAITING: (usize, u32) = (256, 64);
/// Known ones who may wait.
const KNOWN_WAITING: usize = 256;
/// Subjects kept in mind.
pub(super) const MOST: usize = 16_384;
/// Who has signed in from a peer is known there for so long.
const KNOWN_MS: Ms = 30 * 24 * 3_600_000;

/// Tries of peers that have failed at nothing at a user who is under attack: so many at once …
pub(super) const FRESH: u32 = 100;
/// … and then one in so long.
const FRESH_MS: Ms = 1_000;

/// A user, a peer, or both.
type Subject = (Option<String>, Option<String>);

/// What is known of a subject.
struct Entry {
    failures: Failures,
    /// Tries under way.
    trying: u32,
    /// Those that wait: of a peer.
    waiting: u32,
    /// The last time that it went well: of a user at a peer.
    right_at: Option<Ms>,
    /// When it was last looked on record whether its block was lifted.
    looked_at: Ms,
    /// Of a user under attack: when the tries of peers that had failed at nothing are paid for ([`Pace`]).
    paid_at: Ms,
}

/// Everything.
#[derive(Default)]
pub(super) struct Places {
    entries: HashMap<Subject, Entry>,
    strangers: usize,
    known: usize,
    waiting: usize,
}

/// What becomes of a try.
pub(super) enum Go {
    /// It is looked at. The user has signed in from there before, or not.
    On { known: bool },
    /// Others first.
    Wait,
    /// Too many wait already.
    Full,
    /// Not before this moment, by what has failed.
    Blocked { by: Failures, until: Ms },
}

impl Places {
    /// Takes a place, when there is one. `waiting`: it waits already.
    pub fn take(&mut self, user: &str, peer: &str, now: Ms, waiting: bool) -> Go {
        let known = self.entry(Some(user), Some(peer), now).right_at.is_some_and(|at| now - at < KNOWN_MS);
        if let Some((by, until)) = self.block(user, peer, known, now) {
            return Go::Blocked { by, until };
        }
        let full = if known { self.known >= KNOWN } else { self.strangers >= STRANGERS };
        if full || self.outcomes_decide(user, peer, known, now) {
            return if waiting { Go::Wait } else { self.wait(peer, known, now) };
        }
        self.each(user, peer, now, |entry| entry.trying += 1);
        if known {
            self.known += 1;
        } else {
            self.strangers += 1;
            self.count_fresh(user, peer, now);
        }
        Go::On { known }
    }

    /// By what it is blocked.
    fn block(&mut self, user: &str, peer: &str, known: bool, now: Ms) -> Option<(Failures, Ms)> {
        let mut blocked = |user: Option<&str>, peer: Option<&str>| {
            let failures = &self.entry(user, peer, now).failures;
            failures.blocked_until(now).map(|until| (failures.clone(), until))
        };
        let both = blocked(Some(user), Some(peer));
        if both.is_some() || known {
            return both;
        }
        let (of_peer, of_user) = (blocked(None, Some(peer)), blocked(Some(user), None));
        if of_peer.is_some() {
            return of_peer;
        }
        let (failures, until) = of_user?;
        match self.has_failed(peer, now) {
            true => Some((failures, until)),
            false => self.fresh(user, now).err().map(|wait| (failures, now + wait)),
        }
    }

    /// One more try of a peer that has failed at nothing, at a user who is under attack; else in how many milliseconds there may be one.
    fn fresh(&mut self, user: &str, now: Ms) -> Result<PaceStep, Ms> {
        Pace { burst: FRESH, interval_ms: FRESH_MS }.step(self.entry(Some(user), None, now).paid_at, now)
    }

    /// Counts one that is let try, where it is one.
    fn count_fresh(&mut self, user: &str, peer: &str, now: Ms) {
        let attacked = self.entry(Some(user), None, now).failures.blocked_until(now).is_some();
        if attacked
            && !self.has_failed(peer, now)
            && let Ok(step) = self.fresh(user, now)
        {
            let entry = self.entry(Some(user), None, now);
            entry.paid_at = step.apply(entry.paid_at).unwrap_or(entry.paid_at);
        }
    }

    fn has_failed(&mut self, peer: &str, now: Ms) -> bool {
        self.entry(None, Some(peer), now).failures.forgotten_at > now
    }

    /// Should those under way fail, this one would not be looked at.
    fn outcomes_decide(&mut self, user: &str, peer: &str, known: bool, now: Ms) -> bool {
        let mut used_up = |user: Option<&str>, peer: Option<&str>| {
            let entry = self.entry(user, peer, now);
            entry.trying >= entry.failures.left(now)
        };
        let both = used_up(Some(user), Some(peer));
        if known {
            // where nothing fails, many programs of one user may come at once
            return both && self.entry(Some(user), Some(peer), now).failures.forgotten_at > now;
        }
        let of_peer = used_up(None, Some(peer));
        let attacked = self.entry(Some(user), None, now).failures.blocked_until(now).is_some();
        both || of_peer || (attacked && self.entry(None, Some(peer), now).trying > 0)
    }

    fn wait(&mut self, peer: &str, known: bool, now: Ms) -> Go {
        let (all, of_one) = WAITING;
        let here = self.entry(None, Some(peer), now).waiting;
        let fits = match known {
            true => self.waiting < all + KNOWN_WAITING,
            false => self.waiting < all && here < of_one,
        };
        if !fits {
            return Go::Full;
        }
        self.waiting += 1;
        self.entry(None, Some(peer), now).waiting += 1;
        Go::Wait
    }

    /// One that waited does so no more.
    pub fn waits_no_more(&mut self, peer: &str) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(entry) = self.entries.get_mut(&(None, Some(peer.to_owned()))) {
            entry.waiting = entry.waiting.saturating_sub(1);
        }
    }

    /// Leaves a place, whatever came of it.
    pub fn leave(&mut self, user: &str, peer: &str, known: bool) {
        for subject in subjects(user, peer) {
            if let Some(entry) = self.entries.get_mut(&subject) {
                entry.trying = entry.trying.saturating_sub(1);
            }
        }
        let count = if known { &mut self.known } else { &mut self.strangers };
        *count = count.saturating_sub(1);
    }

    /// The password was right.
    pub fn right(&mut self, user: &str, peer: &str, known: bool, now: Ms) {
        self.leave(user, peer, known);
        let entry = self.entry(Some(user), Some(peer), now);
        entry.right_at = Some(now);
        // of the peer nothing is forgiven: who has one good password may guess at others
        entry.failures.forgive(now);
    }

    /// It was wrong. What of it is to be put on record.
    pub fn wrong(&mut self, user: &str, peer: &str, known: bool, now: Ms) -> Vec<Failures> {
        self.leave(user, peer, known);
        self.each(user, peer, now, |entry| entry.failures.fail(now));
        let worth = |failures: &&Failures| failures.user.is_none() || failures.left(now) <= 1;
        subjects(user, peer)
            .iter()
            .filter_map(|subject| self.entries.get(subject))
            .map(|entry| &entry.failures)
            .filter(worth)
            .cloned()
            .collect()
    }

    /// Of a user at a peer, when the first one failed that is known of here: more may be on record.
    pub fn first_failure(&self, user: &str, peer: &str) -> Option<Failures> {
        let entry = self.entries.get(&(Some(user.to_owned()), Some(peer.to_owned())))?;
        (entry.failures.count == 1).then(|| entry.failures.clone())
    }

    /// What is on record of a subject.
    pub fn learn(&mut self, whole: &Failures) {
        if let Some(entry) = self.entries.get_mut(&(whole.user.clone(), whole.peer.clone())) {
            entry.failures.merge(whole);
        }
    }

    /// May the records be asked about a block? Not more often than that.
    pub fn may_look(&mut self, by: &Failures, now: Ms, often_ms: Ms) -> bool {
        let Some(entry) = self.entries.get_mut(&(by.user.clone(), by.peer.clone())) else { return false };
        let may = (now - entry.looked_at).abs() >= often_ms;
        if may {
            entry.looked_at = now;
        }
        may
    }

    /// An admin lifted a block on record: with it goes what is in memory alone.
    pub fn lifted(&mut self, whole: &Failures, now: Ms) {
        self.forgive(whole.user.as_deref(), whole.peer.as_deref(), now);
        self.learn(whole);
    }

    /// Forgives what has failed of a user, of a peer, or of that user at that peer.
    pub fn forgive(&mut self, user: Option<&str>, peer: Option<&str>, now: Ms) {
        let asked = |(of_user, of_peer): &Subject| {
            user.is_none_or(|user| of_user.as_deref() == Some(user))
                && peer.is_none_or(|peer| of_peer.as_deref() == Some(peer))
        };
        let found = self.entries.iter_mut().filter(|(subject, _)| asked(subject));
        found.for_each(|(_, entry)| entry.failures.forgive(now));
    }

    fn each(&mut self, user: &str, peer: &str, now: Ms, mut change: impl FnMut(&mut Entry)) {
        for (user, peer) in subjects(user, peer) {
            change(self.entry(user.as_deref(), peer.as_deref(), now));
        }
    }

    fn entry(&mut self, user: Option<&str>, peer: Option<&str>, now: Ms) -> &mut Entry {
        let subject = (user.map(str::to_owned), peer.map(str::to_owned));
        if self.entries.len() >= MOST && !self.entries.contains_key(&subject) {
            self.forget(now);
        }
        let entry = self.entries.entry(subject).or_insert_with(|| Entry {
            failures: Failures::none(user, peer),
            trying: 0,
            waiting: 0,
            right_at: None,
            looked_at: 0,
            paid_at: 0,
        });
        entry.failures.clamp(now);
        entry
    }

    /// Makes room: first of what says nothing, then of what is not blocked, then of all that nobody is at.
    fn forget(&mut self, now: Ms) {
        let busy = |entry: &Entry| entry.trying > 0 || entry.waiting > 0;
        self.entries.retain(|_, e| busy(e) || e.failures.forgotten_at > now || e.right_at.is_some());
        let room = MOST - MOST / 8;
        if self.entries.len() > room {
            self.entries.retain(|_, e| busy(e) || e.failures.blocked_until(now).is_some());
        }
        if self.entries.len() > room {
            self.entries.retain(|_, e| busy(e));
        }
    }

    /// How many subjects are kept in mind.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// All that one try counts for.
fn subjects(user: &str, peer: &str) -> [Subject; 3] {
    let (user, peer) = (Some(user.to_owned()), Some(peer.to_owned()));
    [(user.clone(), peer.clone()), (None, peer), (user, None)]
}
