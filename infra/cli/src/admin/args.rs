//! The command line of `faregate admin`.

use super::{BlocksAction, Field, KeysAction, Place, SettingsAction, TokensAction, UsersAction};
use clap::{Args, Subcommand, ValueEnum};
use faregate_core::model::{ClusterName, Month};

/// Shown after the help.
pub const MANUAL: &str = "\
Works on the data directory of a gateway, which may run meanwhile: it notices, and acts by its next enforcement run. With `--table` it \
works on a deployment's DynamoDB table, with the AWS credentials of the environment. Whatever changes something is written \
down first: see `faregate admin audit`.

Examples:
  faregate admin limits set user:alice clusters=2 memory=\"64 G\"
      From now on alice has two clusters at most, and 64 GiB for all their workers.
  faregate admin limits set default budget=100 idle_timeout=3600
      100 US dollars a month, and an hour of idleness, for whom nothing else is said.
  faregate admin limits set group:students 'allowed={\"profile\": [\"small\"]}' total_workers=40
      Only this profile for each of the group, and 40 workers for all of them together.
  faregate admin limits unset user:alice clusters
  faregate admin freeze user:alice --why \"the course is over\"
      Nothing of alice's starts any more, what runs is stopped; she reads why.
  faregate admin users add alice
      Asks for a password that is alice's own.
  faregate admin tokens create --user alice --name nightly --scope create --scope read --scope stop --days 90
      Prints a token with which a pipeline starts clusters as alice.
  faregate admin limits set group:token:0123456789abcdef total_workers=4
      What runs for the token with this id has four workers at most.
  faregate admin clusters --user alice --status running
  faregate admin stop --user alice --why \"maintenance at noon\"
  faregate admin usage --month 2026-11 --csv > november.csv
  faregate admin settings check parameters.yaml
      Says what the functions of a deployment on AWS would say of its `Settings`.
  faregate admin explain user:alice
      What applies to alice, who says so, what is in use and what is left.

Scopes: `default`, `group:<name>`, `user:<name>`.

Limits, all optional; each is looked up user, then group (of several the most generous), then default:
  clusters, workers, cores, memory      all of a user's together
  cluster_workers, cluster_cores, cluster_memory
                                        one cluster
  total_clusters, total_workers, total_cores, total_memory
                                        all of a group's together
  max_lifetime, idle_timeout            seconds
  budget                                US dollars in a calendar month
  allowed                               option values, as JSON
  frozen                                the sentence that frozen users read";

/// Administers a gateway.
#[derive(Debug, Args)]
pub struct AdminArgs {
    /// Where its records are.
    #[command(flatten)]
    pub place: Place,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Output::Table, value_name = "FORM")]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned, for people
    Table,
    /// For programs
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show or change limits
    #[command(subcommand)]
    Limits(LimitsAction),
    /// Show, add and remove users with passwords of their own, or set a password
    ///
    /// Where `[auth] methods` has `basic`, and no password is shared.
    #[command(subcommand)]
    Users(UsersAction),
    /// Show, make and revoke machine tokens, for pipelines
    ///
    /// Where `[auth] methods` has `tokens`.
    #[command(subcommand)]
    Tokens(TokensAction),
    /// Show or lift blocks of those whose sign-ins have failed too often
    #[command(subcommand)]
    Blocks(BlocksAction),
    /// Change the keys that sign and seal
    #[command(subcommand)]
    Keys(KeysAction),
    /// Check the settings of a deployment on AWS before it is deployed
    #[command(subcommand)]
    Settings(SettingsAction),
    /// Let nothing new start, and stop what runs
    Freeze {
        /// Whom: `user:<name>`, `group:<name>` or `default`
        scope: String,
        /// The sentence that frozen users read
        #[arg(long)]
        why: String,
    },
    /// Take a freeze back
    Unfreeze {
        /// Whom: `user:<name>`, `group:<name>` or `default`
        scope: String,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
    /// List everyone's clusters: those that have not ended, unless a status is given
    Clusters {
        /// Of this user only
        #[arg(long)]
        user: Option<String>,
        /// Of members of this group only
        #[arg(long)]
        group: Option<String>,
        /// In these states only: pending, running, stopping; of one user also stopped, failed
        #[arg(long, value_delimiter = ',')]
        status: Vec<String>,
    },
    /// Stop clusters, whosever they are
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Stop {
        /// Names of clusters
        #[arg(group = "which", value_name = "NAME")]
        names: Vec<ClusterName>,
        /// All clusters of this user
        #[arg(long, group = "which")]
        user: Option<String>,
        /// Why: the users read it
        #[arg(long)]
        why: Option<String>,
    },
    /// Show what everybody used in a month, and what it cost
    ///
    /// What runs at the moment is included, at the prices of `--config` (with `--table`: the region's list prices).
    Usage {
        /// Which month, as in 2026-11 [default: this one, in UTC]
        #[arg(long)]
        month: Option<Month>,
        /// Print comma-separated values
        #[arg(long, conflicts_with = "output")]
        csv: bool,
    },
    /// Show what admins did in a month
    Audit {
        /// Which month, as in 2026-11 [default: this one, in UTC]
        #[arg(long)]
        month: Option<Month>,
    },
    /// Show what applies to a user, and who says so; or what a group's or the default item says
    Explain {
        /// Whom: `user:<name>`, `group:<name>` or `default`
        scope: String,
        /// A group of the user, if not those of their active clusters; may be repeated
        #[arg(long)]
        group: Vec<String>,
    },
}

/// What to do about limits.
#[derive(Debug, Subcommand)]
pub enum LimitsAction {
    /// Show all limits, and items that cannot be read
    List,
    /// Set fields of a scope's limits; the others stay as they are
    Set {
        /// Whose: `user:<name>`, `group:<name>` or `default`
        scope: String,
        /// Fields and their values: numbers, sizes such as "64 G", or JSON
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<Field>,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
    /// Take fields of a scope's limits away
    Unset {
        /// Whose: `user:<name>`, `group:<name>` or `default`
        scope: String,
        /// Fields
        #[arg(required = true, value_name = "FIELD")]
        fields: Vec<String>,
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
}
