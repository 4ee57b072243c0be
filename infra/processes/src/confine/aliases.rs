//! All paths by which a directory can be reached: what is mounted in several places has several.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The directory itself, without symbolic links, and wherever else its file system is mounted so that it is reached.
pub fn of(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = directory.canonicalize()?;
    Ok(aliases(&directory, &fs::read_to_string("/proc/self/mountinfo")?))
}

/// One line of `mountinfo`.
struct Mount {
    device: String,
    /// Which directory of the file system is mounted.
    root: PathBuf,
    /// Where.
    at: PathBuf,
}

fn aliases(directory: &Path, mountinfo: &str) -> Vec<PathBuf> {
    let mounts: Vec<Mount> = mountinfo.lines().filter_map(parse).collect();
    let mut found = vec![directory.to_owned()];
    // of several mounts at one place the last is seen, and the longest path is the one it lies on
    let own = mounts.iter().filter(|mount| directory.starts_with(&mount.at));
    let Some(own) = own.max_by_key(|mount| mount.at.components().count()) else { return found };
    let Ok(below) = directory.strip_prefix(&own.at) else { return found };
    let within = own.root.join(below);
    for mount in mounts.iter().filter(|mount| mount.device == own.device) {
        let path = match (within.strip_prefix(&mount.root), mount.root.strip_prefix(&within)) {
            (Ok(rest), _) => mount.at.join(rest),
            // a part of the directory, mounted for itself
            (_, Ok(_)) => mount.at.clone(),
            _ => continue,
        };
        // `join("")` would leave a slash at the end, which is no other path
        let path: PathBuf = path.components().collect();
        if !found.contains(&path) && !path.starts_with(directory) {
            found.push(path);
        }
    }
    found
}

/// `36 35 98:0 /root /at options …`: blanks and their like are octal.
fn parse(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ').skip(2);
    let (device, root, at) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Mount { device: device.to_owned(), root: unescape(root), at: unescape(at) })
}

fn unescape(field: &str) -> PathBuf {
    let mut text = field.to_owned();
    for (escaped, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(escaped, plain);
    }
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_a_path_for_every_mount_that_shows_it() {
        let mounts = "\
21 1 8:1 / / rw - ext4 /dev/a rw
22 21 8:2 / /home rw - ext4 /dev/b rw
23 21 8:2 /u /srv/of\\040u rw - ext4 /dev/b rw
24 21 8:2 /v /srv/v rw - ext4 /dev/b rw
25 21 8:2 /u/data/clusters /mnt/clusters rw - ext4 /dev/b rw
26 21 8:2 / /mnt/all rw - ext4 /dev/b rw
";
        let found = aliases(Path::new("/home/u/data"), mounts);
        let expected = ["/home/u/data", "/srv/of u/data", "/mnt/clusters", "/mnt/all/u/data"].map(PathBuf::from);
        assert_eq!(found, expected);
        assert_eq!(aliases(Path::new("/var/lib"), mounts), [PathBuf::from("/var/lib")]);
    }
}
