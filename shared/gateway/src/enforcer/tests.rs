//! What the tests of the pass's parts share.

use faregate_core::model::{Cluster, ClusterName, Limits, Scope, Status};
use faregate_keys::KeyRing;
use std::collections::BTreeMap;

/// The `n`th cluster of a user who is in group a: RUNNING, with so many workers.
pub fn cluster_of(user: &str, n: i64, workers: i64) -> Cluster {
    let now = 1_795_273_200_000 + n;
    let ring = KeyRing::from_random(&[7; 64]);
    let name = ClusterName::mint(&ring.user_key(user), now, n as u64);
    let key = ring.seal(b"key", &name, [0; 12]).unwrap();
    let mut cluster = Cluster::new(name, user, &["a".into()], String::new(), key, now);
    cluster.status = Status::Running;
    cluster.running_at = Some(now);
    cluster.reserved.counts = cluster.reserved.counts + cluster.config.worker_unit() * workers;
    cluster
}

/// Limit items, by their sort keys.
pub fn items(list: &[(&str, Limits)]) -> BTreeMap<Scope, Limits> {
    list.iter().map(|(scope, limits)| (Scope::try_from((*scope).to_owned()).unwrap(), limits.clone())).collect()
}
