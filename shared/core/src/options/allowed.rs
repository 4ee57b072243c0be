//! What a user may choose of the values there are: the limit `allowed`.

use super::field::{Field, Kind, is_key};
use super::target::Overrides;
use super::{InvalidOption, Options};
use crate::limits::LimitValue;
use crate::model::{ClusterConfig, Scope, parse_size};
use serde_json::Value;
use std::collections::BTreeMap;

/// The values that are allowed, and whose rule that is.
pub(super) type Allowed = LimitValue<Vec<Value>>;

impl Options {
    /// The options as a user with these allowed values has them: a default that is not allowed becomes the first value that is.
    pub fn within(&self, allowed: &BTreeMap<String, Allowed>, base: &ClusterConfig) -> Options {
        let mut options = self.clone();
        for field in &mut options.fields {
            let Some(rule) = allowed.get(&field.field) else { continue };
            if !rule.value.iter().any(|value| same(value, &field.default)) {
                // none: choosing nothing is then refused, by the rule's name
                field.default = field.first_usable(rule, base).unwrap_or(field.default.clone());
            }
            field.allowed = Some(rule.clone());
        }
        options
    }
}

impl Field {
    /// The first allowed value that can be a default: of a select, in the order of its keys.
    fn first_usable(&self, rule: &Allowed, base: &ClusterConfig) -> Option<Value> {
        let usable = |value: &Value| {
            let choice = self.check(value).ok()?;
            let mut overrides = Overrides::new(base).ok()?;
            self.choose(&choice, &mut overrides).ok()?;
            overrides.finish().ok()?;
            Some(choice.value)
        };
        match &self.kind {
            Kind::Select(alternatives) => {
                let keys = alternatives.iter().map(|a| a.key.as_str());
                let allowed = |key: &&str| rule.value.iter().any(|value| is_key(value, key));
                keys.filter(allowed).find_map(|key| usable(&key.into()))
            }
            _ => rule.value.iter().find_map(usable),
        }
    }

    /// May this select show that key? All of them where none is allowed, as the client breaks on a select without keys.
    pub(super) fn shows(&self, key: &str, keys: &[&str]) -> bool {
        self.allowed.as_ref().is_none_or(|rule| {
            let allowed = |key: &str| rule.value.iter().any(|value| is_key(value, key));
            allowed(key) || !keys.iter().any(|key| allowed(key))
        })
    }

    /// Refuses a value that is allowed neither as it was chosen nor as it came out.
    pub(super) fn permit(&self, chosen: &Value, resolved: &Value) -> Result<(), InvalidOption> {
        let Some(LimitValue { value: values, from }) = &self.allowed else { return Ok(()) };
        if values.iter().any(|value| same(value, chosen) || same(value, resolved)) {
            return Ok(());
        }
        Err(refusal(&self.field, resolved, values, from))
    }
}

fn refusal(field: &str, value: &Value, values: &[Value], from: &Scope) -> InvalidOption {
    let shown: Vec<String> = values.iter().map(|value| format!("`{}`", text(value))).collect();
    let allows = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
    let value = text(value);
    InvalidOption(format!(
        "`{field}` = `{value}` is not allowed: the limit `allowed` of {from} has {allows} for `{field}`"
    ))
}

fn text(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(64).collect()
}

