//! What Fargate costs in each region: `infra/prices/fargate.json`, whose date and source it names.

use super::{Prices, Rates};
use serde::Deserialize;
use std::collections::BTreeMap;

const LIST: &str = include_str!("../../../../infra/prices/fargate.json");

#[derive(Deserialize)]
struct List {
    regions: BTreeMap<String, Region>,
}

#[derive(Clone, Copy, Deserialize)]
struct Region {
    x86_64: Rates,
    arm64: Rates,
}

impl Prices {
    /// List prices of an AWS region, for tasks that are `ARM64` or `X86_64` unless they say otherwise; none = the region is not listed.
    /// An error says that the list itself cannot be read.
    pub fn listed(region: &str, cpu_architecture: &str) -> Result<Option<Self>, serde_json::Error> {
        let list: List = serde_json::from_str(LIST)?;
        Ok(list.regions.get(region).map(|Region { x86_64, arm64 }| {
            let default = if cpu_architecture == "ARM64" { arm64 } else { x86_64 };
            Prices { default: *default, x86_64: *x86_64, arm64: *arm64 }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_prices_that_make_sense() {
        let list: List = serde_json::from_str(LIST).unwrap();
        assert!(list.regions.len() > 20);
        for (name, region) in &list.regions {
            for rates in [region.x86_64, region.arm64] {
                assert!(rates.vcpu_hour > 0.03 && rates.vcpu_hour < 0.08, "{name}");
                assert!(rates.gib_hour > 0.003 && rates.gib_hour < 0.009, "{name}");
                assert!(rates.spot_vcpu_hour < rates.vcpu_hour && rates.spot_gib_hour < rates.gib_hour, "{name}");
            }
            assert!(region.arm64.vcpu_hour < region.x86_64.vcpu_hour, "{name}");
        }
    }

    #[test]
    fn the_deployments_architecture_is_the_default() {
        let arm = Prices::listed("us-east-1", "ARM64").unwrap().unwrap();
        assert_eq!((arm.default.vcpu_hour, arm.x86_64.vcpu_hour), (0.03238, 0.04048));
        assert_eq!(Prices::listed("mars-north-1", "X86_64").unwrap(), None);
    }
}
