//! Limits that were lowered under what runs: the newest clusters lose first.

use super::{Ceiling, Effective, Measure, counted, of_a_cluster};
use crate::model::{Cluster, Counts, Ms, Reason, ReasonCode, Scope, Shrink};
use std::collections::HashMap;

/// What a cluster has too much.
#[derive(Clone, Debug, PartialEq)]
pub struct Excess {
    /// So many workers may stay.
    keep: u32,
    /// The cluster itself is too much.
    end: bool,
    /// The limit.
    pub ceiling: Ceiling,
    /// Under which counter; none = a limit of the single cluster.
    pub scope: Option<Scope>,
    /// What older clusters have under it.
    older: i64,
}

impl Excess {
    /// As it is written down; the same as before if nothing changed, and a shorter wait never.
    pub fn shrink(self, cluster: &Cluster, now: Ms) -> Shrink {
        let before = cluster.shrink.as_ref();
        if let Some(before) = before.filter(|s| (s.keep, s.end) == (self.keep, self.end)) {
            return before.clone();
        }
        let since = before.filter(|s| self.keep >= s.keep && s.end == self.end).map_or(now, |s| s.since);
        let (limit, of) = (&self.ceiling, self.ceiling.measure);
        let have = cluster.reserved.counts.workers;
        let older = match (&self.scope, self.older) {
            (None, _) | (_, 0) => String::new(),
            (Some(_), older) => format!(" (older clusters have {})", of.text(older)),
        };
        let message = match self.end {
            true => format!("the limit {limit} was lowered and leaves no room for this cluster{older}"),
            false => format!(
                "the limit {limit} was lowered and leaves {} of this cluster's {have} workers{older}",
                self.keep
            ),
        };
        let reason = Reason::new(ReasonCode::LimitLowered, message);
        let reason = reason.with("limit", limit.value).with("keep", i64::from(self.keep)).with("workers", have);
        Shrink { keep: self.keep, end: self.end, since, reason }
    }
}

/// What is over a limit, of the clusters that are to stay: oldest first, each has what the older ones leave it.
pub fn excesses(clusters: &[Option<(&Cluster, &Effective)>]) -> Vec<Option<Excess>> {
    let mut excesses = vec![None; clusters.len()];
    let mut oldest_first: Vec<(usize, &Cluster, &Effective)> =
        clusters.iter().enumerate().filter_map(|(at, row)| row.map(|(c, l)| (at, c, l))).collect();
    oldest_first.sort_by_key(|(_, c, _)| (c.created_at, &c.name));
    let mut used: HashMap<&Scope, Counts> = HashMap::new();
    for (at, cluster, limits) in oldest_first {
        let excess = excess(cluster, limits, &used);
        let workers = match &excess {
            Some(excess) if excess.end => None,
            Some(excess) => Some(i64::from(excess.keep)),
            None => Some(cluster.reserved.counts.workers),
        };
        if let Some(workers) = workers {
            let kept = Counts::CLUSTER + cluster.config.worker_unit() * workers;
            for key in &cluster.reserved.keys {
                let used = used.entry(key).or_default();
                *used = *used + kept;
            }
        }
        excesses[at] = excess;
    }
    excesses
}