/// Equal; numbers as numbers (1 is 1.0), and sizes as sizes ("2 G" is "2 GiB").
fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| value.as_f64();
    let size = |value: &Value| value.as_str().filter(|s| !s.bytes().all(|b| b.is_ascii_digit())).map(parse_size);
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        // the key of a select, which is a text, and the number that it reads as
        (Some(_), None) => b.as_str().is_some_and(|key| is_key(a, key)),
        (None, Some(_)) => a.as_str().is_some_and(|key| is_key(b, key)),
        _ => a == b || matches!((size(a), size(b)), (Some(Ok(a)), Some(Ok(b))) if a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared() -> Options {
        let list = json!([
            {"field": "worker_cores", "type": "int", "default": 1, "min": 1, "max": 8},
            {"field": "worker_memory", "type": "string", "default": "2 G"},
            {"field": "period", "type": "float", "default": 3, "target": "adaptive_period"},
            {"field": "profile", "type": "select", "options": [
                {"key": "small", "set": {"scheduler_cores": 1}},
                {"key": "medium", "set": {"scheduler_cores": 2}},
                {"key": "large", "set": {"scheduler_cores": 4}}]},
        ]);
        Options::declare(list.as_array().unwrap(), &ClusterConfig::default()).unwrap()
    }

    fn within(allowed: Value) -> Options {
        let allowed: BTreeMap<String, Vec<Value>> = serde_json::from_value(allowed).unwrap();
        let from = Scope::Group("a".into());
        let allowed = allowed.into_iter().map(|(f, value)| (f, LimitValue { value, from: from.clone() })).collect();
        declared().within(&allowed, &ClusterConfig::default())
    }

    fn apply(options: &Options, request: Value) -> Result<Value, String> {
        let applied = options.apply(request.as_object().unwrap(), &ClusterConfig::default());
        applied.map(|(normalised, _)| Value::Object(normalised)).map_err(|e| e.to_string())
    }

    #[test]
    fn a_select_shows_what_is_allowed_and_its_default_is() {
        let options = within(json!({"profile": ["large", "medium", "gone"]}));
        let described = &options.describe()[3];
        assert_eq!(
            (&described["spec"]["options"], &described["default"]),
            (&json!(["medium", "large"]), &json!("medium"))
        );
        assert_eq!(apply(&options, json!({})).unwrap()["profile"], "medium");
        assert_eq!(apply(&options, json!({"profile": "large"})).unwrap()["profile"], "large");
        assert_eq!(
            apply(&options, json!({"profile": "small"})).unwrap_err(),
            "`profile` = `small` is not allowed: the limit `allowed` of group:a has `large`, `medium`, `gone` for `profile`"
        );
        assert_eq!(
            within(json!({"profile": ["large", "small"]})).describe()[3]["default"],
            "small",
            "allowed, so it stays"
        );
    }

    #[test]
    fn other_kinds_take_the_first_allowed_value_that_they_can_have() {
        let options = within(json!({"worker_cores": [9, 4, 2], "worker_memory": ["4 GiB"], "period": [2]}));
        let described = options.describe();
        assert_eq!((&described[0]["default"], &described[1]["default"]), (&json!(4), &json!("4 GiB")));
        assert_eq!(described[2]["default"], json!(2.0));
        let same_as_allowed = json!({"worker_memory": "4G", "period": 2, "worker_cores": 2});
        assert_eq!(apply(&options, same_as_allowed).unwrap()["worker_memory"], "4G");
        let error = apply(&options, json!({"worker_cores": 1})).unwrap_err();
        assert!(error.starts_with("`worker_cores` = `1` is not allowed: "), "{error}");
    }

    #[test]
    fn where_nothing_can_be_chosen_the_description_stays_whole_and_the_choice_is_refused() {
        let options = within(json!({"profile": [], "worker_cores": ["two"]}));
        assert_eq!(options.describe(), declared().describe());
        let error = apply(&options, json!({"worker_cores": 1})).unwrap_err();
        assert!(error.ends_with("has `two` for `worker_cores`"), "{error}");
        let options = within(json!({"profile": []}));
        assert!(apply(&options, json!({})).unwrap_err().contains(" has nothing for `profile`"));
    }

    #[test]
    fn a_choice_that_is_moved_up_to_a_size_there_is_may_be_allowed_by_either_name() {
        let fargate = crate::model::TaskSizes::Fargate;
        for allowed in [json!([3]), json!([4])] {
            let options = within(json!({"worker_cores": allowed})).with_sizes(fargate);
            assert_eq!(apply(&options, json!({"worker_cores": 3})).unwrap()["worker_cores"], 4);
        }
    }
}
