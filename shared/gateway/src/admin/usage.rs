//! What everybody used in a month.

use super::super::spend::spent;
use super::super::{ServiceError, Used};
use super::{Admin, UsageRow};
use faregate_core::model::{Amount, ClusterName, Month};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A month of everybody's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsageOfAll {
    /// The month.
    pub month: Month,
    /// What each cluster used up to now, by user and oldest first. What used nothing is left out.
    pub usage: Vec<UsageRow>,
}

impl Admin {
    /// The ledger of a month, and what of it runs now.
    pub async fn usage(&self, month: Month) -> Result<UsageOfAll, ServiceError> {
        let mut amounts: BTreeMap<(String, ClusterName), (Amount, bool)> = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = self.store.ledger(month, None, cursor.as_deref()).await?;
            amounts.extend(page.items.into_iter().map(|entry| ((entry.user, entry.cluster), (entry.amount, false))));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let active = self.active(|_| true).await?;
        let users: BTreeMap<_, _> = active.into_iter().map(|c| (c.user, c.name.user_key())).collect();
        // exact for each user: whatever settles in between is counted once
        for (user, key) in users {
            let spent = spent(&*self.store, &*self.host, &self.policy, &user, &key, month).await?;
            let own =
                spent.clusters.into_iter().map(|(name, spent)| ((user.clone(), name), (spent.total(), spent.active)));
            amounts.extend(own);
        }
        let used = amounts.into_iter().filter(|(_, (amount, _))| !amount.is_zero());
        let usage = used
            .map(|((user, cluster), (amount, running))| UsageRow { month, user, cluster, used: amount.into(), running })
            .collect();
        Ok(UsageOfAll { month, usage })
    }
}

impl UsageOfAll {
    /// As comma-separated values (RFC 4180), with a line of names.
    pub fn csv(&self) -> String {
        let mut csv =
            "month,user,cluster,vcpu_hours,gib_hours,spot_vcpu_hours,spot_gib_hours,usd,running\r\n".to_owned();
        for row in &self.usage {
            let UsageRow { month, cluster, used, running, .. } = row;
            let Used { vcpu_hours, gib_hours, spot_vcpu_hours, spot_gib_hours, usd } = used;
            let user = quoted(&row.user);
            // writing to a text cannot fail
            let _ = write!(
                csv,
                "{month},{user},{cluster},{vcpu_hours},{gib_hours},{spot_vcpu_hours},{spot_gib_hours},{usd},{running}\r\n"
            );
        }
        csv
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_keys::KeyRing;

    #[test]
    fn csv_keeps_odd_names_in_their_column() {
        let month: Month = "2026-11".parse().unwrap();
        let cluster = ClusterName::mint(&KeyRing::from_random(&[7; 64]).user_key("x"), 1, 2);
        let amount =
            Amount { millicore_ms: 9_000_000_000, mib_ms: 1_024 * 3_600_000, nanousd: 12_000_000, ..Amount::default() };
        let row = |user: &str| UsageRow {
            month,
            user: user.into(),
            cluster: cluster.clone(),
            used: amount.into(),
            running: true,
        };
        let all = UsageOfAll { month, usage: vec![row("alice"), row("a, \"b\"")] };
        let lines =
            ["alice", "\"a, \"\"b\"\"\""].map(|user| format!("2026-11,{user},{cluster},2.5,1,0,0,0.012,true\r\n"));
        let names = "month,user,cluster,vcpu_hours,gib_hours,spot_vcpu_hours,spot_gib_hours,usd,running\r\n";
        assert_eq!(all.csv(), format!("{names}{}", lines.concat()));
    }
}
