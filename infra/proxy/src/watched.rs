//! A value read from files, and read again when they change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Makes a value of its files' contents, given in the order of the paths.
type Parse<T> = fn(&[Vec<u8>]) -> Result<T, String>;

/// What tells one version of a file from the next: inode, size, and time of change in nanoseconds.
type Stamp = (u64, u64, i64, i64);

/// The last good value of some files. A change that cannot be used is logged once, and the value stays.
pub(crate) struct Watched<T> {
    paths: Vec<PathBuf>,
    parse: Parse<T>,
    last: Mutex<(Vec<Stamp>, Arc<T>)>,
}

impl<T> Watched<T> {
    /// Reads the files for the first time.
    pub(crate) fn open(paths: Vec<PathBuf>, parse: Parse<T>) -> Result<Self, String> {
        let last = Mutex::new((stamps(&paths)?, Arc::new(load(&paths, parse)?)));
        Ok(Watched { paths, parse, last })
    }

    /// The value, as the files are now. Costs one `stat` a file.
    pub(crate) fn get(&self) -> Arc<T> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Files that are away for a moment (a rename between two of them) do not change the value.
        if let Ok(now) = stamps(&self.paths)
            && now != last.0
        {
            match load(&self.paths, self.parse) {
                Ok(value) => last.1 = Arc::new(value),
                Err(error) => tracing::error!(%error, "file reload failed; the last good one stays in use"),
            }
            last.0 = now;
        }
        last.1.clone()
    }
}

fn stamps(paths: &[PathBuf]) -> Result<Vec<Stamp>, String> {
    let stamp = |path: &PathBuf| {
        let meta = fs::metadata(path).map_err(|e| format!("`{}`: {e}", path.display()))?;
        Ok((meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
    };
    paths.iter().map(stamp).collect()
}

fn load<T>(paths: &[PathBuf], parse: Parse<T>) -> Result<T, String> {
    let read = |path: &PathBuf| fs::read(path).map_err(|e| format!("`{}`: {e}", path.display()));
    let contents = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    parse(&contents).map_err(|e| format!("`{}`: {e}", paths[0].display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_and_a_bad_one_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        fs::write(&path, "7").unwrap();
        let number = Watched::<u32>::open(vec![path.clone()], |contents| {
            String::from_utf8_lossy(&contents[0]).parse().map_err(|_| "no number".to_owned())
        })
        .unwrap();
        assert_eq!(*number.get(), 7);
        fs::write(&path, "eleven").unwrap();
        assert_eq!(*number.get(), 7);
        fs::write(&path, "11").unwrap();
        assert_eq!(*number.get(), 11);
        fs::remove_file(&path).unwrap();
        assert_eq!(*number.get(), 11);
    }
}
