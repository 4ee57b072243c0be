//! Who gets how much: limit items, as admins write them.

use super::size::{LEAST_MEMORY, too_little_memory};
use crate::did_you_mean;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Whom a limit or a counter is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Everybody for whom nothing else is said. Written `default`.
    Default,
    /// Written `group:<name>`.
    Group(String),
    /// Written `user:<name>`.
    User(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Default => f.write_str("default"),
            Scope::Group(name) => write!(f, "group:{name}"),
            Scope::User(name) => write!(f, "user:{name}"),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "default" => Ok(Scope::Default),
            Some(("group", name)) if !name.is_empty() => Ok(Scope::Group(name.to_owned())),
            Some(("user", name)) if !name.is_empty() => Ok(Scope::User(name.to_owned())),
            _ => Err(format!("`{text}` is neither `default` nor `group:<name>` nor `user:<name>`")),
        }
    }
}

impl Scope {
    /// A scope as people type it: blanks around it and around its name are none of it. No user or group has any there.
    pub fn typed(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let compact = text.split_once(':').map(|(kind, name)| format!("{}:{}", kind.trim(), name.trim()));
        Scope::try_from(compact.unwrap_or_else(|| text.to_owned()))
            .map_err(|_| format!("`{text}` is neither `default` nor `group:<name>` nor `user:<name>`"))
    }
}

/// One scope's limits. Every field is optional: absent means that this scope says nothing about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Clusters at once.
    pub clusters: Option<i64>,
    /// Workers of all of a user's clusters together.
    pub workers: Option<i64>,
    /// Cores of all of a user's workers together.
    pub cores: Option<f64>,
    /// Memory of all of a user's workers together (bytes, or `"64 G"`).
    #[serde(with = "super::size::option")]
    pub memory: Option<u64>,
    /// Workers of one cluster.
    pub cluster_workers: Option<i64>,
    /// Cores of one cluster's workers.
    pub cluster_cores: Option<f64>,
    /// Memory of one cluster's workers.
    #[serde(with = "super::size::option")]
    pub cluster_memory: Option<u64>,
    /// A group's clusters at once, over all its members.
    pub total_clusters: Option<i64>,
    /// A group's workers, over all its members.
    pub total_workers: Option<i64>,
    /// A group's cores.
    pub total_cores: Option<f64>,
    /// A group's memory.
    #[serde(with = "super::size::option")]
    pub total_memory: Option<u64>,
    /// Longest life of a cluster, in seconds.
    pub max_lifetime: Option<f64>,
    /// Idle timeout, in seconds.
    pub idle_timeout: Option<f64>,
    /// Spend per calendar month, in US dollars.
    pub budget: Option<f64>,
    /// Allowed values by option field.
    pub allowed: Option<BTreeMap<String, Vec<Value>>>,
    /// Nothing new starts, what runs is stopped: the sentence its users see.
    pub frozen: Option<String>,
    /// The item says something, and nothing of it can be read: what is wrong with it. Nothing new starts until it can.
    #[serde(skip)]
    pub unreadable: Option<String>,
}

