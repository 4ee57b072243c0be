//! What was used, and what it cost: by user, month and cluster.

use super::{ClusterName, Month, Ms, Rates, TaskFacts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::{Add, AddAssign, Neg, Sub};

/// What was used, and its price. Signed: a correction is a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// On demand: thousandths of a vCPU, times milliseconds.
    pub millicore_ms: i64,
    /// On demand: MiB of memory, times milliseconds.
    pub mib_ms: i64,
    /// The same on Spot.
    pub spot_millicore_ms: i64,
    /// The same on Spot.
    pub spot_mib_ms: i64,
    /// Billionths of a US dollar.
    pub nanousd: i64,
}

impl Amount {
    /// Nothing.
    pub fn is_zero(&self) -> bool {
        *self == Amount::default()
    }

    /// US dollars.
    pub fn usd(&self) -> f64 {
        self.nanousd as f64 / 1e9
    }
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, o: Amount) -> Amount {
        Amount {
            millicore_ms: self.millicore_ms.saturating_add(o.millicore_ms),
            mib_ms: self.mib_ms.saturating_add(o.mib_ms),
            spot_millicore_ms: self.spot_millicore_ms.saturating_add(o.spot_millicore_ms),
            spot_mib_ms: self.spot_mib_ms.saturating_add(o.spot_mib_ms),
            nanousd: self.nanousd.saturating_add(o.nanousd),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, o: Amount) {
        *self = *self + o;
    }
}

impl Neg for Amount {
    type Output = Amount;
    fn neg(self) -> Amount {
        Amount {
            millicore_ms: self.millicore_ms.saturating_neg(),
            mib_ms: self.mib_ms.saturating_neg(),
            spot_millicore_ms: self.spot_millicore_ms.saturating_neg(),
            spot_mib_ms: self.spot_mib_ms.saturating_neg(),
            nanousd: self.nanousd.saturating_neg(),
        }
    }
}

impl Sub for Amount {
    type Output = Amount;
    fn sub(self, o: Amount) -> Amount {
        self + -o
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::default(), Add::add)
    }
}

/// A cluster's share of its user's ledger for one month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The month.
    pub month: Month,
    /// Whose.
    pub user: String,
    /// Which cluster.
    pub cluster: ClusterName,
    /// What its tasks that have ended used in that month.
    pub amount: Amount,
}

/// The size of a task, as it is billed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metered {
    /// Thousandths of a vCPU.
    pub millicores: i64,
    /// Memory in MiB.
    pub mib: i64,
    /// On Spot.
    pub spot: bool,
    /// At these prices.
    pub rates: Rates,
}

/// From when to when a task is billed, as AWS does: from the beginning of the image pull (where there is no image: from its start) to
/// its end, and at least `minimum` ("AWS Fargate pricing": a minute). None while there is nothing to bill. One that runs is billed until `now`.
pub fn billed_time(facts: &TaskFacts, now: Ms, minimum: Ms) -> Option<(Ms, Ms)> {
    let from = facts.pulled_at.or(facts.started_at)?;
    let to = facts.stopped_at.unwrap_or(now);
    Some((from, to.max(from.saturating_add(minimum))))
}

impl Metered {
    /// What it uses from one moment to another, split at the months' ends.
    pub fn bill(&self, from: Ms, to: Ms) -> BTreeMap<Month, Amount> {
        let mut bill = BTreeMap::new();
        let mut at = from;
        while at < to {
            let month = Month::of(at);
            let until = to.min(month.end());
            bill.insert(month, self.amount(until - at));
            at = until;
        }
        bill
    }

    /// What it uses in so many milliseconds.
    pub fn amount(&self, ms: Ms) -> Amount {
        let (millicore_ms, mib_ms) = (self.millicores.saturating_mul(ms), self.mib.saturating_mul(ms));
        let (vcpu_hour, gib_hour) = match self.spot {
            true => (self.rates.spot_vcpu_hour, self.rates.spot_gib_hour),
            false => (self.rates.vcpu_hour, self.rates.gib_hour),
        };
        let vcpu_hours = millicore_ms as f64 / 3.6e9;
        let gib_hours = mib_ms as f64 / (1024.0 * 3.6e6);
        let nanousd = ((vcpu_hours * vcpu_hour + gib_hours * gib_hour) * 1e9).round() as i64;
        match self.spot {
            true => Amount { spot_millicore_ms: millicore_ms, spot_mib_ms: mib_ms, nanousd, ..Amount::default() },
            false => Amount { millicore_ms, mib_ms, nanousd, ..Amount::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(spot: bool) -> Metered {
        // us-east-1
        let rates = Rates { vcpu_hour: 0.04048, gib_hour: 0.004445, spot_vcpu_hour: 0.012, spot_gib_hour: 0.0013 };
        Metered { millicores: 2000, mib: 4096, spot, rates }
    }

    #[test]
    fn an_hour_costs_what_aws_says() {
        let hour = 3_600_000;
        assert_eq!(task(false).amount(hour).nanousd, 98_740_000); // 2 × 0.04048 + 4 × 0.004445
        let spot = task(true).amount(hour);
        assert_eq!((spot.nanousd, spot.millicore_ms, spot.spot_mib_ms), (29_200_000, 0, 4096 * hour));
    }

    #[test]
    fn a_bill_is_split_at_the_months_end() {
        let november: Month = "2026-11".parse().unwrap();
        let bill = task(false).bill(november.end() - 5, november.end() + 7);
        let ms: Vec<i64> = bill.values().map(|amount| amount.mib_ms / 4096).collect();
        assert_eq!(
            (bill.keys().map(Month::to_string).collect::<Vec<_>>().join(" "), ms),
            ("2026-11 2026-12".into(), vec![5, 7])
        );
        assert_eq!(task(false).bill(9, 9), BTreeMap::new());
    }
}
