//! Where a choice goes: a setting of the cluster, or a variable of its environment.

use super::InvalidOption;
use super::field::kind_of;
use crate::model::{ClusterConfig, parse_size};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What an option sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A field of [`ClusterConfig`].
    Setting(String),
    /// `environment.NAME`.
    Variable(String),
}

impl Target {
    /// `worker_cores`, `environment.NAME`; none when there is no such setting.
    pub fn parse(text: &str) -> Option<Target> {
        if let Some(variable) = text.strip_prefix("environment.") {
            return is_variable(variable).then(|| Target::Variable(variable.to_owned()));
        }
        let defaults = serde_json::to_value(ClusterConfig::default()).ok()?;
        defaults.get(text).map(|_| Target::Setting(text.to_owned()))
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.contains(|c: char| c == '=' || c.is_control())
}

/// A configuration while choices are made: its fields by name.
pub(super) struct Overrides {
    settings: Map<String, Value>,
    /// Which option set which.
    set_by: BTreeMap<String, String>,
}

impl Overrides {
    pub fn new(base: &ClusterConfig) -> Result<Self, InvalidOption> {
        match serde_json::to_value(base) {
            Ok(Value::Object(settings)) => Ok(Overrides { settings, set_by: BTreeMap::new() }),
            Ok(_) | Err(_) => Err(InvalidOption("the gateway's own settings cannot be read".into())),
        }
    }

    /// Sets one target, on behalf of the option `field`.
    pub fn set(&mut self, field: &str, target: &Target, value: &Value) -> Result<(), InvalidOption> {
        match target {
            Target::Variable(name) => self.variable(field, name, value),
            Target::Setting(setting) if setting == "environment" => {
                let Value::Object(variables) = value else {
                    return Err(InvalidOption(format!("`{field}` must be a mapping, not {}", kind_of(value))));
                };
                variables.iter().try_for_each(|(name, value)| self.variable(field, name, value))
            }
            Target::Setting(setting) => {
                let value = match value {
                    Value::String(text) if setting.ends_with("_memory") => {
                        json!(parse_size(text).map_err(|e| InvalidOption(format!("`{field}`: {e}")))?)
                    }
                    other => other.clone(),
                };
                if self.set_by.contains_key(setting) {
                    // it replaces another's, which must fit all the same
                    self.read()?;
                }
                self.set_by.insert(setting.clone(), field.to_owned());
                self.settings.insert(setting.clone(), value);
                Ok(())
            }
        }
    }

    fn variable(&mut self, field: &str, name: &str, value: &Value) -> Result<(), InvalidOption> {
        if !is_variable(name) {
            let name = name.escape_debug();
            return Err(InvalidOption(format!("`{field}`: `{name}` cannot be a variable's name")));
        }
        let text = match value {
            Value::String(text) if text.contains('\0') => {
                return Err(InvalidOption(format!("`{field}`: the value of `{name}` must be free of NUL characters")));
            }
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            other => {
                let kind = kind_of(other);
                return Err(InvalidOption(format!("`{field}`: the value of `{name}` must be a string, not {kind}")));
            }
        };
        if let Some(Value::Object(environment)) = self.settings.get_mut("environment") {
            environment.insert(name.to_owned(), json!(text));
        }
        Ok(())
    }

    /// The configuration. What does not fit is named by the option that set it.
    fn read(&self) -> Result<ClusterConfig, InvalidOption> {
        serde_path_to_error::deserialize(&self.settings).map_err(|error| {
            let (path, problem) = (error.path().to_string(), error.inner());
            let setting = path.split('[').next().unwrap_or_default();
            InvalidOption(match self.set_by.get(setting) {
                Some(field) => format!("`{field}` does not fit `{setting}`: {problem}"),
                None => format!("the options do not fit together: {problem}"),
            })
        })
    }

    /// The configuration, checked as a whole.
    pub fn finish(self) -> Result<ClusterConfig, InvalidOption> {
        let config = self.read()?;
        config.check().map_err(|e| InvalidOption(e.to_string()))?;
        Ok(config)
    }
}
