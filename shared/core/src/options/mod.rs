//! Cluster options: what users may choose, declared as data, and what a choice makes of a cluster's configuration.

mod allowed;
mod declare;
mod field;
mod json;
mod sizes;
mod target;
#[cfg(test)]
mod tests;
mod unit;

pub use declare::DECLARATION_KEYS;
pub use field::{Field, Kind};
pub use json::parse_json;

use crate::did_you_mean;
use crate::model::{ClusterConfig, TaskSizes};
use field::Choice;
use serde_json::{Map, Value, json};
use target::Overrides;

/// The options there are, in the order they are declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    fields: Vec<Field>,
    sizes: TaskSizes,
}

/// A declaration that cannot be used: names the option.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("option `{option}`: {problem}")]
pub struct InvalidDeclaration {
    /// Its `field`, or its place in the list.
    pub option: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A choice that is refused: names the field, and the limit.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidOption(pub String);

impl Options {
    /// Reads declarations, as they stand under `[[options]]`; every default is tried on `base`.
    pub fn declare(declarations: &[Value], base: &ClusterConfig) -> Result<Self, InvalidDeclaration> {
        let mut options = Options::default();
        for (n, declaration) in declarations.iter().enumerate() {
            let field = declare::field(declaration, n)?;
            let fail = |problem: String| InvalidDeclaration { option: field.field.clone(), problem };
            if options.fields.iter().any(|f| f.field == field.field) {
                return Err(fail("is declared twice".into()));
            }
            for (value, what) in field.values_to_try() {
                let tried = field.check(&value).and_then(|choice| {
                    let mut overrides = Overrides::new(base)?;
                    field.choose(&choice, &mut overrides)?;
                    overrides.finish()
                });
                tried.map_err(|e| fail(format!("its {what} cannot be used: {e}")))?;
            }
            options.fields.push(field);
        }
        Ok(options)
    }

    /// Tasks have these sizes only: choices are moved up to the nearest, and say so.
    pub fn with_sizes(mut self, sizes: TaskSizes) -> Self {
        self.sizes = sizes;
        self
    }

    /// The list `cluster_options` of `GET /api/v1/options`, as the official client reads it.
    pub fn describe(&self) -> Value {
        let described = self
            .fields
            .iter()
            .map(|f| json!({ "field": f.field, "label": self.label(f), "default": f.default, "spec": f.spec() }));
        Value::Array(described.collect())
    }

    /// Applies a user's choices to the server's settings: the choices, normalised and completed by the defaults, and the
    /// configuration they come to.
    pub fn apply(
        &self,
        request: &Map<String, Value>,
        base: &ClusterConfig,
    ) -> Result<(Map<String, Value>, ClusterConfig), InvalidOption> {
        if let Some(unknown) = request.keys().find(|key| !self.fields.iter().any(|f| f.field == **key)) {
            return Err(self.unknown(unknown));
        }
        let mut normalised = Map::new();
        let mut overrides = Overrides::new(base)?;
        for field in &self.fields {
            let Choice { value } = match request.get(&field.field) {
                Some(value) => field.check(value)?,
                None => Choice { value: field.default.clone() },
            };
            field.choose(&Choice { value: value.clone() }, &mut overrides)?;
            normalised.insert(field.field.clone(), value);
        }
        let mut config = overrides.finish()?;
        config.fit(self.sizes).map_err(|e| InvalidOption(e.to_string()))?;
        for field in &self.fields {
            if let Some(value) = normalised.get_mut(&field.field) {
                let chosen = value.clone();
                field.tell_size(value, &config);
                field.permit(&chosen, value)?;
            }
        }
        Ok((normalised, config))
    }

    fn label(&self, field: &Field) -> String {
        match self.sizes {
            TaskSizes::Fargate if field.sets_size() => format!("{} (moved up to a size that Fargate has)", field.label),
            _ => field.label.clone(),
        }
    }

    fn unknown(&self, key: &str) -> InvalidOption {
        let shown: String = key.chars().take(64).collect();
        let known = self.fields.iter().map(|f| f.field.as_str());
        let near = did_you_mean(&shown, known.clone());
        let all: Vec<String> = known.map(|field| format!("`{field}`")).collect();
        InvalidOption(match (near.is_empty(), all.is_empty()) {
            (_, true) => format!("there is no option `{shown}`: this gateway has none"),
            (true, false) => format!("there is no option `{shown}`; the options are {}", all.join(", ")),
            (false, false) => format!("there is no option `{shown}`{near} The options are {}", all.join(", ")),
        })
    }
}
