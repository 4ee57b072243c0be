use super::*;
use rustix::fs::mkdirat;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

fn emptied(path: &Path) -> Report {
    let top = File::open(path).unwrap();
    empty(top.as_fd(), Instant::now() + Duration::from_secs(600))
}

/// A chain of directories; made without ever naming a long path.
fn make_deep(path: &Path, depth: usize) {
    let mut here = OwnedFd::from(File::open(path).unwrap());
    for _ in 0..depth {
        mkdirat(&here, c"d", Mode::RWXU).unwrap();
        here = openat(&here, c"d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

#[test]
fn a_tree_deeper_than_any_stack_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    make_deep(dir.path(), 15_000);
    let report = emptied(dir.path());
    assert_eq!(report, Report { removed: 15_000, ..Report::default() });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn names_links_and_directories_without_rights_are_removed_and_what_links_point_to_stays() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, outside) = (parent.path().join("tree"), parent.path().join("outside"));
    fs::create_dir_all(dir.join("a/b/c")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "").unwrap();
    fs::set_permissions(&outside, Permissions::from_mode(0o500)).unwrap();
    symlink(&outside, dir.join("link")).unwrap();
    symlink("../../../outside", dir.join("a/b/link")).unwrap();
    fs::write(dir.join(OsStr::from_bytes(b"not \xff utf-8\n")), "").unwrap();
    fs::create_dir(dir.join(OsStr::from_bytes(b"a/\xfe"))).unwrap();
    rustix::fs::mknodat(CWD, dir.join("a/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::write(dir.join("a/b/c/file"), "").unwrap();
    for name in ["a/b/c", "a/b", "a"] {
        fs::set_permissions(dir.join(name), Permissions::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(&dir, Permissions::from_mode(0o500)).unwrap();
    let report = emptied(&dir);
    assert_eq!((report.failed, report.first, report.removed), (0, None, 9));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    assert!(outside.join("kept").exists());
    assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o500);
}

#[test]
fn a_deadline_ends_it_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    for at in 0..100 {
        fs::create_dir_all(dir.path().join(format!("{at}/x/y"))).unwrap();
    }
    let top = File::open(dir.path()).unwrap();
    let report = empty(top.as_fd(), Instant::now());
    assert!(report.late && report.removed == 0, "{report:?}");
    let report = emptied(dir.path());
    assert_eq!((report.failed, fs::read_dir(dir.path()).unwrap().count()), (0, 0), "{report:?}");
}

#[test]
fn what_an_interrupted_removal_moved_up_is_removed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".faregate-0000000000000000-7/x/y")).unwrap();
    fs::write(dir.path().join(".faregate-0000000000000000-8"), "").unwrap();
    assert_eq!(emptied(dir.path()), Report { removed: 4, ..Report::default() });
}
