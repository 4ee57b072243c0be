//! What a choice of size becomes where only some sizes exist.

use super::field::{Field, Kind};
use super::target::Target;
use crate::model::{ClusterConfig, format_size, parse_size};
use serde_json::{Value, json};

const SIZES: [&str; 4] = ["worker_cores", "worker_memory", "scheduler_cores", "scheduler_memory"];

impl Field {
    /// Does it set the cores or the memory of a task?
    pub(super) fn sets_size(&self) -> bool {
        matches!(&self.target, Some(Target::Setting(name)) if SIZES.contains(&name.as_str()))
    }

    /// A choice of cores or memory becomes what the task has got.
    pub(super) fn tell_size(&self, value: &mut Value, config: &ClusterConfig) {
        let Some(Target::Setting(setting)) = &self.target else { return };
        let (cores, memory) = match setting.as_str() {
            "worker_cores" => (Some(config.worker_cores), None),
            "scheduler_cores" => (Some(config.scheduler_cores), None),
            "worker_memory" => (None, Some(config.worker_memory)),
            "scheduler_memory" => (None, Some(config.scheduler_memory)),
            _ => return,
        };
        if let (Some(unit), Some(bytes)) = (&self.unit, memory) {
            if unit.to_setting(value).ok() != Some(json!(bytes)) {
                let number = unit.of_setting(bytes as f64);
                *value =
                    if matches!(self.kind, Kind::Int { .. }) { json!(number.ceil() as i64) } else { json!(number) };
            }
            return;
        }
        match (&self.kind, cores, memory) {
            (Kind::Int { .. }, Some(cores), _) if value.as_f64() != Some(cores) => *value = json!(cores.ceil() as i64),
            (Kind::Float { .. }, Some(cores), _) => *value = json!(cores),
            (Kind::String, _, Some(bytes)) if value.as_str().and_then(|text| parse_size(text).ok()) != Some(bytes) => {
                *value = json!(format_size(bytes));
            }
            (Kind::Int { .. }, _, Some(bytes)) => *value = json!(bytes),
            _ => {}
        }
    }
}