/// Limits that cannot be: names the field.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{field}` {problem}")]
pub struct InvalidLimits {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl InvalidLimits {
    fn new(field: &str, problem: impl Into<String>) -> Self {
        InvalidLimits { field: field.to_owned(), problem: problem.into() }
    }
}

/// One field, as the whole has it.
fn read_field(name: &str, value: &Value) -> Result<Value, InvalidLimits> {
    let alone = |value: &Value| {
        serde_json::from_value::<Limits>(Value::Object(Map::from_iter([(name.to_owned(), value.clone())])))
    };
    let number = value.as_str().and_then(typed_number);
    let (limits, value) = match (alone(value), number) {
        (Ok(limits), _) => (limits, value.clone()),
        (Err(wrong), Some(number)) => (alone(&number).map_err(|_| invalid(name, value, &wrong))?, number),
        (Err(wrong), None) => return Err(invalid(name, value, &wrong)),
    };
    limits.check()?;
    Ok(value)
}

fn invalid(name: &str, value: &Value, wrong: &serde_json::Error) -> InvalidLimits {
    match wrong.to_string() {
        // the names that are known stand behind the one that is not, each in quotes
        unknown if unknown.starts_with("unknown field") => no_limit(name, unknown.split('`').skip(3).step_by(2)),
        wrong => InvalidLimits::new(name, format!("cannot be {value}: {wrong}")),
    }
}

fn no_limit<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> InvalidLimits {
    InvalidLimits::new(name, format!("is no limit{}", did_you_mean(name, known)))
}

/// The number in a text; a whole one where it can be.
fn typed_number(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let number: f64 = text.parse().ok()?;
    let whole = number.fract() == 0.0 && number.abs() < 9e15;
    if whole { Some((number as i64).into()) } else { serde_json::Number::from_f64(number).map(Value::Number) }
}

/// No limit is larger than this; it is far from where sums could overflow.
const LARGEST: f64 = 1e12;

/// Longest sentence of a freeze, in characters.
const LONGEST_SENTENCE: usize = 500;

impl Limits {
    /// Reads what stands in an item, and refuses what no limit can be: an unknown field, a wrong type, a negative number.
    pub fn read(item: &Value) -> Result<Self, InvalidLimits> {
        let Value::Object(fields) = item else { return Err(InvalidLimits::new("limits", "are no object")) };
        let (limits, problems) = Limits::read_each(fields);
        problems.into_iter().next().map_or(Ok(limits), Err)
    }

    /// Reads each field by itself: those that are good, and what is wrong with the others. Blanks around a name are none of it, and a
    /// number that was typed as text is a number.
    pub fn read_each(fields: &Map<String, Value>) -> (Self, Vec<InvalidLimits>) {
        let (mut good, mut problems) = (Map::new(), Vec::new());
        for (name, value) in fields {
            let name = name.trim();
            match read_field(name, value) {
                Ok(_) if good.contains_key(name) => problems.push(InvalidLimits::new(name, "is there twice")),
                Ok(value) => drop(good.insert(name.to_owned(), value)),
                Err(problem) => problems.push(problem),
            }
        }
        let limits = serde_json::from_value(Value::Object(good));
        let limits = limits.unwrap_or_else(|e| {
            problems.push(InvalidLimits::new("limits", e.to_string()));
            Limits::default()
        });
        (limits, problems)
    }

    /// The same limits with fields set (as in an item) and others taken away; fields that it does not have are no error to take.
    pub fn with(&self, set: &Map<String, Value>, unset: &[String]) -> Result<Self, InvalidLimits> {
        let wrong = |e: serde_json::Error| InvalidLimits { field: "limits".to_owned(), problem: e.to_string() };
        let Value::Object(mut fields) = serde_json::to_value(self).map_err(wrong)? else { return Ok(self.clone()) };
        for field in unset {
            if fields.remove(field).is_none() {
                return Err(no_limit(field, fields.keys().map(String::as_str)));
            }
        }
        fields.extend(set.clone());
        Limits::read(&Value::Object(fields))
    }

    /// These limits, save where `over` says something.
    pub fn overlaid_by(&self, over: &Limits) -> Limits {
        let fields = |limits: &Limits| match serde_json::to_value(limits) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let mut all = fields(self);
        all.extend(fields(over).into_iter().filter(|(_, value)| !value.is_null()));
        serde_json::from_value(Value::Object(all)).unwrap_or_else(|_| self.clone())
    }

