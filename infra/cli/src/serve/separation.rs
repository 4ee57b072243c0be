//! Who tasks run as, decided at the start. What cannot be kept apart as it is asked for is refused before anything runs.

use super::DataDir;
use crate::config::{Config, Settings};
use crate::python::PythonEnv;
use faregate_processes::identity::reach::{ANYBODY, Barred, reach};
use faregate_processes::identity::{AccountRules, Separation};
use faregate_processes::name_service::group_by_name;
use faregate_processes::name_service::user_by_uid;
use faregate_processes::{ConfineError, Confinement, RunAs};
use std::path::{Path, PathBuf};

/// The start is refused: tasks would not be kept apart.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each says what is missing
pub enum SeparationError {
    #[error("`{0}` needs a gateway that is started as root: only root can start tasks as somebody else")]
    NotRoot(&'static str),
    #[error(
        "`run_as_user` and `task_uid_range` exclude each other: tasks run as the user's account, or under a uid of the range"
    )]
    Both,
    #[error("`task_account_group` goes with `run_as_user = true`")]
    GroupAlone,
    #[error(
        "several people can sign in (`[auth]` has {methods}), and the gateway is not started as root: all their tasks would run as one user, \
         and could read and stop each other's. Start it as root, or say `allow_unseparated_tasks = true` if everybody who signs in is trusted \
         with everything"
    )]
    SeveralPeople { methods: String },
    #[error(
        "tasks cannot be kept from the gateway's keys and records on this machine. Start the gateway as root, or say \
         `allow_unseparated_tasks = true` if all that runs in clusters is trusted with them"
    )]
    Unconfined(#[source] ConfineError),
    #[error("`task_account_group` cannot be looked up")]
    Group(#[source] std::io::Error),
    #[error(
        "tasks cannot reach the data directory `{}`: open the way to it (`chmod o+x`), or give another one with `--data-dir`, \
         such as /var/lib/faregate",
        .path.display()
    )]
    DataDir { path: PathBuf, source: Barred },
    #[error(
        "tasks cannot use the Python environment `{}`: let everybody read it (`chmod -R a+rX`, and `chmod o+x` on the way to it), \
         or give another one with `--python DIR`",
        .path.display()
    )]
    Python { path: PathBuf, source: Barred },
}

impl SeparationError {
    /// Whether the configuration asks for what cannot be, whatever becomes of the machine's files and accounts.
    pub fn is_of_the_configuration(&self) -> bool {
        match self {
            SeparationError::NotRoot(_)
            | SeparationError::Both
            | SeparationError::GroupAlone
            | SeparationError::SeveralPeople { .. }
            | SeparationError::Unconfined(_) => true,
            SeparationError::Group(_) | SeparationError::DataDir { .. } | SeparationError::Python { .. } => false,
        }
    }
}

/// What the configuration asks for, as far as it can be said without looking at the machine's files.
#[derive(Debug, PartialEq)]
pub enum Wanted {
    /// By uid.
    Uids(Separation),
    /// One person's gateway: each task confined.
    Confined,
    /// None, as somebody has said.
    Shared,
}

impl Wanted {
    /// Decides; `root`: is this process root?
    pub fn of(config: &Config, root: bool) -> Result<Wanted, SeparationError> {
        let Settings { run_as_user, task_account_group, task_uid_range, .. } = &config.gateway;
        if task_account_group.is_some() && !run_as_user {
            return Err(SeparationError::GroupAlone);
        }
        match (run_as_user, task_uid_range) {
            (true, Some(_)) => Err(SeparationError::Both),
            (true, None) if !root => Err(SeparationError::NotRoot("run_as_user")),
            (false, Some(_)) if !root => Err(SeparationError::NotRoot("task_uid_range")),
            (true, None) => Ok(Wanted::Uids(Separation::Accounts(AccountRules { group: task_account_group.clone() }))),
            (false, range) if root => Ok(Wanted::Uids(Separation::UidRange(range.clone().unwrap_or_default()))),
            (false, _) if config.gateway.allow_unseparated_tasks => Ok(Wanted::Shared),
            (false, _) if config.auth.methods.is_empty() => Ok(Wanted::Confined),
            (false, _) => Err(SeparationError::SeveralPeople { methods: config.auth.methods.join(", ") }),
        }
    }

    /// Must others pass through the data directory?
    pub fn changes_user(&self) -> bool {
        matches!(self, Wanted::Uids(_))
    }

    /// Says what an administrator should know, at every start.
    pub fn say(&self, config: &Config) {
        match self {
            Wanted::Shared => tracing::warn!(
                "tasks are not separated (`allow_unseparated_tasks`): whoever runs code in a cluster can read the gateway's keys, \
                 sign in as anybody, and read and stop everybody's tasks"
            ),
            Wanted::Uids(_) if config.gateway.allow_unseparated_tasks => {
                tracing::warn!("`allow_unseparated_tasks` has no effect: started as root, the gateway separates tasks");
            }
            Wanted::Uids(Separation::Accounts(_)) => tracing::info!("tasks run as the system accounts of their users"),
            Wanted::Uids(_) => tracing::info!("tasks run under a uid of each user's own"),
            Wanted::Confined => tracing::info!("tasks are confined to their clusters' files"),
        }
    }

