//! A cluster's files and the room that they may take: near the limit its users are warned, over it the cluster ends.

use crate::model::{Reason, ReasonCode, format_size};

/// What the host found of a cluster's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes that they take.
    pub bytes: u64,
    /// Bytes that they may take.
    pub limit: u64,
    /// Why they could not be measured in full; none = they were.
    pub too_much: Option<String>,
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq)]
pub enum DiskVerdict {
    /// Nothing.
    Fine,
    /// Its users are told.
    Warn(Reason),
    /// It fails.
    End(Reason),
}

/// Checks one cluster. The warning says nothing that changes with every look: it would be told again each time.
pub fn check_disk(found: &DiskUse) -> DiskVerdict {
    let DiskUse { bytes, limit, too_much } = found;
    let shown = format_size(*limit);
    if let Some(why) = too_much {
        let message = format!("the cluster's files in the gateway's data directory cannot be measured: {why}");
        return DiskVerdict::End(Reason::new(ReasonCode::DiskLimit, message));
    }
    if bytes > limit {
        let message = format!(
            "the cluster's files in the gateway's data directory take {}, and the limit `cluster_max_disk` is {shown}",
            format_size(*bytes)
        );
        let reason = Reason::new(ReasonCode::DiskLimit, message);
        return DiskVerdict::End(reason.with("bytes", i64::try_from(*bytes).unwrap_or(i64::MAX)));
    }
    if bytes / 4 >= limit / 5 {
        let message = format!(
            "the cluster's files (spilled data, what its code writes into its working directory, logs) take more than four fifths of \
             the {shown} that `cluster_max_disk` allows; with more than all of it the cluster is stopped"
        );
        return DiskVerdict::Warn(Reason::new(ReasonCode::DiskLimit, message));
    }
    DiskVerdict::Fine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(bytes: u64, too_much: Option<&str>) -> String {
        match check_disk(&DiskUse { bytes, limit: 10 << 30, too_much: too_much.map(str::to_owned) }) {
            DiskVerdict::Fine => "fine".to_owned(),
            DiskVerdict::Warn(reason) => format!("warn: {}", reason.message),
            DiskVerdict::End(reason) => format!("end: {}", reason.message),
        }
    }

    #[test]
    fn a_cluster_is_warned_near_its_limit_and_ends_over_it() {
        insta::assert_snapshot!(checked((8 << 30) - 1, None), @"fine");
        assert!(checked(8 << 30, None).starts_with("warn"));
        assert!(checked(10 << 30, None).starts_with("warn"));
        insta::assert_snapshot!(checked(11 << 30, None), @"end: the cluster's files in the gateway's data directory take 11 GiB, and the limit `cluster_max_disk` is 10 GiB");
        insta::assert_snapshot!(checked(0, Some("directories lie more than 200 deep")), @"end: the cluster's files in the gateway's data directory cannot be measured: directories lie more than 200 deep");
    }
}
