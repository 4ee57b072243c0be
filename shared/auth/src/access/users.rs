//! Users who sign in with passwords of their own. Only admins add, change and remove them.

use super::{Access, AccessError, password};
use faregate_core::model::{Account, Act, Ms, Record, Scope, Stored, user_name};
use faregate_core::ports::Expect;
use serde::Serialize;
use serde_json::{Value, json};

/// How long it is remembered that a user was removed: longer than any session lasts.
const REMEMBERED_MS: Ms = 7 * 24 * 3_600_000;

/// A user, as admins see one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserRow {
    /// The name.
    pub name: String,
    /// When the password was last set.
    pub changed_at: Ms,
}

impl Access {
    /// All who have a password, by name.
    pub async fn users(&self) -> Result<Vec<UserRow>, AccessError> {
        let accounts = self.records.accounts().await?.into_iter().map(|stored| stored.value);
        let there = accounts.filter(|account| account.password.is_some());
        Ok(there.map(|Account { name, changed_at, .. }| UserRow { name, changed_at }).collect())
    }

    /// A user from now on, with this password.
    pub async fn add_user(&self, act: &Act, name: &str, password: &str) -> Result<UserRow, AccessError> {
        let name = named(name)?;
        if name.contains(':') {
            let problem = "no such name can be sent with a password: HTTP Basic ends it at the colon";
            return Err(AccessError::Invalid(format!("`name` has a colon, and {problem}")));
        }
        let found = self.records.account(&name).await?;
        if found.as_ref().is_some_and(|stored| stored.value.password.is_some()) {
            return Err(AccessError::UserExists(name));
        }
        self.set(act, "add-user", name, password, found).await
    }

    /// Another password for a user; their sessions end.
    pub async fn set_password(&self, act: &Act, name: &str, password: &str) -> Result<UserRow, AccessError> {
        let name = named(name)?;
        let found = self.records.account(&name).await?.filter(|stored| stored.value.password.is_some());
        let stored = found.ok_or_else(|| AccessError::NoUser(name.clone()))?;
        self.set(act, "set-password", name, password, Some(stored)).await
    }

    async fn set(
        &self,
        act: &Act,
        action: &str,
        name: String,
        password: &str,
        found: Option<Stored<Account>>,
    ) -> Result<UserRow, AccessError> {
        password::check(password)?;
        let hash = self.hashing.hash(password, self.random()).await?;
        let changed_at = self.host.now();
        let account = Account { name: name.clone(), password: Some(hash), changed_at, expires_at: None };
        self.put_account(act, action, account, found, Value::Null).await?;
        Ok(UserRow { name, changed_at })
    }

    /// No user any more: their sessions end, and so do their machine tokens. How many tokens that were.
    pub async fn remove_user(&self, act: &Act, name: &str) -> Result<usize, AccessError> {
        let name = named(name)?;
        let found = self.records.account(&name).await?;
        let tokens = self.good_tokens_of(&name).await?;
        let is_there = found.as_ref().is_some_and(|stored| stored.value.password.is_some());
        // a removal that was cut short before the last token is finished by the next
        if !is_there && (found.is_none() || tokens.is_empty()) {
            return Err(AccessError::NoUser(name));
        }
        let now = self.host.now();
        let expires_at = Some(now + REMEMBERED_MS);
        let account = Account { name, password: None, changed_at: now, expires_at };
        let ids: Vec<&str> = tokens.iter().map(|stored| stored.value.id.as_str()).collect();
        self.put_account(act, "remove-user", account, found, json!({"revoked": ids})).await?;
        let count = tokens.len();
        for token in tokens {
            self.end_token(token).await?;
        }
        Ok(count)
    }

    /// On record first, then done.
    async fn put_account(
        &self,
        act: &Act,
        action: &str,
        account: Account,
        found: Option<Stored<Account>>,
        details: Value,
    ) -> Result<(), AccessError> {
        let name = account.name.clone();
        let expect = found.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
        self.record(act, action, Scope::User(name.clone()).to_string(), details).await?;
        let written = self.write(Record::Account(account), expect).await;
        self.accounts.forget(&name);
        if written? { Ok(()) } else { Err(AccessError::Contended) }
    }
}

/// A user's name, in its one form.
pub(super) fn named(name: &str) -> Result<String, AccessError> {
    user_name(name).map_err(|error| AccessError::Invalid(error.to_string()))
}
