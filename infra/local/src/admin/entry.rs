//! Who may enter: the commands about passwords and machine tokens.

use super::{AdminError, Hands, Outcome};
use clap::Subcommand;
use faregate::access::{By, MadeToken, NewToken, TokenRow, UserRow};
use faregate::gateway::admin::Act;
use faregate::model::{Ms, TokenScope};

const DAY_MS: Ms = 24 * 3_600_000;

/// What to do about users with passwords of their own.
#[derive(Debug, Subcommand)]
pub enum UsersAction {
    /// Show who has a password
    List,
    /// Add a user: the password is read from the terminal, or is the first line of standard input
    Add {
        /// The user
        name: String,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
    /// Remove a user: their sessions end within a minute, and so do their machine tokens
    Remove {
        /// The user
        name: String,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
    /// Set another password, read likewise: what the user signed in to before ends within a minute
    Passwd {
        /// The user
        name: String,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
}

/// What to do about machine tokens.
#[derive(Debug, Subcommand)]
pub enum TokensAction {
    /// Show everybody's tokens: those that are good, and those that ended in the last 30 days
    List {
        /// Of this user only
        #[arg(long)]
        user: Option<String>,
    },
    /// Make a token, and print its text: nobody can be shown it again
    Create {
        /// Whose clusters it starts, sees and stops
        #[arg(long)]
        user: String,
        /// What it is called
        #[arg(long)]
        name: String,
        /// What it is good for: create (which implies connect), read, connect, stop; may be repeated
        #[arg(long = "scope", required = true, value_delimiter = ',', value_parser = scope, value_name = "SCOPE")]
        scopes: Vec<TokenScope>,
        /// How many days it is good
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
        /// A group that its clusters count in, beside its own, `token:<id>`; may be repeated
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
    /// End a token: within a minute nobody enters with it
    Revoke {
        /// Its id
        id: String,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
}

/// What came of a command about them.
#[derive(Debug)]
#[allow(missing_docs)] // each is named after what it holds
pub enum Entry {
    Users(Vec<UserRow>),
    /// Added, or with another password.
    User(UserRow),
    /// Removed, and so many tokens with them.
    Removed {
        user: String,
        tokens: usize,
    },
    Tokens(Vec<TokenRow>),
    Made(MadeToken),
    Revoked(TokenRow),
}

pub(super) async fn users(hands: &Hands, who: &str, action: UsersAction) -> Result<Outcome, AdminError> {
    let Hands { access, password, .. } = hands;
    let act = |why: Option<String>| Act::new(who, why.as_deref());
    Ok(Outcome::Entry(match action {
        UsersAction::List => Entry::Users(access.users().await?),
        UsersAction::Add { name, why } => Entry::User(access.add_user(&act(why)?, &name, &password(&name)?).await?),
        UsersAction::Passwd { name, why } => {
            Entry::User(access.set_password(&act(why)?, &name, &password(&name)?).await?)
        }
        UsersAction::Remove { name, why } => {
            let tokens = access.remove_user(&act(why)?, &name).await?;
            Entry::Removed { user: name, tokens }
        }
    }))
}

pub(super) async fn tokens(hands: &Hands, who: &str, action: TokensAction) -> Result<Outcome, AdminError> {
    let access = &hands.access;
    let act = |why: Option<String>| Act::new(who, why.as_deref());
    Ok(Outcome::Entry(match action {
        TokensAction::List { user } => Entry::Tokens(access.tokens(user.as_deref()).await?),
        TokensAction::Create { user, name, scopes, days, groups, why } => {
            let life_ms = Some(Ms::from(days) * DAY_MS);
            let new = NewToken { user, name, groups, scopes: scopes.into_iter().collect(), life_ms };
            Entry::Made(access.make_token(By::Admin(&act(why)?), new).await?)
        }
        TokensAction::Revoke { id, why } => Entry::Revoked(access.revoke(By::Admin(&act(why)?), &id).await?),
    }))
}

fn scope(name: &str) -> Result<TokenScope, String> {
    TokenScope::parse(name).ok_or_else(|| format!("there is {}", TokenScope::ALL.map(TokenScope::as_str).join(", ")))
}
