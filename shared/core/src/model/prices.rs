//! What a task costs.

use serde::{Deserialize, Serialize};

/// Prices in US dollars. All zero unless configured: a machine of one's own costs nothing by the hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// Of tasks whose launch names no architecture.
    pub default: Rates,
    /// Of `ARM64`.
    pub arm64: Rates,
    /// Of `X86_64`.
    pub x86_64: Rates,
}

/// Prices of one architecture, in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// A vCPU for an hour.
    pub vcpu_hour: f64,
    /// A GiB of memory for an hour.
    pub gib_hour: f64,
    /// A vCPU for an hour, on Spot.
    pub spot_vcpu_hour: f64,
    /// A GiB of memory for an hour, on Spot.
    pub spot_gib_hour: f64,
}

impl Prices {
    /// Those of an architecture (`ARM64`, `X86_64`; none = the deployment's).
    pub fn of(&self, cpu_architecture: Option<&str>) -> &Rates {
        match cpu_architecture {
            Some("ARM64") => &self.arm64,
            Some("X86_64") => &self.x86_64,
            _ => &self.default,
        }
    }
}