    /// Refuses numbers below zero, memory that can only be meant in another unit, and sentences that are none.
    pub fn check(&self) -> Result<(), InvalidLimits> {
        let fail = |field: &str, problem: String| Err(InvalidLimits { field: field.to_owned(), problem });
        for (field, value) in [
            ("clusters", self.clusters),
            ("workers", self.workers),
            ("cluster_workers", self.cluster_workers),
            ("total_clusters", self.total_clusters),
            ("total_workers", self.total_workers),
        ] {
            if let Some(value) = value.filter(|n| *n < 0) {
                return fail(field, format!("must be 0 or more, not {value}"));
            }
        }
        for (field, value) in [
            ("cores", self.cores),
            ("cluster_cores", self.cluster_cores),
            ("total_cores", self.total_cores),
            ("max_lifetime", self.max_lifetime),
            ("idle_timeout", self.idle_timeout),
            ("budget", self.budget),
        ] {
            if let Some(value) = value.filter(|n| !(0.0..=LARGEST).contains(n)) {
                return fail(field, format!("must be from 0 to {LARGEST:.0}, not {value}"));
            }
        }
        for (field, value) in
            [("memory", self.memory), ("cluster_memory", self.cluster_memory), ("total_memory", self.total_memory)]
        {
            if let Some(bytes) = value.filter(|bytes| (1..LEAST_MEMORY).contains(bytes)) {
                return fail(field, format!("must be 0 or at least {}", too_little_memory(bytes)));
            }
        }
        if let Some(frozen) = &self.frozen
            && (frozen.trim().is_empty() || frozen.chars().count() > LONGEST_SENTENCE)
        {
            return fail("frozen", format!("must be a sentence of 1 to {LONGEST_SENTENCE} characters"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_with_an_item_is_named() {
        for (item, says) in [
            (json!([]), "`limits` are no object"),
            (json!({"cluster": 2}), "`cluster` is no limit; did you mean `clusters`?"),
            (json!({"clusters": "two"}), "`clusters` cannot be \"two\": invalid type: string \"two\", expected i64"),
            (json!({"clusters": -1}), "`clusters` must be 0 or more, not -1"),
            (json!({"clusters": 2, "cores": -0.5}), "`cores` must be from 0 to 1000000000000, not -0.5"),
            (json!({"memory": "64 X"}), "`memory` cannot be \"64 X\": `64 X` is no size"),
            (json!({"frozen": " "}), "`frozen` must be a sentence of 1 to 500 characters"),
            (json!({"frozen": true}), "`frozen` cannot be true"),
            (json!({"clusters": "2.5"}), "`clusters` cannot be \"2.5\": invalid type: string"),
            (json!({"clusters": "-1"}), "`clusters` must be 0 or more, not -1"),
            (json!({"cores": "inf"}), "`cores` cannot be \"inf\""),
            (json!({"clusters": 1, " clusters": 2}), "`clusters` is there twice"),
            (json!({"memory": 4}), "`memory` must be 0 or at least 1 MiB, not 4 B; write \"4 G\" for 4 GiB"),
            (json!({"total_memory": "4"}), "`total_memory` must be 0 or at least 1 MiB, not 4 B"),
        ] {
            let error = Limits::read(&item).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }

    #[test]
    fn numbers_may_be_typed_as_text_and_names_with_blanks() {
        let item = json!({" clusters ": "1", "workers": " 2 ", "cores": "2.5", "budget": "1e3", "memory": "0", "total_workers": "2.0"});
        let limits = Limits {
            clusters: Some(1),
            workers: Some(2),
            cores: Some(2.5),
            budget: Some(1000.0),
            memory: Some(0),
            total_workers: Some(2),
            ..Limits::default()
        };
        assert_eq!(Limits::read(&item), Ok(limits));
        for (text, scope) in [
            (" default ", Scope::Default),
            ("user: lou ", Scope::User("lou".into())),
            (" group :data science", Scope::Group("data science".into())),
        ] {
            assert_eq!(Scope::typed(text), Ok(scope), "{text}");
        }
        for text in ["user: ", "lou", "users:lou", ""] {
            assert!(Scope::typed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_field_is_judged_by_itself() {
        let item = json!({"clusters": "many", "workers": 2, "note": "x", "memory": 7});
        let (limits, problems) = Limits::read_each(item.as_object().unwrap());
        assert_eq!(limits, Limits { workers: Some(2), ..Limits::default() });
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["clusters", "memory", "note"]);
    }

    #[test]
    fn fields_are_set_and_taken_away_one_by_one() {
        let limits = Limits::read(&json!({"clusters": 2, "memory": "64 G"})).unwrap();
        let Value::Object(set) = json!({"workers": 4}) else { panic!("an object") };
        let changed = limits.with(&set, &["memory".into()]).unwrap();
        assert_eq!(changed, Limits { clusters: Some(2), workers: Some(4), ..Limits::default() });
        assert_eq!(
            limits.with(&Map::new(), &["memories".into()]).unwrap_err().to_string(),
            "`memories` is no limit; did you mean `memory`?"
        );
    }
}
