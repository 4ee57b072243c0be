//! System accounts that tasks may run as.

use super::super::name_service;
use super::super::records::RunAs;
use super::{IdentityError, IdentityKind, TaskIdentity};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

/// Where there is no `/etc/login.defs`, or it does not say so.
const UID_MIN: u32 = 1000;
/// `nobody`, and the uids that mean "none" to old and new system calls.
const NOBODIES: [u32; 3] = [65_534, 65_535, u32::MAX];
/// Shells of accounts that nobody works with.
const NO_SHELLS: [&str; 2] = ["nologin", "false"];
const DAY: u64 = 24 * 60 * 60;

/// Which accounts may run tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRules {
    /// Members of this group alone; none = everybody.
    pub group: Option<String>,
}

/// What the machine says of an account.
struct Account {
    name: String,
    uid: u32,
    shell: String,
    groups: Vec<String>,
    /// Its line in `/etc/shadow`; none where it is kept elsewhere (LDAP and the like).
    shadow: Option<String>,
    /// The name that its uid is known by first.
    name_of_uid: Option<String>,
}

impl AccountRules {
    /// Looks an account up. A refusal is a sentence that names it.
    pub(crate) fn identity(&self, name: &str) -> Result<TaskIdentity, IdentityError> {
        let failed = |source: io::Error| IdentityError::Failed { user: name.to_owned(), source };
        let user = name_service::user_by_name(name)
            .map_err(failed)?
            .ok_or_else(|| IdentityError::Refused(format!("there is no system account `{name}` to run as")))?;
        let mut gids = name_service::gids_of(&user).map_err(failed)?;
        let groups = name_service::groups(&gids).map_err(failed)?;
        let account = Account {
            name: user.name.clone(),
            uid: user.uid,
            shell: user.shell,
            groups: groups.into_iter().map(|group| group.name).collect(),
            shadow: shadow_line(name),
            name_of_uid: name_service::user_by_uid(user.uid).map_err(failed)?.map(|user| user.name),
        };
        self.check(name, &account, uid_min(), today()).map_err(IdentityError::Refused)?;
        if !gids.contains(&user.gid) {
            gids.push(user.gid);
        }
        let run_as = RunAs { uid: user.uid, gid: user.gid, groups: gids };
        Ok(TaskIdentity { run_as, home: user.home, kind: IdentityKind::Account })
    }

    fn check(&self, name: &str, account: &Account, uid_min: u32, today: u64) -> Result<(), String> {
        let refused = |why: String| Err(format!("clusters do not run as the system account `{name}`: {why}"));
        // directories that ignore case, or know aliases, would give two users one uid
        if account.name != name {
            return refused(format!("it is the account `{}` under another name", account.name));
        }
        if let Some(first) = account.name_of_uid.as_ref().filter(|first| *first != name) {
            return refused(format!("its uid {} is that of `{first}`", account.uid));
        }
        if account.uid < uid_min || NOBODIES.contains(&account.uid) {
            return refused(format!("its uid {} is not a person's (UID_MIN is {uid_min})", account.uid));
        }
        let shell = Path::new(&account.shell).file_name().map(|name| name.to_string_lossy());
        if shell.as_ref().is_some_and(|shell| NO_SHELLS.contains(&shell.as_ref())) {
            return refused(format!("its shell is {}", account.shell));
        }
        if account.shadow.as_ref().is_some_and(|line| is_locked(line, today)) {
            return refused("it is locked, or has expired".to_owned());
        }
        if let Some(group) = self.group.as_ref().filter(|group| !account.groups.contains(group)) {
            return refused(format!("it is not in the group `{group}` (`task_account_group`)"));
        }
        Ok(())
    }
}

/// As sshd has it: a password field that begins with `!`, or an expiry date (in days since 1970) that has come. A `*` only says that there is
/// no password to sign in with.
fn is_locked(shadow: &str, today: u64) -> bool {
    let fields: Vec<&str> = shadow.split(':').collect();
    let locked = fields.get(1).is_some_and(|password| password.starts_with('!'));
    let expires = fields.get(7).and_then(|day| day.parse::<u64>().ok());
    locked || expires.is_some_and(|day| day <= today)
}

fn shadow_line(name: &str) -> Option<String> {
    let shadow = fs::read_to_string("/etc/shadow").ok()?;
    shadow.lines().find(|line| line.split(':').next() == Some(name)).map(str::to_owned)
}

fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY)
}

/// The lowest uid of a person.
fn uid_min() -> u32 {
    fs::read_to_string("/etc/login.defs").ok().and_then(|text| parse_uid_min(&text)).unwrap_or(UID_MIN)
}

fn parse_uid_min(login_defs: &str) -> Option<u32> {
    let value = |line: &str| line.trim().strip_prefix("UID_MIN")?.trim().parse().ok();
    login_defs.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            name: "alice".into(),
            uid: 1001,
            shell: "/bin/bash".into(),
            groups: vec!["alice".into(), "dask".into()],
            shadow: Some("alice:$y$j9T$x:20000:0:99999:7:::".into()),
            name_of_uid: Some("alice".into()),
        }
    }

    fn refusal(change: impl FnOnce(&mut Account)) -> String {
        let mut account = account();
        change(&mut account);
        AccountRules { group: Some("dask".into()) }.check("alice", &account, 1000, 20_500).unwrap_err()
    }

    #[test]
    fn an_ordinary_account_is_good() {
        let rules = AccountRules { group: Some("dask".into()) };
        rules.check("alice", &account(), 1000, 20_500).unwrap();
        // kept elsewhere; and without a password, which is not locked
        for shadow in [None, Some("alice:*:20000::::::".to_owned())] {
            rules.check("alice", &Account { shadow, ..account() }, 1000, 20_500).unwrap();
        }
    }

    #[test]
    fn accounts_that_nobody_works_with_are_refused_with_the_reason() {
        for uid in [0, 999, 65_534, u32::MAX] {
            assert!(refusal(|a| a.uid = uid).contains(&format!("uid {uid} is not a person's")));
        }
        for shell in ["/usr/sbin/nologin", "/bin/false", "/sbin/nologin"] {
            assert!(refusal(|a| a.shell = shell.into()).contains(shell));
        }
        for shadow in
            ["alice:!$y$x:20000::::::", "alice:!:20000::::::", "alice:$y$x:20000::::20499:", "alice:$y$x:1:::::20500:"]
        {
            let locked = is_locked(shadow, 20_500);
            assert_eq!(locked, shadow.contains('!') || shadow.ends_with("20500:"), "{shadow}");
        }
        assert!(refusal(|a| a.shadow = Some("alice:!$y$x:20000::::::".into())).contains("locked"));
        assert!(refusal(|a| a.groups = vec!["alice".into()]).contains("`dask`"));
    }

    #[test]
    fn two_names_are_not_one_account() {
        assert!(refusal(|a| a.name = "Alice".into()).contains("`Alice`"));
        assert!(refusal(|a| a.name_of_uid = Some("bob".into())).contains("`bob`"));
    }

    #[test]
    fn the_superuser_and_accounts_that_do_not_exist_are_refused_by_name() {
        let rules = AccountRules::default();
        assert!(rules.identity("root").unwrap_err().to_string().contains("`root`"));
        assert!(rules.identity("no such\0user").unwrap_err().to_string().contains("no such"));
    }

    #[test]
    fn the_lowest_uid_is_read_where_it_is_set() {
        assert_eq!(parse_uid_min("# UID_MIN 7\nUID_MIN\t\t\t 500\nSYS_UID_MIN 100\n"), Some(500));
        assert_eq!(parse_uid_min("UID_MAX 60000"), None);
    }
}
