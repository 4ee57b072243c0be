//! A cluster's secrets: files, and the paths to them in the tasks' environment.

use super::identity::reach::{Barred, reach};
use super::identity::{IdentityError, TaskIdentity};
use super::records::ClusterDir;
use super::{Inner, durable, lock};
use faregate_core::model::{ClusterName, TaskState};
use faregate_core::ports::{Credentials, PrepareError};
use std::io;

impl Inner {
    /// The directory exists, with everything launches and credentials need, as far as it is for others to use theirs.
    pub(super) fn make_cluster(&self, cluster: &ClusterName, user: Option<&TaskIdentity>) -> io::Result<ClusterDir> {
        let dir = self.dir(cluster);
        durable::directory(&dir.0, self.settings.open_mode())?;
        // once it is theirs, what lies in it is not to be trusted
        let is_new = !dir.work().exists();
        for inside in [dir.launches(), dir.tasks(), dir.work()] {
            durable::directory(&inside, 0o700)?;
        }
        if let Some(user) = user {
            if is_new {
                durable::directory(&dir.packages(), 0o700)?;
                std::os::unix::fs::lchown(dir.packages(), Some(user.run_as.uid), Some(user.run_as.gid))?;
            }
            // the credentials too: a cluster may have been started when tasks ran as somebody else
            for theirs in [dir.work(), dir.cert(), dir.key(), dir.token()] {
                match std::os::unix::fs::lchown(theirs, Some(user.run_as.uid), Some(user.run_as.gid)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
            }
        }
        Ok(dir)
    }

    pub(super) fn prepare(&self, credentials: &Credentials) -> Result<(), PrepareError> {
        let user = self.identities.of(&credentials.user).map_err(|error| match error {
            IdentityError::Refused(why) => PrepareError::Refused(why),
            IdentityError::Failed { .. } => PrepareError::Failed(faregate_core::chain(&error)),
        })?;
        let failed = |error: io::Error| match is_lasting(&error) {
            true => PrepareError::Refused(format!("the cluster's directory cannot be made: {error}")),
            false => PrepareError::Failed(error.to_string()),
        };
        let dir = self.make_cluster(&credentials.cluster, user.as_ref()).map_err(failed)?;
        if let Some(user) = &user {
            reach(&user.run_as, &dir.work()).map_err(|barred| match &barred {
                Barred::At { .. } => PrepareError::Refused(barred.to_string()),
                Barred::Untried { .. } => PrepareError::Failed(faregate_core::chain(&barred)),
            })?;
        }
        self.write_credentials(&dir, credentials, user.as_ref()).map_err(failed)
    }

    fn write_credentials(
        &self,
        dir: &ClusterDir,
        credentials: &Credentials,
        user: Option<&TaskIdentity>,
    ) -> io::Result<()> {
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

/// Trying again changes nothing, as long as nobody changes the machine. A full disk, or too many open files, pass.
pub(super) fn is_lasting(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotADirectory | PermissionDenied | ReadOnlyFilesystem)
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
