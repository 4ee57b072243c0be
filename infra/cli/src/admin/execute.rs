//! What each command does.

use super::values::object;
use super::{Action, AdminError, Entry, Hands, LimitsAction, Output, entry, keys, show};
use faregate_core::model::{Month, Scope, Status};
use faregate_gateway::ServiceError;
use faregate_gateway::admin::{
    Act, AuditList, ClusterFilter, ClusterList, Explained, LimitsChange, LimitsChanged, LimitsList, Stopped,
    UsageOfAll, parse_scope,
};
use serde_json::Map;

/// What came of a command.
#[derive(Debug)]
#[allow(missing_docs)] // each is named after what it holds
pub enum Outcome {
    Limits(LimitsList),
    Changed(LimitsChanged),
    Clusters(ClusterList),
    /// And why others were not stopped.
    Stopped(Stopped, Option<ServiceError>),
    Usage {
        usage: UsageOfAll,
        csv: bool,
    },
    Audit(AuditList),
    Explained(Explained),
    Entry(Entry),
    /// Ids of all keys, the one that makes first.
    Keys(Vec<String>),
}

/// Does what was asked for, and puts on record who asked.
pub async fn execute(hands: &Hands, who: &str, action: Action) -> Result<Outcome, AdminError> {
    let Hands { admin, ring, .. } = hands;
    let act = |why: Option<String>| Act::new(who, why.as_deref());
    let month = |month: Option<Month>| month.unwrap_or_else(|| Month::of(admin.now()));
    let key_of = |user: &String| ring.as_ref().map(|ring| ring.user_key(user));
    Ok(match action {
        Action::Limits(LimitsAction::List) => Outcome::Limits(admin.limits().await?),
        Action::Limits(LimitsAction::Set { scope, fields, why }) => {
            let change = LimitsChange { set: object(fields)?, unset: Vec::new() };
            Outcome::Changed(admin.change_limits(&act(why)?, &parse_scope(&scope)?, &change).await?)
        }
        Action::Limits(LimitsAction::Unset { scope, fields, why }) => {
            let change = LimitsChange { set: Map::new(), unset: fields };
            Outcome::Changed(admin.change_limits(&act(why)?, &parse_scope(&scope)?, &change).await?)
        }
        Action::Freeze { scope, why } => Outcome::Changed(admin.freeze(&act(Some(why))?, &parse_scope(&scope)?).await?),
        Action::Unfreeze { scope, why } => Outcome::Changed(admin.unfreeze(&act(why)?, &parse_scope(&scope)?).await?),
        Action::Clusters { user, group, status } => {
            let statuses = status.iter().map(|name| parse_status(name)).collect::<Result<_, _>>()?;
            let user_key = user.as_ref().and_then(key_of);
            Outcome::Clusters(admin.clusters(&ClusterFilter { user, user_key, group, statuses }).await?)
        }
        Action::Stop { user: Some(user), why, .. } => {
            Outcome::Stopped(admin.stop_all_of(&act(why)?, &user).await?, None)
        }
        Action::Stop { names, user: None, why } => {
            let act = act(why)?;
            let (mut all, mut failed) = (Stopped { stopped: Vec::new() }, None);
            // one that cannot be stopped keeps none of the others running
            for name in &names {
                match admin.stop(&act, name).await {
                    Ok(Stopped { stopped }) => all.stopped.extend(stopped),
                    Err(refusal) => failed = failed.or(Some(refusal)),
                }
            }
            Outcome::Stopped(all, failed)
        }
        Action::Usage { month: which, csv } => Outcome::Usage { usage: admin.usage(month(which)).await?, csv },
        Action::Keys(action) => keys::keys(hands, who, action).await?,
        Action::Blocks(action) => entry::blocks(hands, who, action).await?,
        Action::Settings(_) => return Err(AdminError::NoRecords),
        Action::Users(action) => entry::users(hands, who, action).await?,
        Action::Tokens(action) => entry::tokens(hands, who, action).await?,
        Action::Audit { month: which } => Outcome::Audit(admin.audits(month(which)).await?),
        Action::Explain { scope, group } => {
            let scope = parse_scope(&scope)?;
            let user_key = match &scope {
                Scope::User(user) => key_of(user),
                Scope::Group(_) | Scope::Default => None,
            };
            Outcome::Explained(admin.explain(&scope, &group, user_key).await?)
        }
    })
}

impl Outcome {
    /// What is printed.
    pub fn print(&self, output: Output) -> Result<String, serde_json::Error> {
        if let Outcome::Usage { usage, csv: true } = self {
            return Ok(usage.csv());
        }
        if output == Output::Table {
            return Ok(match self {
                Outcome::Limits(limits) => show::limits(limits),
                Outcome::Changed(changed) => show::changed(changed),
                Outcome::Clusters(clusters) => show::clusters(clusters),
                Outcome::Stopped(stopped, _) => show::stopped(stopped),
                Outcome::Usage { usage, .. } => show::usage(usage),
                Outcome::Audit(audit) => show::audit(audit),
                Outcome::Explained(explained) => show::explained(explained),
                Outcome::Entry(entry) => entry.table(),
                Outcome::Keys(ids) => format!("the newest key is {}; restart the gateway to have it used\n", ids[0]),
            });
        }
        let json = match self {
            Outcome::Limits(limits) => serde_json::to_string_pretty(limits),
            Outcome::Changed(changed) => serde_json::to_string_pretty(changed),
            Outcome::Clusters(clusters) => serde_json::to_string_pretty(clusters),
            Outcome::Stopped(stopped, _) => serde_json::to_string_pretty(stopped),
            Outcome::Usage { usage, .. } => serde_json::to_string_pretty(usage),
            Outcome::Audit(audit) => serde_json::to_string_pretty(audit),
            Outcome::Explained(explained) => serde_json::to_string_pretty(explained),
            Outcome::Entry(entry) => entry.json(),
            Outcome::Keys(ids) => serde_json::to_string_pretty(ids),
        };
        json.map(|json| json + "\n")
    }

    /// Why not everything was done.
    pub fn failure(self) -> Option<ServiceError> {
        match self {
            Outcome::Stopped(_, failed) => failed,
            _ => None,
        }
    }
}

fn parse_status(name: &str) -> Result<Status, ServiceError> {
    let found = Status::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let known = Status::ALL.map(|status| status.as_str().to_ascii_lowercase()).join(", ");
        ServiceError::Invalid(format!("`{name}` is no status: the statuses are {known}"))
    })
}
