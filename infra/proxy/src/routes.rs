//! Where clusters are: on one machine, a file per cluster that the gateway writes and the proxy reads.

use async_trait::async_trait;
use faregate_core::model::ClusterName;
use faregate_core::ports::{Route, Routes, RoutesError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The proxy's side of the routes.
#[async_trait]
pub trait RouteSource: Send + Sync {
    /// Where this cluster is now; none for one that is not (or no longer) known. Asked for every new connection. An error is a sentence:
    /// nobody knows, which is no sign that the cluster is gone.
    async fn lookup(&self, name: &ClusterName) -> Result<Option<Route>, String>;
}

/// Both sides, over a directory of `<name>.json`, each the JSON of a [`Route`].
///
/// Reads and writes are blocking: a route is a hundred bytes in the page cache, cheaper than a trip to another thread.
#[derive(Clone, Debug)]
pub struct FileRoutes {
    dir: PathBuf,
}

impl FileRoutes {
    /// Uses `dir`, and makes it (mode 0700) when it does not exist.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(FileRoutes { dir: dir.to_owned() })
    }

    fn path(&self, name: &ClusterName) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }
}

#[async_trait]
impl RouteSource for FileRoutes {
    async fn lookup(&self, name: &ClusterName) -> Result<Option<Route>, String> {
        match fs::read(self.path(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("it is malformed: {error}")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[async_trait]
impl Routes for FileRoutes {
    async fn publish(&self, name: &ClusterName, route: &Route) -> Result<(), RoutesError> {
        let bytes = serde_json::to_vec(route).map_err(|e| RoutesError(e.to_string()))?;
        replace(&self.path(name), &bytes).map_err(|e| RoutesError(format!("`{}`: {e}", self.path(name).display())))
    }

    async fn remove(&self, name: &ClusterName) -> Result<(), RoutesError> {
        match fs::remove_file(self.path(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(RoutesError(format!("`{}`: {e}", self.path(name).display())))
            }
            _ => Ok(()),
        }
    }
}

/// Writes a whole file (mode 0600) in place of another, so that a reader sees the one or the other.
/// Not synced: what is written here is written again after a crash of the machine.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{count}.tmp", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn what_the_gateway_publishes_the_proxy_finds_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let routes = FileRoutes::open(&dir.path().join("data/routes")).unwrap();
        let name: ClusterName = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let route = Route { scheduler: ([127, 0, 0, 1], 8786).into(), dashboard: None, closed: false };
        assert_eq!(routes.lookup(&name).await, Ok(None));
        routes.publish(&name, &route).await.unwrap();
        let moved = Route { dashboard: Some(([127, 0, 0, 1], 8787).into()), ..route };
        routes.publish(&name, &moved).await.unwrap();
        assert_eq!(routes.lookup(&name).await, Ok(Some(moved)));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&routes.dir), mode(&routes.path(&name))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&routes.dir).unwrap().count(), 1, "no temporary file is left");
        routes.remove(&name).await.unwrap();
        routes.remove(&name).await.unwrap();
        assert_eq!(routes.lookup(&name).await, Ok(None));
    }

    #[tokio::test]
    async fn a_route_that_cannot_be_read_is_an_error_and_not_absent() {
        let dir = tempfile::tempdir().unwrap();
        let routes = FileRoutes::open(dir.path()).unwrap();
        let name: ClusterName = "0123456789abcdef0123456789abcdef".parse().unwrap();
        fs::write(routes.path(&name), "{").unwrap();
        assert!(routes.lookup(&name).await.is_err());
        fs::remove_file(routes.path(&name)).unwrap();
        fs::create_dir(routes.path(&name)).unwrap();
        assert!(routes.lookup(&name).await.is_err());
    }
}
