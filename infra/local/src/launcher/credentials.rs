//! A cluster's secrets: files, and the paths to them in the tasks' environment.

use super::records::ClusterDir;
use super::users::{SystemUser, system_user};
use super::{Inner, durable, lock};
use faregate::model::{ClusterName, TaskState};
use faregate::ports::Credentials;
use std::io;

impl Inner {
    /// The directory exists, with everything launches and credentials need.
    pub(super) fn make_cluster(&self, cluster: &ClusterName, user: Option<&SystemUser>) -> io::Result<ClusterDir> {
        let dir = self.dir(cluster);
        durable::directory(&dir.0, self.settings.open_mode())?;
        for inside in [dir.launches(), dir.tasks(), dir.work()] {
            durable::directory(&inside, 0o700)?;
        }
        if let Some(user) = user {
            std::os::unix::fs::lchown(dir.work(), Some(user.run_as.uid), Some(user.run_as.gid))?;
        }
        Ok(dir)
    }

    /// The system user to run as; none = nobody else than the gateway itself.
    pub(super) fn run_as(&self, user: &str) -> Result<Option<SystemUser>, String> {
        if self.settings.run_as_user { system_user(user).map(Some) } else { Ok(None) }
    }

    pub(super) fn prepare(&self, credentials: &Credentials) -> io::Result<()> {
        let user = self.run_as(&credentials.user).map_err(io::Error::other)?;
        let dir = self.make_cluster(&credentials.cluster, user.as_ref())?;
        let owner = user.map(|user| (user.run_as.uid, user.run_as.gid));
        let _lock = self.lock_cluster(&credentials.cluster)?;
        durable::write(&dir.cert(), credentials.tls_cert.as_bytes(), owner)?;
        durable::write(&dir.key(), credentials.tls_key.as_bytes(), owner)?;
        durable::write(&dir.token(), credentials.token.as_bytes(), owner)
    }

    pub(super) fn discard(&self, cluster: &ClusterName) -> io::Result<()> {
        let Some(_lock) = self.lock_cluster(cluster)? else { return Ok(()) };
        let dir = self.dir(cluster);
        for secret in [dir.key(), dir.token(), dir.cert()] {
            durable::remove(&secret)?;
        }
        self.trash.take(&dir.work(), &format!("{cluster}.work"));
        Ok(())
    }

    pub(super) fn forget(&self, cluster: &ClusterName) -> io::Result<()> {
        let Some(_lock) = self.lock_cluster(cluster)? else { return Ok(()) };
        let ids: Vec<_> = lock(&self.index).of_cluster(cluster);
        let running =
            |facts: &Option<_>| facts.as_ref().is_some_and(|f: &super::TaskFacts| f.state != TaskState::Stopped);
        if let Some(task) = self.describe(&ids)?.into_iter().find(running).flatten() {
            return Err(io::Error::other(format!("cluster `{cluster}` is not at rest: task `{}` runs", task.id)));
        }
        // the users' files first: each is removed as its owner
        self.trash.take(&self.dir(cluster).work(), &format!("{cluster}.work"));
        self.trash.take(&self.dir(cluster).0, cluster.as_str());
        lock(&self.index).forget(cluster);
        Ok(())
    }
}

/// Where tasks find their credentials: paths, no secrets.
pub(super) fn environment(cluster: &ClusterName, dir: &ClusterDir) -> Vec<(String, String)> {
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned(); // checked when the launcher was opened
    let mut environment = vec![
        ("DASK_GATEWAY_CLUSTER_NAME".to_owned(), cluster.to_string()),
        ("DASK_GATEWAY_API_TOKEN".to_owned(), text(dir.token())),
        ("DASK_DISTRIBUTED__COMM__TLS__CA_FILE".to_owned(), text(dir.cert())),
        // Spilled data goes where it is removed with the cluster.
        ("DASK_TEMPORARY_DIRECTORY".to_owned(), text(dir.work())),
    ];
    for role in ["SCHEDULER", "WORKER"] {
        environment.push((format!("DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"), text(dir.cert())));
        environment.push((format!("DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"), text(dir.key())));
    }
    environment
}
