//! Uids of users' own, out of a range: each is assigned once, for good.
//!
//! Who has which is in the data directory. Before it is written there, the uid is claimed for the whole machine, so that two gateways with
//! overlapping ranges never give one uid to two users. A claim without an entry (a crash in between) is taken up by the same user.

use super::super::durable;
use super::super::name_service::{group_by_gid, user_by_uid};
use super::super::records::{RunAs, encode, load};
use super::{IdentityError, IdentityKind, TaskIdentity};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fmt, fs, io};

/// Claims of all gateways of this machine: a file for each uid.
const CLAIMS: &str = "/var/lib/faregate-task-uids";
/// The data directory's own file.
const ASSIGNED: &str = "task-uids.json";
/// Home directories, by uid.
const HOMES: &str = "homes";
/// Uids that no range may hold: root, `nobody`, and "none" to 16-bit and 32-bit system calls.
const SPECIAL: [u32; 4] = [0, 65_534, 65_535, u32::MAX];

/// Uids from `first` to `last`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UidRange {
    /// The lowest.
    pub first: u32,
    /// The highest.
    pub last: u32,
}

impl Default for UidRange {
    /// Above the accounts of people (UID_MAX, 60000), systemd's dynamic users (61184 to 65519) and `nobody`, below the first subordinate uid
    /// (SUB_UID_MIN, 100000): <https://systemd.io/UIDS-GIDS/>.
    fn default() -> Self {
        UidRange { first: 70_000, last: 89_999 }
    }
}

impl fmt::Display for UidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The text is no range of uids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a range of uids such as \"70000-89999\", without {}", SPECIAL.map(|uid| uid.to_string()).join(", "))]
pub struct InvalidRange;

impl std::str::FromStr for UidRange {
    type Err = InvalidRange;
    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (first, last) = text.split_once('-').ok_or(InvalidRange)?;
        let uid = |text: &str| text.trim().parse::<u32>().map_err(|_| InvalidRange);
        let range = UidRange { first: uid(first)?, last: uid(last)? };
        let holds_special = SPECIAL.iter().any(|uid| (range.first..=range.last).contains(uid));
        if range.first > range.last || holds_special { Err(InvalidRange) } else { Ok(range) }
    }
}

/// What has been assigned cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentsError {
    /// A file or directory failed.
    #[error("`{}`, which says whose a uid is, cannot be used", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Home directories without the file that says whose they are: a uid would be given to somebody else.
    #[error(
        "`{}` is missing, and there are home directories beside it: restore it, or whoever comes first would get another user's files",
        .0.display()
    )]
    Lost(PathBuf),
}

/// Gives the uids of a range back that were claimed for this data directory: for one that is gone, with all files of those uids.
pub fn release(data_dir: &Path, range: &UidRange) -> io::Result<()> {
    for entry in fs::read_dir(CLAIMS)? {
        let path = entry?.path();
        let uid = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        if uid.is_some_and(|uid| (range.first..=range.last).contains(&uid))
            && load::<Claim>(&path)?.is_some_and(|claim| claim.data_dir == data_dir)
        {
            durable::remove(&path)?;
        }
    }
    Ok(())
}

/// A uid range that this process alone uses, of those that systemd leaves to nobody: for a gateway that is gone after minutes.
pub fn passing_range() -> UidRange {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let nth = std::process::id() % 60_000 * 64 + TAKEN.fetch_add(1, Ordering::Relaxed) % 64;
    let first = 1_880_000_000 + nth * 50;
    UidRange { first, last: first + 49 }
}

/// A claim on a uid.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Claim {
    data_dir: PathBuf,
    user: String,
}

/// Who has which uid.
#[derive(Debug)]
pub(crate) struct Assignments {
    data_dir: PathBuf,
    claims: PathBuf,
    range: UidRange,
    assigned: Mutex<BTreeMap<String, u32>>,
}

impl Assignments {
    /// Reads what has been assigned in this data directory.
    pub(crate) fn open(data_dir: &Path, range: UidRange) -> Result<Assignments, AssignmentsError> {
        Assignments::with_claims(data_dir, range, PathBuf::from(CLAIMS))
    }

