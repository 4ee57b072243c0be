//! System users.

use super::records::RunAs;
use std::path::PathBuf;

/// A user that tasks can run as.
#[derive(Clone, Debug)]
pub struct SystemUser {
    /// The numbers.
    pub run_as: RunAs,
    /// Its home directory.
    pub home: PathBuf,
}

/// Looks a user up. The error is a sentence that names them.
pub fn system_user(name: &str) -> Result<SystemUser, String> {
    // `get_user_groups` takes no NUL.
    let user = uzers::get_user_by_name(name).ok_or_else(|| format!("there is no system user `{name}` to run as"))?;
    if user.uid() == 0 {
        return Err(format!("clusters do not run as `{name}`, which is the superuser"));
    }
    let groups = uzers::get_user_groups(name, user.primary_group_id())
        .ok_or_else(|| format!("the groups of the system user `{name}` are not known"))?;
    let groups = groups.iter().map(uzers::Group::gid).collect();
    let run_as = RunAs { uid: user.uid(), gid: user.primary_group_id(), groups };
    Ok(SystemUser { run_as, home: uzers::os::unix::UserExt::home_dir(&user).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_superuser_and_users_that_do_not_exist_are_refused_by_name() {
        assert!(system_user("root").unwrap_err().contains("`root`"));
        assert!(system_user("no such\0user").unwrap_err().contains("no such"));
    }
}