    /// Tries on this machine that it is so: as another uid, or confined.
    pub fn established(self, data: &DataDir, python: &PythonEnv) -> Result<Separation, SeparationError> {
        match self {
            Wanted::Shared => Ok(Separation::Shared),
            Wanted::Uids(separation) => {
                let user = stranger(&separation)?;
                python_is_reachable(&user, python)?;
                Ok(separation)
            }
            Wanted::Confined => {
                let paths = |error| SeparationError::Unconfined(ConfineError::Paths(error));
                let account = user_by_uid(rustix::process::geteuid().as_raw()).map_err(paths)?;
                let homes: Vec<PathBuf> = std::env::var_os("HOME")
                    .map(PathBuf::from)
                    .into_iter()
                    .chain(account.map(|user| user.home))
                    .collect();
                let confinement = Confinement::of_gateway(data.path(), &homes).map_err(paths)?;
                confinement.try_on(&data.file("gateway.lock")).map_err(SeparationError::Unconfined)?;
                Ok(Separation::Confined(confinement))
            }
        }
    }

    /// Tries whether tasks that run under other uids can pass through the data directory.
    pub fn try_way(&self, data: &DataDir) -> Result<(), SeparationError> {
        let Wanted::Uids(separation) = self else { return Ok(()) };
        let path = data.path().to_owned();
        reach(&stranger(separation)?, &path).map_err(|source| SeparationError::DataDir { path, source })
    }
}

/// Somebody who has no more rights than any task will have.
fn stranger(separation: &Separation) -> Result<RunAs, SeparationError> {
    let uid = match separation {
        Separation::UidRange(range) => range.first,
        Separation::Accounts(_) | Separation::Shared | Separation::Confined(_) => ANYBODY,
    };
    let group = match separation {
        Separation::Accounts(AccountRules { group: Some(name) }) => {
            group_by_name(name).map_err(SeparationError::Group)?
        }
        _ => None,
    };
    Ok(RunAs { uid, gid: uid, groups: group.iter().map(|group| group.gid).collect() })
}

fn python_is_reachable(user: &RunAs, python: &PythonEnv) -> Result<(), SeparationError> {
    for file in python.files() {
        reach(user, &file)
            .map_err(|source| SeparationError::Python { path: Path::new(python.dir()).to_owned(), source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_processes::identity::UidRange;

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        change(&mut config);
        config
    }

    fn refused(root: bool, change: impl FnOnce(&mut Config)) -> String {
        Wanted::of(&config(change), root).unwrap_err().to_string()
    }

    #[test]
    fn started_as_root_every_user_has_a_uid_whatever_else_is_said() {
        let own = |uids: UidRange| Wanted::Uids(Separation::UidRange(uids));
        assert_eq!(Wanted::of(&Config::default(), true).unwrap(), own(UidRange::default()));
        let range = UidRange { first: 5, last: 9 };
        let asked = config(|c| {
            c.gateway.task_uid_range = Some(range.clone());
            c.gateway.allow_unseparated_tasks = true;
            c.auth.methods = vec!["basic".into()];
        });
        assert_eq!(Wanted::of(&asked, true).unwrap(), own(range));
        let accounts = config(|c| c.gateway.run_as_user = true);
        let expected = Wanted::Uids(Separation::Accounts(AccountRules::default()));
        assert_eq!(Wanted::of(&accounts, true).unwrap(), expected);
    }

    #[test]
    fn not_started_as_root_it_is_one_persons_gateway() {
        assert_eq!(Wanted::of(&Config::default(), false).unwrap(), Wanted::Confined);
        for method in ["tokens", "jwt", "jupyterhub", "kerberos", "basic"] {
            let sentence = refused(false, |c| c.auth.methods = vec![method.into()]);
            assert!(sentence.contains(method) && sentence.contains("allow_unseparated_tasks"), "{sentence}");
        }
        let meant = config(|c| {
            c.auth.methods = vec!["basic".into()];
            c.gateway.allow_unseparated_tasks = true;
        });
        assert_eq!(Wanted::of(&meant, false).unwrap(), Wanted::Shared);
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        assert!(refused(false, |c| c.gateway.run_as_user = true).contains("`run_as_user` needs"));
        let range = Some(UidRange::default());
        assert!(refused(false, |c| c.gateway.task_uid_range = range.clone()).contains("`task_uid_range` needs"));
        assert!(refused(true, |c| c.gateway.task_account_group = Some("x".into())).contains("`task_account_group`"));
        let both = |c: &mut Config| (c.gateway.run_as_user, c.gateway.task_uid_range) = (true, range);
        assert!(refused(true, both).contains("exclude each other"));
    }
}
