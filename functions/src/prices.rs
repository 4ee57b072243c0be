//! What Fargate costs in each region: `infra/prices/fargate.json`, whose date and source it names.

use faregate::model::{Prices, Rates};
use serde::Deserialize;
use std::collections::BTreeMap;

const LIST: &str = include_str!("../../infra/prices/fargate.json");

/// A region that is not in the list has the prices of this one.
const OTHERWISE: &str = "us-east-1";

#[derive(Deserialize)]
struct List {
    regions: BTreeMap<String, Region>,
}

#[derive(Clone, Copy, Deserialize)]
struct Region {
    x86_64: Rates,
    arm64: Rates,
}

/// List prices of a region, for tasks that are `ARM64` or `X86_64` unless they say otherwise.
pub(crate) fn list_prices(region: &str, cpu_architecture: &str) -> Result<Prices, serde_json::Error> {
    let list: List = serde_json::from_str(LIST)?;
    let found = list.regions.get(region).or_else(|| {
        tracing::warn!(region, "no list prices of this region are known: those of {OTHERWISE} are taken");
        list.regions.get(OTHERWISE)
    });
    let Some(Region { x86_64, arm64 }) = found.copied() else { return Ok(Prices::default()) };
    Ok(Prices { default: if cpu_architecture == "ARM64" { arm64 } else { x86_64 }, x86_64, arm64 })
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
        let arm = list_prices("us-east-1", "ARM64").unwrap();
        assert_eq!((arm.default.vcpu_hour, arm.x86_64.vcpu_hour), (0.03238, 0.04048));
        assert_eq!(list_prices("mars-north-1", "X86_64").unwrap(), list_prices("us-east-1", "X86_64").unwrap());
    }
}
