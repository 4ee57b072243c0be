//! Stopping a cluster's tasks by what is on disk alone: for whoever has no launcher, and cannot write down what is wanted.

use super::processes::boot;
use super::records::{ClusterDir, LaunchRecord, load};
use faregate_core::model::ClusterName;
use rustix::process::Signal;
use std::path::Path;
use std::{fs, io};

/// Asks every supervisor of a cluster to stop its task. How many were asked.
pub fn interrupt(data_dir: &Path, cluster: &ClusterName) -> io::Result<usize> {
    let (boot, mut asked) = (boot()?, 0);
    let launches = match fs::read_dir(ClusterDir(data_dir.join("clusters").join(cluster.as_str())).launches()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    for launch in launches {
        let path = launch?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let Some(record) = load::<LaunchRecord>(&path)?.filter(|record| record.boot == boot) else { continue };
        for supervisor in record.tasks.values() {
            if supervisor.is_alive()? {
                supervisor.signal(Signal::INT)?;
                asked += 1;
            }
        }
    }
    Ok(asked)
}
