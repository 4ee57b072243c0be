//! Who comes with a password or a token, and whether what a session began with still holds.

use super::Access;
use super::password::HashingError;
use super::text::TokenText;
use crate::{Reading, SessionCheck, SessionEnd};
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::clock::{is_ahead, is_younger};
use faregate_core::model::{Account, MachineToken, Ms, Record, Stored, hex, user_name};
use faregate_core::ports::{Expect, StoreError, Write};

/// The last use of a token is written down when the one that is on record is as old as this.
const LAST_USE_MS: Ms = 5 * 60_000;

/// Whether somebody may enter cannot be said now.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthBackendError {
    /// The store failed.
    #[error("the records of who may enter cannot be read; try again")]
    Records(#[from] StoreError),
    /// Too many passwords wait to be checked.
    #[error("too many passwords wait to be checked; try again")]
    Busy,
}

impl Access {
    /// Is it this user's password? It takes as long for users that there are not.
    pub async fn verify_password(&self, user: &str, password: &str) -> Result<bool, AuthBackendError> {
        let now = self.host.now();
        let found = self.records.account(user).await?;
        self.accounts.put(user, now, found.clone());
        let version = found.as_ref().map_or(0, |stored| stored.version);
        let hash = found.and_then(|stored| stored.value.password);
        if hash.is_some() && self.verified.knows(user, password, version, now) {
            return Ok(true);
        }
        match self.hashing.verify(password, hash.as_deref()).await {
            Ok(right) => {
                if right {
                    self.verified.learn(user, password, version, now);
                }
                Ok(right)
            }
            Err(HashingError::Busy) => Err(AuthBackendError::Busy),
            Err(HashingError::Failed(problem)) => {
                tracing::error!(
                    user,
                    problem,
                    "password hash not readable: an administrator must set the password anew"
                );
                Ok(false)
            }
        }
    }

    /// What changes with this user's password, for a session that began at `since`: clocks may be set, and then moments tell nothing.
    /// None = they have none. What is read is believed for a minute.
    pub async fn password_stamp(&self, user: &str, since: Ms, now: Ms) -> Result<Option<String>, AuthBackendError> {
        let hash = self.account(user, since, Reading::Believed, now).await?.and_then(|stored| stored.value.password);
        Ok(hash.map(|hash| stamp(&hash)))
    }

    /// Why a session that began with its user's password holds no longer; none where it does.
    pub async fn end_of_password_session(
        &self,
        SessionCheck { who, start, reading, now, .. }: SessionCheck<'_>,
    ) -> Result<Option<SessionEnd>, AuthBackendError> {
        let Some(Stored { value: account, .. }) = self.account(&who.name, start.at, reading, now).await? else {
            return Ok(Some(SessionEnd::UserRemoved));
        };
        let Some(hash) = &account.password else { return Ok(Some(SessionEnd::UserRemoved)) };
        // sessions of earlier builds have no stamp
        let is_same = start.stamp.as_ref().is_none_or(|begun| *begun == stamp(hash));
        // one that was changed by a clock that was ahead is told by its stamp alone
        let is_older = account.changed_at <= start.at || is_ahead(account.changed_at, now);
        Ok((!is_same || !is_older).then_some(SessionEnd::PasswordChanged))
    }

    async fn account(
        &self,
        user: &str,
        since: Ms,
        reading: Reading,
        now: Ms,
    ) -> Result<Option<Stored<Account>>, StoreError> {
        if reading == Reading::New {
            return self.records.account(user).await;
        }
        if let Some(found) = self.accounts.get(user, since, now) {
            return Ok(found);
        }
        let found = self.records.account(user).await?;
        self.accounts.put(user, now, found.clone());
        Ok(found)
    }

    /// The token with this text, if there is one, it is good, and it is the user's as whose it was shown. What is read is believed for
    /// a minute.
    pub async fn verify_token(
        &self,
        text: &str,
        shown_as: Option<&str>,
        now: Ms,
    ) -> Result<Option<MachineToken>, AuthBackendError> {
        let Some(text) = TokenText::read(text) else { return Ok(None) };
        let found = self.token(text.id, Ms::MIN, Reading::Believed, now).await?;
        let good = |token: &MachineToken| {
            let own = shown_as.is_none_or(|name| user_name(name).as_ref() == Ok(&token.user));
            text.is(&token.hash) && token.is_valid(now) && own
        };
        let Some(stored) = found.filter(|stored| good(&stored.value)) else { return Ok(None) };
        self.used(&stored, now).await;
        Ok(Some(stored.value))
    }

    /// Does a session still hold that began with this token?
    pub async fn token_session_holds(
        &self,
        id: &str,
        SessionCheck { who, start, reading, now, .. }: SessionCheck<'_>,
    ) -> Result<bool, AuthBackendError> {
        let found = self.token(id, start.at, reading, now).await?;
        let Some(stored) = found.filter(|Stored { value, .. }| value.user == who.name && value.is_valid(now)) else {
            return Ok(false);
        };
        self.used(&stored, now).await;
        Ok(true)
    }

    async fn token(
        &self,
        id: &str,
        since: Ms,
        reading: Reading,
        now: Ms,
    ) -> Result<Option<Stored<MachineToken>>, StoreError> {
        if reading == Reading::New {
            return self.records.machine_token(id).await;
        }
        if let Some(found) = self.tokens.get(id, since, now) {
            return Ok(found);
        }
        let found = self.records.machine_token(id).await?;
        // whoever makes ids up shall not push out those that there are
        if found.is_some() {
            self.tokens.put(id, now, found.clone());
        }
        Ok(found)
    }

    /// Writes the use of a token down, now and then. Should that fail, another use will be.
    async fn used(&self, stored: &Stored<MachineToken>, now: Ms) {
        if stored.value.last_used_at.is_some_and(|at| is_younger(at, LAST_USE_MS, now)) {
            return;
        }
        let token = MachineToken { last_used_at: Some(now), ..stored.value.clone() };
        let id = token.id.clone();
        let expect = Expect::Version(stored.version);
        let write = Write::Put { record: Record::MachineToken(token), expect };
        if let Err(error) = self.records.transact(vec![write]).await {
            tracing::debug!(token = id, %error, "the use of a token was not written down");
        }
        // whatever came of it, what is remembered is not what is on record
        self.tokens.forget(&id);
    }
}

/// What changes with a password, and tells nothing about it.
fn stamp(hash: &str) -> String {
    hex(&digest(&SHA256, hash.as_bytes()).as_ref()[..8])
}
