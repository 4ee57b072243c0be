//! What a start finds in its data directory, and whether that is one gateway's world as a whole.
//!
//! Whatever is missing beside what is there is said and refused: a gateway that went on would forget who may do what, or which
//! clusters run, and nobody would know.

use super::data_dir::DataDir;
use faregate_core::model::ClusterName;
use faregate_keys::{KeyRing, RingKey, Use};
use std::io;

/// The records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// No file.
    Missing,
    /// A file, and nothing was ever written into it.
    Empty,
    /// In use.
    Used,
}

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// `store.sqlite`.
    pub records: Records,
    /// `keys.json`.
    pub keys: bool,
    /// Directories of clusters.
    pub clusters: bool,
    /// `limits-from-config.json`, which earlier versions wrote.
    pub limits: bool,
}

/// Something is missing. What to do about it is part of the sentence.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Incomplete {
    /// Records are missing, or new, beside what only goes with older ones.
    #[error(
        "the data directory `{dir}` has {found}, and no records: `store.sqlite` is missing or empty. Put back a copy of \
         `store.sqlite` (with its `-wal`, if there is one). Or, to begin anew without the users, limits, budgets and clusters that it \
         held, move the directory away, or start with another `--data-dir`; clusters that still run must be ended by hand"
    )]
    NoRecords {
        /// The directory.
        dir: String,
        /// What it has.
        found: String,
    },
    /// The key ring is missing beside records in use.
    #[error(
        "the key ring `{dir}/keys.json` is missing, and `store.sqlite` beside it is in use: what the keys sealed cannot be opened \
         without them. Put back a copy of `keys.json`. Or, to go on with new keys, run `faregate admin keys rotate` on this data \
         directory: running clusters are then lost to their users, and everybody signs in again"
    )]
    NoKeys {
        /// The directory.
        dir: String,
    },
    /// The key ring belongs to other records.
    #[error(
        "the key ring `{dir}/keys.json` has none of the keys that `store.sqlite` was last used with ({known}): one of the two is from \
         another data directory. Put the right one back"
    )]
    OtherKeys {
        /// The directory.
        dir: String,
        /// Their fingerprints.
        known: String,
    },
}

impl Inventory {
    /// Looks. `records` is for whoever has the file open to say.
    pub fn look(data: &DataDir, records: Records) -> io::Result<Inventory> {
        let clusters = match std::fs::read_dir(data.file("clusters")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            other => other?.next().is_some(),
        };
        let there = |name| data.file(name).try_exists();
        Ok(Inventory { records, keys: there("keys.json")?, clusters, limits: there("limits-from-config.json")? })
    }

    /// May a gateway go on with it?
    pub fn judge(self, dir: &str) -> Result<(), Incomplete> {
        let dir = dir.to_owned();
        if self.records == Records::Used {
            return if self.keys { Ok(()) } else { Err(Incomplete::NoKeys { dir }) };
        }
        // the keys are made after the records: alone, they are what is left of more
        let alone = self.records == Records::Missing && self.keys;
        let found: Vec<&str> = [
            (self.keys && (alone || self.clusters || self.limits)).then_some("a key ring"),
            self.clusters.then_some("files of clusters"),
            self.limits.then_some("limits that were taken from a configuration file"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if found.is_empty() { Ok(()) } else { Err(Incomplete::NoRecords { dir, found: found.join(" and ") }) }
    }
}

/// Are these the keys that the records were last used with? `known`: fingerprints of those; empty at first.
pub fn check_keys(dir: &str, ring: &KeyRing, known: &[String]) -> Result<(), Incomplete> {
    if known.is_empty() || fingerprints(ring).iter().any(|key| known.contains(key)) {
        return Ok(());
    }
    Err(Incomplete::OtherKeys { dir: dir.to_owned(), known: known.join(", ") })
}

/// What tells keys apart, and tells nothing of them: each with the start of what it signs for a cluster that cannot be.
pub fn fingerprints(ring: &KeyRing) -> Vec<String> {
    let Ok(nobody) = "0".repeat(32).parse::<ClusterName>() else { return Vec::new() };
    let sign = |key: &RingKey| ring.token(&key.id, Use::Cluster, &nobody).ok();
    let short = |token: String| token.chars().take(token.find('-').unwrap_or(0) + 17).collect();
    ring.keys.iter().filter_map(sign).map(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_what_is_there_and_what_is_missing_has_its_answer() {
        let mut table = String::new();
        for records in [Records::Missing, Records::Empty, Records::Used] {
            for bits in 0..8u8 {
                let [keys, clusters, limits] = [1, 2, 4].map(|bit| bits & bit != 0);
                let inventory = Inventory { records, keys, clusters, limits };
                let answer = match inventory.judge("/d") {
                    Ok(()) => "goes on".to_owned(),
                    Err(Incomplete::NoRecords { found, .. }) => format!("no records, but {found}"),
                    Err(Incomplete::NoKeys { .. }) => "no keys".to_owned(),
                    Err(Incomplete::OtherKeys { .. }) => unreachable!(),
                };
                let has: Vec<&str> = [(keys, "keys"), (clusters, "clusters"), (limits, "limits")]
                    .into_iter()
                    .filter_map(|(has, name)| has.then_some(name))
                    .collect();
                table.push_str(&format!("records {records:?}, {}: {answer}\n", has.join(" ")));
            }
        }
        insta::assert_snapshot!(table, @r"
        records Missing, : goes on
        records Missing, keys: no records, but a key ring
        records Missing, clusters: no records, but files of clusters
        records Missing, keys clusters: no records, but a key ring and files of clusters
        records Missing, limits: no records, but limits that were taken from a configuration file
        records Missing, keys limits: no records, but a key ring and limits that were taken from a configuration file
        records Missing, clusters limits: no records, but files of clusters and limits that were taken from a configuration file
        records Missing, keys clusters limits: no records, but a key ring and files of clusters and limits that were taken from a configuration file
        records Empty, : goes on
        records Empty, keys: goes on
        records Empty, clusters: no records, but files of clusters
        records Empty, keys clusters: no records, but a key ring and files of clusters
        records Empty, limits: no records, but limits that were taken from a configuration file
        records Empty, keys limits: no records, but a key ring and limits that were taken from a configuration file
        records Empty, clusters limits: no records, but files of clusters and limits that were taken from a configuration file
        records Empty, keys clusters limits: no records, but a key ring and files of clusters and limits that were taken from a configuration file
        records Used, : no keys
        records Used, keys: goes on
        records Used, clusters: no keys
        records Used, keys clusters: goes on
        records Used, limits: no keys
        records Used, keys limits: goes on
        records Used, clusters limits: no keys
        records Used, keys clusters limits: goes on
        ");
    }

    #[test]
    fn keys_of_another_data_directory_are_refused_and_rotated_ones_are_not() {
        let ring = KeyRing::from_random(&[7; 64]);
        let known = fingerprints(&ring);
        assert!(known.len() == 1 && known[0].len() > 16, "{known:?}");
        assert_eq!(check_keys("/d", &ring, &[]), Ok(()));
        assert_eq!(check_keys("/d", &ring.rotated(&[8; 32]), &known), Ok(()));
        assert!(check_keys("/d", &KeyRing::from_random(&[9; 64]), &known).is_err());
    }
}