/// The limit that leaves this cluster least, if that is less than it has.
fn excess(cluster: &Cluster, limits: &Effective, used: &HashMap<&Scope, Counts>) -> Option<Excess> {
    let (unit, have) = (cluster.config.worker_unit(), cluster.reserved.counts.workers);
    let left =
        |ceiling: i64, used: i64, measure: Measure| (ceiling.saturating_sub(used).max(0)) / measure.of(&unit).max(1);
    let mut tightest: Option<Excess> = None;
    let mut consider = |keep: i64,
                        end: bool,
                        scope: Option<&Scope>,
                        older: i64,
                        ceiling: &dyn Fn() -> Option<Ceiling>| {
        let tighter = tightest.as_ref().is_none_or(|t| (!end, keep) < (!t.end, i64::from(t.keep)));
        if (end || keep < have)
            && tighter
            && let Some(ceiling) = ceiling()
        {
            tightest =
                Some(Excess { keep: if end { 0 } else { keep as u32 }, end, ceiling, scope: scope.cloned(), older });
        }
    };
    for ceiling in of_a_cluster(limits) {
        consider(left(ceiling.value, 0, ceiling.measure), false, None, 0, &|| Some(ceiling.clone()));
    }
    for key in &cluster.reserved.keys {
        let (ceiling, used) = (limits.ceiling(key), used.get(key).copied().unwrap_or_default());
        for measure in Measure::ALL {
            let (most, used) = (measure.of(&ceiling), measure.of(&used));
            let (keep, end) = match measure {
                Measure::Clusters => (have, used >= most),
                _ => (left(most, used, measure), false),
            };
            consider(keep, end, Some(key), used, &|| counted(limits, key, measure));
        }
    }
    tightest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::effective;
    use crate::model::{ClusterName, Limits, Sealed, Status, UserKey};
    use std::collections::BTreeMap;

    /// The `n`th cluster of a user who is in group a: RUNNING, with so many workers.
    fn cluster_of(user: &str, n: i64, workers: i64) -> Cluster {
        let now = 1_795_273_200_000 + n;
        let name = ClusterName::mint(&UserKey::from_digest(&[7; 6]), now, n as u64);
        let tls_key = Sealed { key_id: "k1".into(), data: String::new() };
        let mut cluster = Cluster::new(name, user, &["a".into()], String::new(), tls_key, now);
        cluster.status = Status::Running;
        cluster.running_at = Some(now);
        cluster.reserved.counts = cluster.reserved.counts + cluster.config.worker_unit() * workers;
        cluster
    }

    /// Limit items, by their sort keys.
    fn items(list: &[(&str, Limits)]) -> BTreeMap<Scope, Limits> {
        list.iter().map(|(scope, limits)| (Scope::try_from((*scope).to_owned()).unwrap(), limits.clone())).collect()
    }

    /// What becomes of alice's clusters, oldest first, of so many workers each; the second number is the group's index.
    fn lowered(workers: &[i64], limits: &[(&str, Limits)]) -> Vec<String> {
        let clusters: Vec<Cluster> =
            workers.iter().enumerate().map(|(n, w)| cluster_of("alice", n as i64, *w)).collect();
        let limits = effective("alice", &["a".into()], &items(limits));
        // the order of the index is none
        let rows: Vec<_> = clusters.iter().rev().map(|c| Some((c, &limits))).collect();
        let mut said: Vec<String> = excesses(&rows)
            .into_iter()
            .zip(clusters.iter().rev())
            .map(|(excess, cluster)| excess.map_or("-".to_owned(), |e| e.shrink(cluster, 9).reason.message))
            .collect();
        said.reverse();
        said
    }

    #[test]
    fn a_cluster_that_is_to_end_leaves_its_room_to_younger_ones() {
        let none = Limits { clusters: Some(0), ..Limits::default() };
        let one = Limits { total_clusters: Some(1), ..Limits::default() };
        let items = items(&[("user:alice", none), ("group:a", one)]);
        let (alice, bob) = (cluster_of("alice", 0, 2), cluster_of("bob", 1, 2));
        let limits = |user: &str| effective(user, &["a".into()], &items);
        let (of_alice, of_bob) = (limits("alice"), limits("bob"));
        let excesses = excesses(&[Some((&alice, &of_alice)), Some((&bob, &of_bob))]);
        let ends: Vec<_> = excesses.iter().map(|excess| excess.as_ref().map(|excess| excess.end)).collect();
        assert_eq!(ends, [Some(true), None]);
    }

    #[test]
    fn of_two_limits_the_tighter_is_named_whichever_comes_first() {
        for (of_cluster, of_user, named) in [(2, 1, "`workers`"), (1, 2, "`cluster_workers`")] {
            let both = Limits { cluster_workers: Some(of_cluster), workers: Some(of_user), ..Limits::default() };
            let said = lowered(&[3], &[("default", both)]).remove(0);
            assert!(said.contains(named), "{said}");
        }
    }

    #[test]
    fn of_two_limits_that_are_equally_tight_the_clusters_own_is_named() {
        let both = Limits { cluster_workers: Some(2), workers: Some(2), ..Limits::default() };
        let said = lowered(&[3], &[("default", both)]).remove(0);
        assert!(said.contains("`cluster_workers`"), "{said}");
    }

    #[test]
    fn the_newest_clusters_lose_first() {
        let workers = |n| Limits { workers: Some(n), ..Limits::default() };
        assert_eq!(lowered(&[4, 3, 2], &[("user:alice", workers(9))]), ["-", "-", "-"]);
        insta::assert_snapshot!(lowered(&[4, 3, 2], &[("user:alice", workers(5))]).join("\n"), @r"
        -
        the limit `workers` = 5 of user:alice was lowered and leaves 1 of this cluster's 3 workers (older clusters have 4)
        the limit `workers` = 5 of user:alice was lowered and leaves 0 of this cluster's 2 workers (older clusters have 5)
        ");
    }

    #[test]
    fn every_limit_counts_and_is_named() {
        let cores = Limits { cores: Some(2.5), ..Limits::default() };
        let total = Limits { total_memory: Some(6 << 30), ..Limits::default() };
        let each = Limits { cluster_workers: Some(1), ..Limits::default() };
        insta::assert_snapshot!(lowered(&[4], &[("default", cores)])[0], @"the limit `cores` = 2.5 of default was lowered and leaves 2 of this cluster's 4 workers");
        insta::assert_snapshot!(lowered(&[2, 4], &[("group:a", total)])[1], @"the limit `total_memory` = 6 GiB of group:a was lowered and leaves 1 of this cluster's 4 workers (older clusters have 4 GiB)");
        insta::assert_snapshot!(lowered(&[4], &[("group:a", each)])[0], @"the limit `cluster_workers` = 1 of group:a was lowered and leaves 1 of this cluster's 4 workers");
    }

    #[test]
    fn clusters_over_their_number_end_and_what_they_have_counts_for_nobody() {
        let both = Limits { clusters: Some(2), workers: Some(9), ..Limits::default() };
        insta::assert_snapshot!(lowered(&[4, 5, 7], &[("user:alice", both)]).join("\n"), @r"
        -
        -
        the limit `clusters` = 2 of user:alice was lowered and leaves no room for this cluster (older clusters have 2)
        ");
        let total = Limits { total_clusters: Some(0), ..Limits::default() };
        insta::assert_snapshot!(lowered(&[0], &[("group:a", total)])[0], @"the limit `total_clusters` = 0 of group:a was lowered and leaves no room for this cluster");
    }

    #[test]
    fn what_is_known_is_not_written_again_and_less_to_keep_is_a_new_matter() {
        let mut cluster = cluster_of("alice", 1, 5);
        let excess = |keep, value| Excess {
            keep,
            end: false,
            ceiling: Ceiling { field: "workers", measure: Measure::Workers, value, from: Scope::Default },
            scope: Some(Scope::User("alice".into())),
            older: 0,
        };
        let first = excess(3, 3).shrink(&cluster, 100);
        cluster.shrink = Some(first.clone());
        cluster.reserved.counts.workers = 4;
        assert_eq!(excess(3, 3).shrink(&cluster, 200), first);
        assert_eq!(excess(2, 2).shrink(&cluster, 200).since, 200);
        assert_eq!(excess(4, 4).shrink(&cluster, 200).since, 100);
    }
}
