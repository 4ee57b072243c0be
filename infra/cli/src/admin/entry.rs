//! Who may enter: the commands about passwords and machine tokens.

use super::{AdminError, Hands, Outcome};
use clap::Subcommand;
use faregate_auth::access::{BlockRow, By, MadeToken, NewToken, TokenRow, UserRow};
use faregate_core::model::{ClusterName, Ms, TokenScope, user_name};
use faregate_gateway::ServiceError;
use faregate_gateway::admin::Act;

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
    /// Remove a user: what they run is stopped, and their sessions and machine tokens end within a minute
    Remove {
        /// The user
        name: String,
        /// Let what they run go on, to its end; nobody connects to it any more
        #[arg(long)]
        keep_clusters: bool,
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
    /// End a token: within a minute nobody enters with it. What it started runs on, unless `--stop` is given
    Revoke {
        /// Its id
        id: String,
        /// Stop the clusters that were started with it
        #[arg(long)]
        stop: bool,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
}

/// What to do about those whose sign-ins have failed too often.
#[derive(Debug, Subcommand)]
pub enum BlocksAction {
    /// Show whose sign-ins are not looked at for a while
    List,
    /// Forgive what has failed of a user, of a peer, or of that user at that peer alone; within seconds they may try again
    #[command(group = clap::ArgGroup::new("whose").required(true).multiple(true))]
    Lift {
        /// The user
        #[arg(long, group = "whose")]
        user: Option<String>,
        /// The peer, as `list` shows it
        #[arg(long, group = "whose", value_name = "ADDRESS")]
        peer: Option<String>,
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
    /// Removed, and so many tokens with them; these clusters stop, and so many run on, closed to new connections.
    Removed {
        user: String,
        tokens: usize,
        stopped: Vec<ClusterName>,
        kept: usize,
    },
    Tokens(Vec<TokenRow>),
    Made(MadeToken),
    Blocks(Vec<BlockRow>),
    /// So many.
    Lifted(usize),
    /// And these clusters stop.
    Revoked(TokenRow, Vec<ClusterName>),
}

pub(super) async fn users(hands: &Hands, who: &str, action: UsersAction) -> Result<Outcome, AdminError> {
    let Hands { access, admin, password, .. } = hands;
    let key = |user: &str| hands.ring.as_ref().map(|ring| ring.user_key(user));
    let act = |why: Option<String>| Act::new(who, why.as_deref());
    Ok(Outcome::Entry(match action {
        UsersAction::List => Entry::Users(access.users().await?),
        UsersAction::Add { name, why } => {
            let row = access.add_user(&act(why)?, &name, &password(&name)?).await?;
            admin.close(&row.name, key(&row.name).as_ref(), false).await?;
            Entry::User(row)
        }
        UsersAction::Passwd { name, why } => {
            Entry::User(access.set_password(&act(why)?, &name, &password(&name)?).await?)
        }
        UsersAction::Remove { name, keep_clusters, why } => {
            let act = act(why)?;
            let name = user_name(&name).map_err(|error| ServiceError::Invalid(error.to_string()))?;
            let tokens = access.remove_user(&act, &name).await?;
            let (stopped, kept) = match keep_clusters {
                true => (Vec::new(), admin.close(&name, key(&name).as_ref(), true).await?),
                false => (admin.stop_removed(&act, &name, key(&name).as_ref()).await?.stopped, 0),
            };
            Entry::Removed { user: name, tokens, stopped, kept }
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
        TokensAction::Revoke { id, stop, why } => {
            let act = act(why)?;
            let row = access.revoke(By::Admin(&act), &id).await?;
            let key = hands.ring.as_ref().map(|ring| ring.user_key(&row.user));
            let stopped = match stop {
                true => hands.admin.stop_revoked(&act, &row.id, &row.user, key.as_ref()).await?.stopped,
                false => Vec::new(),
            };
            Entry::Revoked(row, stopped)
        }
    }))
}

pub(super) async fn blocks(hands: &Hands, who: &str, action: BlocksAction) -> Result<Outcome, AdminError> {
    Ok(Outcome::Entry(match action {
        BlocksAction::List => Entry::Blocks(hands.access.blocks().await?),
        BlocksAction::Lift { user, peer, why } => {
            let act = Act::new(who, why.as_deref())?;
            Entry::Lifted(hands.access.lift(&act, user.as_deref(), peer.as_deref()).await?)
        }
    }))
}

fn scope(name: &str) -> Result<TokenScope, String> {
    TokenScope::parse(name).ok_or_else(|| format!("there is {}", TokenScope::ALL.map(TokenScope::as_str).join(", ")))
}
