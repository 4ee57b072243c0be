//! The accounts and groups of this machine, as its name services know them: asked of `getent` and `id`, for what sssd or LDAP know is
//! found by libraries that a static program cannot load. An error is never absence.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// getent's exit code where the database has no such entry.
const NOT_FOUND: i32 = 2;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: u32,
    /// The gid of its primary group.
    pub gid: u32,
    /// Its home directory.
    pub home: PathBuf,
    /// Its shell.
    pub shell: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its gid.
    pub gid: u32,
}

/// The account that a name leads to; a directory may know it by another name (aliases, upper and lower case).
pub fn user_by_name(name: &str) -> io::Result<Option<User>> {
    if !may_be_a_name(name) {
        return Ok(None);
    }
    if is_number(name) {
        let output = run("id", &["-u", "--", name])?; // which tries the name first
        let uid = String::from_utf8_lossy(&output.stdout).trim().parse();
        return Ok(uid.ok().map(user_by_uid).transpose()?.flatten().filter(|user| user.name == name));
    }
    entry("passwd", name)?.map(|line| user(&line)).transpose()
}

/// The account that a uid is known by first.
pub fn user_by_uid(uid: u32) -> io::Result<Option<User>> {
    entry("passwd", &uid.to_string())?.map(|line| user(&line)).transpose()
}

/// The group of this name.
pub fn group_by_name(name: &str) -> io::Result<Option<Group>> {
    if !may_be_a_name(name) || is_number(name) {
        return Ok(None);
    }
    entry("group", name)?.map(|line| group(&line)).transpose()
}

/// The group of this gid.
pub fn group_by_gid(gid: u32) -> io::Result<Option<Group>> {
    entry("group", &gid.to_string())?.map(|line| group(&line)).transpose()
}

/// The gids of all groups of an account, the primary one too.
pub fn gids_of(user: &User) -> io::Result<Vec<u32>> {
    let output = run("id", &["-G", "--", &user.name])?;
    let said = String::from_utf8_lossy(&output.stdout);
    let gids: Option<Vec<u32>> = said.split_whitespace().map(|gid| gid.parse().ok()).collect();
    match gids {
        Some(gids) if output.status.success() && !gids.is_empty() => Ok(gids),
        _ => Err(io::Error::other(format!("the groups of `{}` are not known", user.name))),
    }
}

/// Those of these groups that have a name.
pub fn groups(gids: &[u32]) -> io::Result<Vec<Group>> {
    let keys: Vec<String> = gids.iter().map(u32::to_string).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    lines("group", &keys)?.iter().map(|line| group(line)).collect()
}

/// Neither what could not stand in a line of `/etc/passwd`, nor what `getent` and `id` read as a number with a sign.
fn may_be_a_name(name: &str) -> bool {
    let signed = name.trim_start().len() < name.len() || name.starts_with(['+', '-']);
    !name.is_empty() && !signed && !name.contains([':', '\n', '\0'])
}

/// `getent` takes a number for an id, never for a name; but there are directories whose users are called by numbers.
fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

fn entry(database: &str, key: &str) -> io::Result<Option<String>> {
    Ok(lines(database, &[key])?.into_iter().next())
}

fn lines(database: &str, keys: &[&str]) -> io::Result<Vec<String>> {
    let arguments: Vec<&str> = ["--", database].iter().chain(keys).copied().collect();
    let output = run("getent", &arguments)?;
    if !output.status.success() && output.status.code() != Some(NOT_FOUND) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("`getent {database}`: {}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn run(program: &str, arguments: &[&str]) -> io::Result<std::process::Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.output().map_err(|error| io::Error::new(error.kind(), format!("`{program}`: {error}")))
}

fn user(line: &str) -> io::Result<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return Err(unreadable("passwd", line)) };
    let number = |text: &str| text.parse().map_err(|_| unreadable("passwd", line));
    let home = OsStr::from_bytes(home.as_bytes()).into();
    Ok(User { name: name.into(), uid: number(uid)?, gid: number(gid)?, home, shell: shell.into() })
}

fn group(line: &str) -> io::Result<Group> {
    let mut fields = line.split(':');
    let name = fields.next().unwrap_or_default();
    let gid = fields.nth(1).and_then(|gid| gid.parse().ok()).ok_or_else(|| unreadable("group", line))?;
    Ok(Group { name: name.to_owned(), gid })
}

fn unreadable(database: &str, line: &str) -> io::Error {
    io::Error::other(format!("`getent {database}` says what cannot be read: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_uid_with_its_groups() {
        let root = user_by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid, root.home.as_path()), (0, 0, std::path::Path::new("/root")));
        assert_eq!(user_by_uid(0).unwrap(), Some(root.clone()));
        let gids = gids_of(&root).unwrap();
        assert!(gids.contains(&0));
        let named = groups(&[&gids[..], &[4_000_000_000]].concat()).unwrap();
        assert!(named.contains(&Group { name: "root".into(), gid: 0 }), "{named:?}");
        assert_eq!(group_by_gid(0).unwrap(), group_by_name("root").unwrap());
    }

    #[test]
    fn ids_that_nobody_has_are_absent() {
        assert_eq!(user_by_uid(4_000_000_000).unwrap(), None);
        assert_eq!(group_by_gid(4_000_000_000).unwrap(), None);
        assert_eq!(user_by_name("no-such-user").unwrap(), None);
    }

    #[test]
    fn an_id_is_nobodys_name() {
        for name in ["0", "4000000000", "+0", "-0", " 0", "", "-", "root:x", "root\n", "ro\0ot", "--help"] {
            assert_eq!(user_by_name(name).unwrap(), None, "{name:?}");
            assert_eq!(group_by_name(name).unwrap(), None, "{name:?}");
        }
    }

    #[test]
    fn fields_are_where_they_are_and_anything_else_is_an_error() {
        let alice = user("alice:x:1001:100:Alice, of Physics:/home/alice:/bin/bash").unwrap();
        assert_eq!((alice.uid, alice.gid, alice.shell.as_str()), (1001, 100, "/bin/bash"));
        assert_eq!(group("dask:*:2000:alice,bob").unwrap(), Group { name: "dask".into(), gid: 2000 });
        for line in ["", "alice", "alice:x:many:100::/home/alice:/bin/sh", "alice:x:-1:100::/home/alice:/bin/sh"] {
            assert!(user(line).is_err() && group(line).is_err(), "{line}");
        }
    }
}
