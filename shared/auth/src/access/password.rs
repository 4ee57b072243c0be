//! Passwords and their hashes.

use super::AccessError;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization;

/// Fewest characters of a password.
pub const SHORTEST_PASSWORD: usize = 8;
/// Most characters of a password.
pub const LONGEST_PASSWORD: usize = 1_024;
/// Passwords that may wait for their turn; whoever comes then is sent away.
const WAITING: usize = 64;

/// Memory in KiB, passes and lanes: the second of the parameters of equal strength that OWASP recommends for Argon2id
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>).
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// What the passwords of those who have none are held against: nobody's, and as costly as any other.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password cannot be looked at now.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum HashingError {
    #[error("too many passwords wait to be checked")]
    Busy,
    #[error("a password could not be hashed: {0}")]
    Failed(String),
}

/// Hashes passwords, a few at a time: each takes 19 MiB and a processor for tens of milliseconds.
pub(super) struct Hashing {
    turns: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        // the other processors are for those who are in already
        let turns = available_parallelism().map_or(1, |all| usize::from(all).div_ceil(2));
        Hashing { turns: Arc::new(Semaphore::new(turns)), waiting: Semaphore::new(WAITING) }
    }
}

impl Hashing {
    /// A new password's hash, as a PHC string.
    pub async fn hash(&self, password: &str, salt: [u8; 16]) -> Result<String, HashingError> {
        let password = normal(password);
        let hash = move || {
            let salt = SaltString::encode_b64(&salt)?;
            Ok(argon2()?.hash_password(password.as_bytes(), &salt)?.to_string())
        };
        self.in_turn(hash).await?.map_err(|error: argon2::password_hash::Error| HashingError::Failed(error.to_string()))
    }

    /// Is it the password of this hash? It takes as long when there is none.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, HashingError> {
        // as whoever has such a password could not have set it, the time says nothing of anybody's
        if password.chars().take(LONGEST_PASSWORD + 1).count() > LONGEST_PASSWORD {
            return Ok(false);
        }
        let (password, exists) = (normal(password), hash.is_some());
        let hash = hash.unwrap_or(NOBODYS).to_owned();
        let verified = self.in_turn(move || {
            let hash = PasswordHash::new(&hash)?;
            argon2()?.verify_password(password.as_bytes(), &hash)
        });
        match verified.await? {
            Ok(()) => Ok(exists),
            Err(argon2::password_hash::Error::Password) => Ok(false),
            Err(error) => Err(HashingError::Failed(error.to_string())),
        }
    }

    /// Beside the threads that answer requests: there may be but one of those.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashingError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| HashingError::Busy)?;
        let failed = |error: &dyn std::fmt::Display| HashingError::Failed(error.to_string());
        let turn = self.turns.clone().acquire_owned().await.map_err(|closed| failed(&closed))?;
        // a caller who leaves does not end the work, so the turn is the work's
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        spawn_blocking(work).await.map_err(|panic| failed(&panic))
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let (memory, passes, lanes) = COST;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(memory, passes, lanes, None)?))
}

/// However it is typed: Unicode's normal form C, as RFC 8265 has it for passwords.
fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// Can it be somebody's?
pub(super) fn check(password: &str) -> Result<(), AccessError> {
    let length = password.chars().take(LONGEST_PASSWORD + 1).count();
    if (SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Ok(());
    }
    let is = if length > LONGEST_PASSWORD { "more".to_owned() } else { length.to_string() };
    Err(AccessError::Invalid(format!(
        "`password` must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters, not {is}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_however_it_is_typed() {
        let hashing = Hashing::default();
        let hash = hashing.hash("caf\u{e9} au lait", [7; 16]).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!hash.contains("lait"));
        assert_eq!(hashing.verify("cafe\u{301} au lait", Some(&hash)).await, Ok(true));
        for wrong in ["cafe au lait", "", "caf\u{e9} au lait "] {
            assert_eq!(hashing.verify(wrong, Some(&hash)).await, Ok(false), "{wrong}");
        }
    }

    #[tokio::test]
    async fn who_has_no_password_costs_as_much_as_who_has() {
        let hashing = Hashing::default();
        assert_eq!(hashing.verify("anything", None).await, Ok(false));
        let nobodys = Params::try_from(&PasswordHash::new(NOBODYS).unwrap()).unwrap();
        assert_eq!((nobodys.m_cost(), nobodys.t_cost(), nobodys.p_cost()), COST);
    }

    #[tokio::test]
    async fn a_crowd_is_sent_away_and_the_next_is_not() {
        let hashing = Hashing::default();
        let crowd = hashing.waiting.try_acquire_many(WAITING as u32).unwrap();
        assert_eq!(hashing.verify("x", None).await, Err(HashingError::Busy));
        drop(crowd);
        assert_eq!(hashing.verify("x", None).await, Ok(false));
    }

    #[test]
    fn lengths_are_bounded() {
        assert!(check(&"é".repeat(8)).is_ok() && check(&"x".repeat(1_024)).is_ok());
        let says = |password: &str| check(password).unwrap_err().to_string();
        assert_eq!(says("1234567"), "`password` must have 8 to 1024 characters, not 7");
        assert_eq!(says(&"x".repeat(5_000)), "`password` must have 8 to 1024 characters, not more");
    }
}
