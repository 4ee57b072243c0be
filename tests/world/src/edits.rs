//! What admins do in the middle of everything: limits raised, lowered, taken away, frozen and spoilt, by hand and by the gateway.

use super::draw::{self, GROUPS};
use super::setup::S;
use super::state::{Event, RandomEvent, State};
use super::work::Work;
use faregate_core::model::{Limits, Ms, Scope};
use serde_json::{Map, Value, json};

/// What no limit can be.
const BROKEN: [&str; 5] =
    [r#"{"workers": -1}"#, r#"{"worker": 3}"#, r#"{"workers": "many"}"#, r#"{"memory": "64 X"}"#, r#"[]"#];

impl State {
    /// Whose limits an admin thinks of: everybody's, a group's, a user's.
    fn any_scope(&mut self) -> Scope {
        match self.dice.below(5) {
            0 | 1 => Scope::Default,
            2 => Scope::Group(self.dice.pick(&GROUPS).to_owned()),
            _ => self.any_user(),
        }
    }

    /// One of the users there are.
    fn any_user(&mut self) -> Scope {
        let n = self.dice.below(self.setup.users.len() as Ms) as usize;
        Scope::User(self.setup.users[n].name.clone())
    }

    /// A field of limits, and a value that it may have.
    fn any_field(&mut self, scope: &Scope) -> (&'static str, Value) {
        let (most, base) = (self.setup.most, self.setup.base.clone());
        let d = &mut self.dice;
        let workers = d.below(most + 3);
        let cores = base.worker_cores * d.below(most + 3) as f64;
        let memory = match d.percent(50) {
            true => json!(format!("{} G", d.below(20))),
            false => json!(base.worker_memory as i64 * d.below(most + 3)),
        };
        let total = matches!(scope, Scope::Group(_)) && d.percent(60);
        match (d.below(10), total) {
            (0..4, false) => ("workers", json!(workers)),
            (0..4, true) => ("total_workers", json!(workers)),
            (4, false) => ("clusters", json!(d.below(5))),
            (4, true) => ("total_clusters", json!(d.below(6))),
            (5, false) => ("cores", json!(cores)),
            (5, true) => ("total_cores", json!(cores)),
            (6, false) => ("memory", memory),
            (6, true) => ("total_memory", memory),
            (7, _) => match d.below(3) {
                0 => ("cluster_workers", json!(workers)),
                1 => ("cluster_cores", json!(cores)),
                _ => ("cluster_memory", memory),
            },
            (8, _) => match d.below(3) {
                0 => ("max_lifetime", json!(d.between(300, 2_500))),
                1 => ("idle_timeout", json!(d.pick(&[0, 150, 400]))),
                _ => ("budget", json!(draw::budget(d, most))),
            },
            (_, _) => ("frozen", json!("the project is over")),
        }
    }

    /// An admin does something about limits.
    pub fn edit_something(&mut self) {
        let scope = self.any_scope();
        match self.dice.below(10) {
            // through the gateway
            0 | 1 => {
                let scope = if scope == Scope::Default { self.any_user() } else { scope };
                self.after(0, Event::Start(Work::Freeze(scope.clone())));
                if self.dice.percent(70) {
                    let later = self.dice.between(30 * S, 600 * S);
                    self.after(later, Event::Start(Work::Unfreeze(scope)));
                }
            }
            2 | 3 => {
                let (field, value) = self.any_field(&scope);
                let set = Map::from_iter([(field.to_owned(), value)]);
                self.after(0, Event::Start(Work::SetLimits(scope, set)));
            }
            // by hand, and wrongly
            4 => {
                let item = self.dice.pick(&BROKEN);
                self.write_by_hand(&scope, serde_json::from_str(item).ok());
                if self.dice.percent(60) {
                    let later = self.dice.between(30 * S, 600 * S);
                    self.after(later, Event::RandomEvent(RandomEvent::Mend));
                }
            }
            5 => self.write_by_hand(&scope, None),
            _ => {
                let mut item = self.item(&scope);
                let (field, value) = self.any_field(&scope);
                item.insert(field.to_owned(), value);
                self.write_by_hand(&scope, Some(Value::Object(item)));
            }
        }
    }

    /// What stands in an item, or was last in force of it.
    fn item(&self, scope: &Scope) -> Map<String, Value> {
        let limits = self.records.limits.in_force().get(scope).cloned().unwrap_or_default();
        match serde_json::to_value(limits) {
            Ok(Value::Object(fields)) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => Map::new(),
        }
    }

    /// Every broken item is written anew, as it last was in force.
    pub fn mend(&mut self) {
        for sort in self.records.limits.read().broken.into_keys() {
            if let Ok(scope) = Scope::try_from(sort) {
                let item = self.item(&scope);
                self.write_by_hand(&scope, Some(Value::Object(item)));
            }
        }
    }

    /// In calmer times a limit is lowered, by hand and for good.
    pub fn lower_something(&mut self) {
        let scope = self.any_scope();
        let mut item = self.item(&scope);
        let few = self.dice.between(0, 3);
        let fields: &[&str] = match scope {
            Scope::Group(_) => &["total_workers", "total_clusters", "workers", "frozen"],
            _ => &["workers", "clusters", "cluster_workers", "workers", "frozen"],
        };
        match self.dice.pick(fields) {
            "frozen" => drop(item.insert("frozen".into(), json!("no more"))),
            field => drop(item.insert(field.into(), json!(few))),
        }
        self.write_by_hand(&scope, Some(Value::Object(item)));
    }

    fn write_by_hand(&mut self, scope: &Scope, item: Option<Value>) {
        self.say(|| format!("the limits of {scope} are edited: {item:?}"));
        let before = self.records.limits.in_force().clone();
        let good = item.as_ref().is_none_or(|item| Limits::read(item).is_ok());
        let kept = self.records.limits.is_kept(scope);
        self.records.limits.edit(&scope.to_string(), item);
        // of what is spoilt here nothing can be read: its last good value holds, and where there is none, nothing new starts
        let after = self.records.limits.in_force();
        let binds = after.get(scope).is_some_and(|limits| limits.unreadable.is_some());
        let had = before.get(scope).is_some_and(|limits| limits.unreadable.is_none());
        if !good && kept && had && before != *after {
            self.breach("a broken edit changed limits", scope.to_string());
        } else if !good && kept && !had && !binds {
            self.breach("a broken edit without a last good value binds nobody", scope.to_string());
        }
        self.note_limits();
    }

    /// Somebody has written limits.
    pub fn note_limits(&mut self) {
        self.accounts.note_limits(self.now, self.records.limits.in_force());
    }
}
