//! Transactions, as the world sees them: what each says of clusters, charges and bills.

use super::state::{State, short};
use faregate_core::model::{Cluster, Record, Shrink, Status, TaskId};
use faregate_core::ports::{TransactError, Write};

impl State {
    /// Another transaction is at the same items.
    pub fn meets_another(&mut self) -> bool {
        self.fault(self.setup.faults.contention)
    }

    /// A transaction, and what there is to say of a cluster's new status.
    pub fn transact(&mut self, writes: Vec<Write>) -> Result<(), TransactError> {
        if self.meets_another() {
            return Err(TransactError::Contention);
        }
        let clusters: Vec<(Cluster, Option<(Status, Status)>)> = writes
            .iter()
            .filter_map(|w| match w {
                Write::Put { record: Record::Cluster(c), .. } => {
                    let held = self.records.clusters.get(&c.name).map(|h| (h.value.status, h.value.target));
                    Some((*c.clone(), held))
                }
                _ => None,
            })
            .collect();
        let told_to_shrink: Vec<Cluster> = clusters
            .iter()
            .map(|(cluster, _)| cluster)
            .filter(|c| {
                let before = self.records.clusters.get(&c.name).and_then(|held| held.value.shrink.as_ref());
                let key = |s: &Shrink| (s.keep, s.end);
                c.shrink.is_some() && c.shrink.as_ref().map(key) != before.map(key)
            })
            .cloned()
            .collect();
        let ended: Vec<TaskId> = writes
            .iter()
            .filter_map(|w| match w {
                Write::Put { record: Record::Task(t), .. } if !t.may_run() => Some(t.facts.id.clone()),
                _ => None,
            })
            .collect();
        let booking = if self.still { None } else { Some(self.book(&writes)) };
        let count = writes.len();
        let now = self.now;
        let result = self.records.transact(writes, now);
        if let Err(TransactError::Failed(error)) = &result {
            self.breach("a transaction that the store cannot do", error.to_string());
        }
        if result.is_err() {
            self.say(|| {
                format!("  save of {count} items: {}", result.as_ref().map_or_else(ToString::to_string, |()| "".into()))
            });
            return result;
        }
        for id in ended {
            self.known_ends.entry(id).or_insert(now);
        }
        for (cluster, held) in clusters {
            self.see(&cluster, held);
        }
        for cluster in told_to_shrink {
            self.check_shrink(&cluster);
        }
        if let Some(booking) = booking {
            self.check_booking(booking);
        }
        result
    }

    fn see(&mut self, cluster: &Cluster, held: Option<(Status, Status)>) {
        let now = self.now;
        match held {
            None => {
                self.stats.clusters += 1;
                let ground_truth = self.ground_truth(&cluster.name);
                (ground_truth.user, ground_truth.groups, ground_truth.touched_at) =
                    (cluster.user.clone(), cluster.groups.clone(), now);
                ground_truth.asked_at = now;
            }
            Some((_, Status::Running)) if !cluster.wants_to_run() => {
                if let Some(reason) = &cluster.reason {
                    self.check_end(&cluster.name, cluster.target, reason);
                }
            }
            Some((_, target)) if target != Status::Running && cluster.wants_to_run() => {
                self.breach("a cluster rose again", short(&cluster.name).into());
            }
            Some(_) => {}
        }
        if cluster.worker_failures > 0 {
            self.say(|| format!("  {} has {} failed workers", short(&cluster.name), cluster.worker_failures));
        }
        let was = held.map(|(status, _)| status);
        if was == Some(cluster.status) {
            return;
        }
        self.say(|| format!("  {} is {}", short(&cluster.name), cluster.status.as_str()));
        if cluster.status == Status::Running {
            if !self.routes.contains_key(&cluster.name) {
                self.breach("RUNNING without a route", short(&cluster.name).into());
            }
            if !self.ground_truths.get(&cluster.name).is_some_and(|s| s.ran) {
                self.stats.running += 1;
            }
            let ground_truth = self.ground_truth(&cluster.name);
            (ground_truth.ran, ground_truth.touched_at) = (true, now);
        }
    }
}
