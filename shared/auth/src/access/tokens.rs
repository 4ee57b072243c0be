//! Machine tokens: made, listed, revoked.

use super::users::named;
use super::{Access, AccessError, text};
use crate::Confirmed;
use faregate_core::model::{Act, MachineToken, Ms, Record, Scope, Stored, TokenScope, Usage, hex, valid_user};
use faregate_core::ports::{Expect, Retries, TransactError, Write};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;

const DAY_MS: Ms = 24 * 3_600_000;
/// How long a token is good where nothing else is said.
const LIFE_MS: Ms = 30 * DAY_MS;
/// How long it is good at most.
const LONGEST_LIFE_MS: Ms = 366 * DAY_MS;
/// How long it is listed after it was good.
const LISTED_MS: Ms = 30 * DAY_MS;
/// A user's tokens at most, those that are listed after they were good included.
const MOST_TOKENS: usize = 100;
/// Groups that it is in beside its own: with that, as many as a user counts in.
const MOST_GROUPS: usize = 19;
/// Most characters of its name.
const LONGEST_NAME: usize = 64;

/// On whose word something happens to a token.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Its user's, whose account was asked for.
    Owner(&'a Confirmed),
    /// An admin's: that is put on record.
    Admin(&'a Act),
}

/// A token to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewToken {
    /// Whose.
    pub user: String,
    /// What it is called.
    pub name: String,
    /// Its user's groups.
    pub groups: Vec<String>,
    /// What it is good for.
    pub scopes: BTreeSet<TokenScope>,
    /// How long it is good; 30 days where nothing is said.
    pub life_ms: Option<Ms>,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MadeToken {
    /// Its text, which nobody can be shown again.
    pub token: String,
    /// The rest.
    #[serde(flatten)]
    pub row: TokenRow,
}

/// A token, as its user and admins see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenRow {
    /// By which it is revoked.
    pub id: String,
    /// Whose.
    pub user: String,
    /// What it is called.
    pub name: String,
    /// What it is good for.
    pub scopes: BTreeSet<TokenScope>,
    /// Groups that it counts in; `token:<id>` is its own.
    pub groups: Vec<String>,
    /// Is it good?
    pub valid: bool,
    /// When it was made.
    pub created_at: Ms,
    /// By whom.
    pub created_by: String,
    /// From when on it is no longer good.
    pub expires_at: Ms,
    /// Since when it is no longer good.
    pub revoked_at: Option<Ms>,
    /// When it was last used, give or take some minutes.
    pub last_used_at: Option<Ms>,
}

impl TokenRow {
    fn new(token: MachineToken, now: Ms) -> Self {
        let valid = token.is_valid(now);
        let MachineToken { id, user, name, scopes, groups, created_at, created_by, revoked_at, last_used_at, .. } =
            token;
        let expires_at = token.valid_until;
        TokenRow { id, user, name, scopes, groups, valid, created_at, created_by, expires_at, revoked_at, last_used_at }
    }
}

