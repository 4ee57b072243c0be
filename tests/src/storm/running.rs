//! What a worker counts for, and under which keys.

use super::{Host, People};
use faregate_core::model::{Cluster, ClusterName, Counts, Scope};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The workers of clusters that were looked up: what is asked here never changes.
#[derive(Default)]
pub struct Workers(HashMap<ClusterName, Arc<(Vec<Scope>, Counts)>>);

impl Workers {
    /// The keys of a cluster's user, and what each worker of it counts for.
    pub async fn of(&mut self, host: &Host, people: &People, name: &ClusterName) -> Arc<(Vec<Scope>, Counts)> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let cluster = host.store.cluster(name).await.unwrap().expect("what runs is on record").value;
        let found = Arc::new((keys(people, &cluster), cluster.config.worker_unit()));
        self.0.insert(name.clone(), found.clone());
        found
    }
}

/// The keys of a cluster, which are those of its user.
pub fn keys(people: &People, cluster: &Cluster) -> Vec<Scope> {
    let keys = people.keys(&cluster.user);
    assert_eq!(cluster.reserved.keys, keys, "cluster {}", cluster.name);
    keys
}

/// What is over its ceiling.
pub fn over(ceilings: &BTreeMap<Scope, Counts>, used: &BTreeMap<Scope, Counts>, what: &str) -> Vec<String> {
    let over = used.iter().filter(|(scope, used)| (ceilings[scope] - **used).any_negative());
    over.map(|(scope, used)| format!("{what}: {scope} has {used:?}, and the limit is {:?}", ceilings[scope])).collect()
}
