//! Units of numbers: memory in GiB, durations in minutes.

use super::target::Target;
use crate::model::parse_size;
use serde_json::{Value, json};

/// The settings that are durations, in seconds.
const DURATIONS: [&str; 4] = ["adaptive_period", "idle_timeout", "no_client_timeout", "lifetime"];

/// Spellings of the units of time, and their seconds.
const TIMES: [(&[&str], f64); 4] = [
    (&["s", "sec", "second", "seconds"], 1.0),
    (&["min", "minute", "minutes"], 60.0),
    (&["h", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
];

/// Bytes and more of them than a machine has: a number beyond is refused by its unit, not by what it overflows.
const MOST_BYTES: f64 = (1u64 << 60) as f64;

/// What a setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Bytes.
    Memory,
    /// Seconds.
    Duration,
}

impl Quantity {
    /// What the setting counts that a choice goes to; none = it has no unit.
    pub fn of(target: &Target) -> Option<Quantity> {
        match target {
            Target::Setting(name) if name.ends_with("_memory") => Some(Quantity::Memory),
            Target::Setting(name) if DURATIONS.contains(&name.as_str()) => Some(Quantity::Duration),
            Target::Setting(_) | Target::Variable(_) => None,
        }
    }
}

/// The unit of an option's numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// As it was declared, for sentences.
    pub name: String,
    quantity: Quantity,
    /// Bytes or seconds of one.
    factor: f64,
}

impl Unit {
    /// Reads the declared name of a unit of what `target` counts. Units of memory are binary, as everywhere here (GB is GiB).
    pub fn parse(name: &str, target: &Target) -> Result<Unit, String> {
        let compact = name.trim().to_ascii_lowercase();
        let unit = |quantity, factor| Unit { name: name.trim().to_owned(), quantity, factor };
        match Quantity::of(target) {
            Some(Quantity::Memory) if compact == "byte" || compact == "bytes" => Ok(unit(Quantity::Memory, 1.0)),
            Some(Quantity::Memory) if !compact.is_empty() => parse_size(&format!("1 {compact}"))
                .map(|bytes| unit(Quantity::Memory, bytes as f64))
                .map_err(|_| format!("`unit` must be one of B, KiB, MiB, GiB, TiB, not `{name}`")),
            Some(Quantity::Duration) => TIMES
                .iter()
                .find(|(names, _)| names.contains(&compact.as_str()))
                .map(|(_, seconds)| unit(Quantity::Duration, *seconds))
                .ok_or_else(|| format!("`unit` must be one of seconds, minutes, hours, days, not `{name}`")),
            Some(Quantity::Memory) => Err("`unit` must be one of B, KiB, MiB, GiB, TiB, not nothing".into()),
            None => Err("`unit` is for options that set memory or a duration".into()),
        }
    }

    /// A number of this unit as the setting has it: whole bytes, or seconds. Other values stay as they are.
    pub fn to_setting(&self, value: &Value) -> Result<Value, String> {
        let Some(number) = value.as_f64() else { return Ok(value.clone()) };
        let base = number * self.factor;
        match self.quantity {
            Quantity::Memory if (0.0..MOST_BYTES).contains(&base) => Ok(json!(base.round() as u64)),
            Quantity::Memory => {
                Err(format!("must be from 0 to {} {}, not {value}", MOST_BYTES / self.factor, self.name))
            }
            Quantity::Duration => Ok(json!(base)),
        }
    }

    /// Bytes or seconds as a number of this unit.
    pub fn of_setting(&self, base: f64) -> f64 {
        base / self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, setting: &str) -> Result<Unit, String> {
        Unit::parse(name, &Target::Setting(setting.into()))
    }

    #[test]
    fn memory_is_binary_and_durations_are_seconds() {
        for (name, setting, value, is) in [
            ("GiB", "worker_memory", json!(4), json!(4u64 << 30)),
            ("G", "scheduler_memory", json!(0.5), json!(1u64 << 29)),
            ("gb", "cluster_max_memory", json!(2.0), json!(2u64 << 30)),
            ("MiB", "worker_memory", json!(1536), json!(1536u64 << 20)),
            ("bytes", "worker_memory", json!(1 << 30), json!(1u64 << 30)),
            ("minutes", "idle_timeout", json!(30), json!(1800.0)),
            ("hours", "lifetime", json!(1.5), json!(5400.0)),
            ("s", "adaptive_period", json!(3), json!(3.0)),
        ] {
            assert_eq!(unit(name, setting).unwrap().to_setting(&value), Ok(is), "{value} {name}");
        }
        assert_eq!(unit("GiB", "worker_memory").unwrap().of_setting(1.5 * (1u64 << 30) as f64), 1.5);
    }

    #[test]
    fn what_is_no_unit_or_no_memory_is_refused() {
        assert!(unit("GiB", "worker_cores").unwrap_err().contains("memory or a duration"));
        assert!(unit("GiB", "lifetime").unwrap_err().contains("seconds, minutes"));
        assert!(unit("hours", "worker_memory").unwrap_err().contains("MiB, GiB"));
        assert!(unit("", "worker_memory").is_err());
        let gib = unit("GiB", "worker_memory").unwrap();
        assert_eq!(gib.to_setting(&json!(-1)).unwrap_err(), "must be from 0 to 1073741824 GiB, not -1");
        assert!(gib.to_setting(&json!(1e300)).is_err());
    }
}
