//! What the log says of those who are not let in: a line each, in a form that programs such as fail2ban read (`docs/failed-sign-ins.md`); where
//! one peer fails by the hundred, the first ones, and then one for many.

use crate::guesses::name_of;
use crate::{AuthError, Peer};
use faregate_core::model::Ms;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Lines of one peer in [`WINDOW_MS`]; the rest is counted.
const LINES: u32 = 10;
const WINDOW_MS: Ms = 60_000;
/// Peers that are counted apart; what others do beyond that is counted together.
const MOST: usize = 1_024;

/// Somebody who was not let in.
#[derive(Debug)]
pub struct Failed {
    /// The way that they tried.
    pub method: &'static str,
    /// Who they said that they were, as they said it.
    pub user: Option<String>,
    /// Why not.
    pub why: AuthError,
}

impl Failed {
    /// By a way that is known.
    pub fn new(method: &'static str, user: Option<&str>, why: AuthError) -> Self {
        Failed { method, user: user.map(str::to_owned), why }
    }
}

/// What was said of one peer lately.
struct Said {
    since: Ms,
    lines: u32,
    left_out: u64,
}

/// Writes the lines.
#[derive(Default)]
pub struct FailureLog(Mutex<HashMap<String, Said>>);

impl FailureLog {
    /// Says, or counts, that somebody was not let in. `reason` is no word of theirs.
    pub fn say(&self, peer: &Peer, method: &str, user: Option<&str>, reason: &str, now: Ms) {
        let peer = peer.address.map_or_else(|| name_of(peer), |address| address.to_canonical().to_string());
        let (says, over) = self.count(&peer, now);
        for (peer, repeated) in over {
            tracing::info!(peer, repeated, "authentication failed");
        }
        if says {
            // what others write comes last, and escaped: it can pass for no other field
            tracing::info!(peer, method, reason, user = user.map(shown), "authentication failed");
        }
    }

    /// Is a line written? And the counts of what was left out, of those whose time is over.
    fn count(&self, peer: &str, now: Ms) -> (bool, Vec<(String, u64)>) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over = Vec::new();
        said.retain(|peer, said| {
            let goes_on = (0..WINDOW_MS).contains(&(now - said.since));
            if !goes_on && said.left_out > 0 {
                over.push((peer.clone(), said.left_out));
            }
            goes_on
        });
        let peer = if said.len() >= MOST && !said.contains_key(peer) { "others" } else { peer };
        let of_peer = said.entry(peer.to_owned()).or_insert(Said { since: now, lines: 0, left_out: 0 });
        let says = of_peer.lines < LINES;
        if says {
            of_peer.lines += 1;
        } else {
            of_peer.left_out += 1;
        }
        (says, over)
    }
}

fn shown(user: &str) -> String {
    user.chars().take(128).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_written_and_the_rest_is_one() {
        let log = FailureLog::default();
        let written = (0..100).filter(|_| log.count("10.0.0.1", 1_000).0).count();
        assert_eq!(written, 10);
        assert_eq!(log.count("10.0.0.2", 1_000), (true, vec![]), "another's");
        assert_eq!(log.count("10.0.0.1", 60_999), (false, vec![]));
        assert_eq!(log.count("10.0.0.3", 61_000), (true, vec![("10.0.0.1".to_owned(), 91)]));
        assert!(log.count("10.0.0.1", 61_000).0);
    }

    #[test]
    fn peers_without_number_share_a_count() {
        let log = FailureLog::default();
        let written = (0..5 * MOST).filter(|n| log.count(&n.to_string(), 0).0).count();
        assert_eq!(written, MOST + 10);
        assert!(log.0.lock().unwrap().len() <= MOST + 1);
    }

    #[test]
    fn a_name_is_one_line_and_of_bounded_length() {
        assert_eq!(shown("a\nb \"c\u{1b}"), "a\\nb \\\"c\\u{1b}");
        assert_eq!(shown(&"x".repeat(5_000)).len(), 128);
    }
}