impl Access {
    /// A token, and its text: this once.
    pub async fn make_token(&self, by: By<'_>, new: NewToken) -> Result<MadeToken, AccessError> {
        let new = checked(new)?;
        let now = self.host.now();
        let mut counter = self.counter_with_room(&new.user, now).await?;
        let id = hex(&self.random::<8>());
        let (text, hash) = text::make(&id, self.random());
        let valid_until = now + new.life_ms.unwrap_or(LIFE_MS);
        let mut groups = vec![MachineToken::own_group(&id)];
        groups.extend(new.groups);
        let token = MachineToken {
            id: id.clone(),
            user: new.user,
            name: new.name,
            groups,
            scopes: new.scopes,
            hash,
            created_at: now,
            created_by: match by {
                By::Owner(who) => who.name.clone(),
                By::Admin(act) => act.who().to_owned(),
            },
            valid_until,
            revoked_at: None,
            last_used_at: None,
            expires_at: Some(valid_until + LISTED_MS),
        };
        if let By::Admin(act) = by {
            let details = json!({
                "id": id, "name": token.name, "scopes": token.scopes, "groups": token.groups, "expires_at": valid_until,
            });
            let target = Scope::User(token.user.clone()).to_string();
            self.record(act, "make-token", target, details).await?;
        }
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            // whoever makes another at the same time writes the same counter, on the version that it had before both counted
            let expect = if counter.version == 0 { Expect::Absent } else { Expect::Version(counter.version) };
            let writes = vec![
                Write::Put { record: Record::MachineToken(token.clone()), expect: Expect::Absent },
                Write::Put { record: Record::Usage(counter.value), expect },
            ];
            match self.records.transact(writes).await {
                Ok(()) => return Ok(self.made(text, token, now)),
                Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
                Err(TransactError::Failed(error)) => return Err(error.into()),
            }
            counter = self.counter_with_room(&token.user, now).await?;
        }
        Err(AccessError::Contended)
    }

    fn made(&self, text: String, token: MachineToken, now: Ms) -> MadeToken {
        let id = &token.id;
        tracing::info!(token = id, user = token.user, by = token.created_by, "machine token created");
        MadeToken { token: text, row: TokenRow::new(token, now) }
    }

    /// The counter of a user who may have one more token, as it was before their tokens were counted.
    async fn counter_with_room(&self, user: &str, now: Ms) -> Result<Stored<Usage>, AccessError> {
        let scope = Scope::User(user.to_owned());
        let counter = self.records.usage(std::slice::from_ref(&scope)).await?.pop();
        if self.kept_tokens(Some(user), now).await?.len() >= MOST_TOKENS {
            return Err(AccessError::Invalid(format!(
                "a user has at most {MOST_TOKENS} tokens, and those that ended in the last 30 days count: \
                 make fewer that are good for longer"
            )));
        }
        Ok(counter.unwrap_or(Stored { value: Usage::none(scope), version: 0 }))
    }

    /// One user's tokens, or everybody's, oldest first; those that ended in the last 30 days included.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenRow>, AccessError> {
        let now = self.host.now();
        let mut tokens = self.kept_tokens(user, now).await?;
        tokens.sort_by(|a, b| (a.value.created_at, &a.value.id).cmp(&(b.value.created_at, &b.value.id)));
        Ok(tokens.into_iter().map(|stored| TokenRow::new(stored.value, now)).collect())
    }

    /// A token that is no longer good; it may have been so before. Another's counts as none.
    pub async fn revoke(&self, by: By<'_>, id: &str) -> Result<TokenRow, AccessError> {
        let stored = self.records.machine_token(id).await?.filter(|stored| match by {
            By::Owner(who) => stored.value.user == who.name,
            By::Admin(_) => true,
        });
        let stored = stored.ok_or_else(|| AccessError::NoToken(id.to_owned()))?;
        if let By::Admin(act) = by {
            let details = json!({"user": stored.value.user, "name": stored.value.name});
            self.record(act, "revoke-token", MachineToken::own_group(id), details).await?;
        }
        let ended = self.end_token(stored).await?;
        Ok(TokenRow::new(ended, self.host.now()))
    }

    /// A user's tokens that are good.
    pub(super) async fn good_tokens_of(&self, user: &str) -> Result<Vec<Stored<MachineToken>>, AccessError> {
        let now = self.host.now();
        let tokens = self.kept_tokens(Some(user), now).await?;
        Ok(tokens.into_iter().filter(|stored| stored.value.is_valid(now)).collect())
    }

    /// Ends a token, whoever else writes its record meanwhile.
    pub(super) async fn end_token(&self, mut stored: Stored<MachineToken>) -> Result<MachineToken, AccessError> {
        let id = stored.value.id.clone();
        let mut retries = Retries::new(&*self.host);
        while retries.next().await {
            let now = self.host.now();
            if !stored.value.is_valid(now) {
                return Ok(stored.value);
            }
            stored.value.revoked_at = Some(now);
            stored.value.expires_at = Some(now + LISTED_MS);
            let record = Record::MachineToken(stored.value.clone());
            let written = self.write(record, Expect::Version(stored.version)).await;
            self.tokens.forget(&id);
            if written? {
                tracing::info!(token = id, user = stored.value.user, "machine token revoked");
                return Ok(stored.value);
            }
            stored = self.records.machine_token(&id).await?.ok_or_else(|| AccessError::NoToken(id.clone()))?;
        }
        Err(AccessError::Contended)
    }

    /// Those that are listed. What a store has not forgotten yet, though it may, is not.
    async fn kept_tokens(&self, user: Option<&str>, now: Ms) -> Result<Vec<Stored<MachineToken>>, AccessError> {
        let mut tokens = self.records.machine_tokens().await?;
        tokens.retain(|Stored { value: token, .. }| {
            user.is_none_or(|user| token.user == user) && token.expires_at.is_none_or(|at| now < at)
        });
        Ok(tokens)
    }
}

/// What there can be; groups each once.
fn checked(mut new: NewToken) -> Result<NewToken, AccessError> {
    let invalid = |problem: String| Err(AccessError::Invalid(problem));
    new.user = named(&new.user)?;
    new.name = new.name.trim().to_owned();
    let length = new.name.chars().take(LONGEST_NAME + 1).count();
    if !(1..=LONGEST_NAME).contains(&length) || new.name.chars().any(char::is_control) {
        return invalid(format!("`name` must have 1 to {LONGEST_NAME} characters, none of them a control character"));
    }
    if new.scopes.is_empty() {
        let all = TokenScope::ALL.map(TokenScope::as_str).join("`, `");
        return invalid(format!("`scopes` is empty: name what the token is good for, of `{all}`"));
    }
    if let Some(life) = new.life_ms
        && !(1_000..=LONGEST_LIFE_MS).contains(&life)
    {
        let most = LONGEST_LIFE_MS / 1_000;
        let is = life as f64 / 1_000.0;
        return invalid(format!("`expires_in` must be 1 to {most} seconds (366 days), not {is}"));
    }
    let mut known = BTreeSet::new();
    new.groups.retain(|group| known.insert(group.clone()));
    if new.groups.len() > MOST_GROUPS {
        let is = new.groups.len();
        return invalid(format!("`groups` may be {MOST_GROUPS} beside the token's own, and not {is}"));
    }
    if let Some(group) = new.groups.iter().find(|group| MachineToken::of_group(group).is_some()) {
        let shown: String = group.chars().take(64).collect();
        return invalid(format!(
            "`groups` has `{}`: a group called `token:…` is a machine token's own",
            shown.escape_debug()
        ));
    }
    match new.groups.iter().find(|group| valid_user(group).is_err()) {
        Some(_) => {
            invalid("`groups` has a name that no group can have: 1 to 128 characters, no control character".into())
        }
        None => Ok(new),
    }
}