    fn with_claims(data_dir: &Path, range: UidRange, claims: PathBuf) -> Result<Assignments, AssignmentsError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| AssignmentsError::File { path, source }
        };
        let (path, homes) = (data_dir.join(ASSIGNED), data_dir.join(HOMES));
        fs::create_dir_all(&claims).map_err(failed(&claims))?;
        durable::directory(&claims, 0o700).map_err(failed(&claims))?;
        durable::directory(&homes, 0o711).map_err(failed(&homes))?;
        let known: Option<BTreeMap<String, u32>> = load(&path).map_err(failed(&path))?;
        let has_homes = fs::read_dir(&homes).map_err(failed(&homes))?.next().is_some();
        let assigned = match known {
            None if has_homes => return Err(AssignmentsError::Lost(path)),
            known => known.unwrap_or_default(),
        };
        Ok(Assignments { data_dir: data_dir.to_owned(), claims, range, assigned: Mutex::new(assigned) })
    }

    /// The identity of this user's tasks, with a home directory that is there.
    pub(crate) fn identity(&self, user: &str) -> Result<TaskIdentity, IdentityError> {
        let failed = |source| IdentityError::Failed { user: user.to_owned(), source };
        let uid = self.uid(user)?;
        let home = self.data_dir.join(HOMES).join(uid.to_string());
        durable::directory(&home, 0o700).map_err(failed)?;
        std::os::unix::fs::lchown(&home, Some(uid), Some(uid)).map_err(failed)?;
        Ok(TaskIdentity { run_as: RunAs { uid, gid: uid, groups: vec![uid] }, home, kind: IdentityKind::Assigned })
    }

    fn uid(&self, user: &str) -> Result<u32, IdentityError> {
        let failed = |source| IdentityError::Failed { user: user.to_owned(), source };
        let mut assigned = self.assigned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(uid) = assigned.get(user) {
            return Ok(*uid);
        }
        let uid = self.claim(user, &assigned.values().copied().collect()).map_err(failed)?.ok_or_else(|| {
            let range = &self.range;
            IdentityError::Refused(format!(
                "there is no uid left for the tasks of `{user}`: all of `task_uid_range` ({range}) are assigned"
            ))
        })?;
        let mut more = assigned.clone();
        more.insert(user.to_owned(), uid);
        let bytes = encode(&more).map_err(failed)?;
        durable::write(&self.data_dir.join(ASSIGNED), &bytes, None).map_err(failed)?;
        *assigned = more;
        tracing::info!(user, uid, "uid assigned");
        Ok(uid)
    }

    /// The first uid of the range that nobody has, claimed for this user.
    fn claim(&self, user: &str, ours: &HashSet<u32>) -> io::Result<Option<u32>> {
        let claim = Claim { data_dir: self.data_dir.clone(), user: user.to_owned() };
        let bytes = encode(&claim)?;
        for uid in (self.range.first..=self.range.last).filter(|uid| !ours.contains(uid)) {
            let path = self.claims.join(uid.to_string());
            match load::<Claim>(&path)? {
                Some(known) if known == claim => return Ok(Some(uid)),
                Some(_) => continue,
                // an account or a group has that number: its files are not for a task
                None if user_by_uid(uid)?.is_some() || group_by_gid(uid)?.is_some() => continue,
                // another gateway may be quicker
                None if durable::create(&path, &bytes)? => return Ok(Some(uid)),
                None => continue,
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: UidRange = UidRange { first: 2_000_000_000, last: 2_000_000_002 };

    fn open(data: &Path, claims: &Path) -> Assignments {
        fs::create_dir_all(data).unwrap();
        Assignments::with_claims(data, RANGE, claims.to_owned()).unwrap()
    }

    #[test]
    fn a_user_keeps_a_uid_and_nobody_else_ever_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other, claims) = (dir.path().join("one"), dir.path().join("other"), dir.path().join("claims"));
        let first = open(&one, &claims);
        let (alice, bob) = (first.uid("alice").unwrap(), first.uid("bob").unwrap());
        assert_ne!(alice, bob);
        assert_eq!(first.uid("alice").unwrap(), alice);
        // after a restart, and for another gateway of the machine
        let again = open(&one, &claims);
        assert_eq!((again.uid("bob").unwrap(), again.uid("alice").unwrap()), (bob, alice));
        let carol = open(&other, &claims).uid("alice").unwrap();
        assert!(carol != alice && carol != bob);
        let full = again.uid("dave").unwrap_err().to_string();
        assert!(full.contains("no uid left") && full.contains(&RANGE.to_string()), "{full}");
    }

    #[test]
    fn a_claim_that_was_not_written_down_is_taken_up_by_its_user() {
        let dir = tempfile::tempdir().unwrap();
        let (data, claims) = (dir.path().join("data"), dir.path().join("claims"));
        let claimed = open(&data, &claims).claim("alice", &HashSet::new()).unwrap().unwrap();
        let after_the_crash = open(&data, &claims);
        assert_ne!(after_the_crash.uid("bob").unwrap(), claimed);
        assert_eq!(after_the_crash.uid("alice").unwrap(), claimed);
    }

    #[test]
    fn homes_without_the_file_that_says_whose_they_are_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (data, claims) = (dir.path().join("data"), dir.path().join("claims"));
        open(&data, &claims).uid("alice").unwrap();
        fs::create_dir(data.join("homes/2000000000")).unwrap();
        fs::remove_file(data.join(ASSIGNED)).unwrap();
        let refused = Assignments::with_claims(&data, RANGE, claims).unwrap_err();
        assert!(matches!(refused, AssignmentsError::Lost(_)), "{refused}");
    }

    #[test]
    fn a_range_is_two_numbers_without_special_uids_between_them() {
        assert_eq!("70000-89999".parse(), Ok(UidRange::default()));
        assert_eq!("7 - 7".parse(), Ok(UidRange { first: 7, last: 7 }));
        for bad in ["", "7", "9-8", "0-10", "60000-70000", "a-b", "1-4294967295", "-1-5"] {
            assert_eq!(bad.parse::<UidRange>(), Err(InvalidRange), "{bad}");
        }
    }
}
