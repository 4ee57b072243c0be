//! Outcomes as tables.

use super::table::{Align, table};
use Align::{Left, Right};
use faregate_core::model::{Ms, format_size};
use faregate_core::printable;
use faregate_gateway::Used;
use faregate_gateway::admin::{
    AuditList, ClusterList, ClusterRow, Explained, LimitsChanged, LimitsList, Stopped, UsageOfAll, UsageRow,
};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn limits(list: &LimitsList) -> String {
    let fields = list.limits.iter().flat_map(|(scope, fields)| fields.iter().map(move |field| (scope, field)));
    let rows: Vec<_> =
        fields.map(|(scope, (field, value))| [scope.clone(), field.clone(), limit(field, value)]).collect();
    let shown = table([("SCOPE", Left), ("LIMIT", Left), ("VALUE", Left)], &rows, "There are no limits.");
    format!("{shown}{}", broken(&list.broken))
}

/// Items that nobody can read, where there are any.
fn broken(items: &BTreeMap<String, String>) -> String {
    if items.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = items.iter().map(|(sort, problem)| [sort.clone(), problem.clone()]).collect();
    let shown = table([("BROKEN ITEM", Left), ("PROBLEM", Left)], &rows, "");
    format!(
        "\n{shown}What can be read of these holds, and for the rest what was last in force; where there is neither, nothing new starts.\n`limits set` writes an item anew.\n"
    )
}

pub(super) fn changed(changed: &LimitsChanged) -> String {
    let scope = changed.scope.to_string();
    let rows: Vec<_> = changed.limits.iter().map(|(f, value)| [scope.clone(), f.clone(), limit(f, value)]).collect();
    let none = format!("Nothing is left of the limits of {}.", printable(&scope));
    let shown = table([("SCOPE", Left), ("LIMIT", Left), ("VALUE", Left)], &rows, &none);
    let replaced = changed.replaced.iter().map(|problem| {
        format!(
            "\nReplaced an item that was broken ({}) by what was last in force, and what was set.\n",
            printable(problem)
        )
    });
    std::iter::once(shown).chain(replaced).collect()
}

pub(super) fn clusters(list: &ClusterList) -> String {
    let row = |cluster: &ClusterRow| {
        let why = cluster.reason.as_ref().or(cluster.waiting.as_ref()).or(cluster.warnings.last());
        [
            cluster.name.to_string(),
            cluster.user.clone(),
            cluster.status.to_owned(),
            format!("{}/{}", cluster.workers, cluster.wanted),
            number(cluster.cores),
            format_size(u64::try_from(cluster.memory).unwrap_or_default()),
            moment(cluster.start_time),
            why.map(|reason| reason.message.clone()).unwrap_or_default(),
        ]
    };
    let columns = [
        ("NAME", Left),
        ("USER", Left),
        ("STATUS", Left),
        ("WORKERS", Right),
        ("CORES", Right),
        ("MEMORY", Right),
        ("CREATED (UTC)", Left),
        ("WHY", Left),
    ];
    table(columns, &list.clusters.iter().map(row).collect::<Vec<_>>(), "There are no such clusters.")
}

pub(super) fn stopped(stopped: &Stopped) -> String {
    let rows: Vec<_> = stopped.stopped.iter().map(|name| [name.to_string()]).collect();
    table([("STOPPING", Left)], &rows, "Nothing had to be stopped.")
}

pub(super) fn usage(usage: &UsageOfAll) -> String {
    let cells = |user: &str, cluster: String, amounts: [f64; 5]| {
        let [cpu, memory, spot_cpu, spot_memory, usd] = amounts;
        let hours = |hours: f64| format!("{hours:.3}");
        [user.to_owned(), cluster, hours(cpu), hours(memory), hours(spot_cpu), hours(spot_memory), format!("{usd:.4}")]
    };
    let amounts = |row: &UsageRow| {
        let Used { vcpu_hours, gib_hours, spot_vcpu_hours, spot_gib_hours, usd } = row.used;
        [vcpu_hours, gib_hours, spot_vcpu_hours, spot_gib_hours, usd]
    };
    let mut rows: Vec<_> =
        usage.usage.iter().map(|row| cells(&row.user, row.cluster.to_string(), amounts(row))).collect();
    if !rows.is_empty() {
        let sum = usage.usage.iter().map(amounts).fold([0.0; 5], |sum, row| std::array::from_fn(|i| sum[i] + row[i]));
        rows.push(cells("TOTAL", String::new(), sum));
    }
    let columns = [
        ("USER", Left),
        ("CLUSTER", Left),
        ("VCPU-HOURS", Right),
        ("GIB-HOURS", Right),
        ("SPOT VCPU-HOURS", Right),
        ("SPOT GIB-HOURS", Right),
        ("USD", Right),
    ];
    table(columns, &rows, &format!("Nobody used anything in {}.", usage.month))
}

pub(super) fn audit(list: &AuditList) -> String {
    let rows: Vec<_> = list
        .audit
        .iter()
        .map(|audit| {
            let why = audit.why.clone().unwrap_or_default();
            [moment(audit.at), audit.who.clone(), audit.action.clone(), audit.target.clone(), why]
        })
        .collect();
    let columns = [("WHEN (UTC)", Left), ("WHO", Left), ("ACTION", Left), ("TARGET", Left), ("WHY", Left)];
    table(columns, &rows, &format!("No admin did anything in {}.", list.month))
}

pub(super) fn explained(explained: &Explained) -> String {
    let count = |field: &str, value: Option<f64>| match value {
        Some(value) if is_size(field) => format_size(value as u64),
        Some(value) => number(value),
        None => String::new(),
    };
    let row = |l: &faregate_gateway::admin::ExplainedLimit| {
        let from = l.from.clone().unwrap_or_else(|| "-".to_owned());
        [l.field.clone(), limit(&l.field, &l.limit), from, count(&l.field, l.used), count(&l.field, l.left)]
    };
    let groups = match explained.groups.as_slice() {
        [] => String::new(),
        groups => {
            format!("Groups of {}: {}\n\n", printable(&explained.scope.to_string()), printable(&groups.join(", ")))
        }
    };
    let columns = [("LIMIT", Left), ("VALUE", Left), ("FROM", Left), ("USED", Right), ("LEFT", Right)];
    let none = format!("There are no limits of {}.", printable(&explained.scope.to_string()));
    let rows: Vec<_> = explained.limits.iter().map(row).collect();
    format!("{groups}{}{}", table(columns, &rows, &none), broken(&explained.broken))
}

fn is_size(field: &str) -> bool {
    field.ends_with("memory")
}

/// A limit's value with its unit.
fn limit(field: &str, value: &Value) -> String {
    match (field, value) {
        (_, Value::Null) => "none".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (field, Value::Number(bytes)) if is_size(field) => format_size(bytes.as_u64().unwrap_or_default()),
        ("max_lifetime" | "idle_timeout", Value::Number(n)) => format!("{} s", number(n.as_f64().unwrap_or_default())),
        ("budget", Value::Number(n)) => format!("{} USD", number(n.as_f64().unwrap_or_default())),
        (_, Value::Number(n)) => number(n.as_f64().unwrap_or_default()),
        (_, other) => other.to_string(),
    }
}

/// Without zeros at its end.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// To the second, in UTC.
pub(super) fn moment(at: Ms) -> String {
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(at.div_euclid(1000)) else { return at.to_string() };
    let (date, time) = (at.date(), at.time());
    format!("{date} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_have_their_units() {
        for (field, value, shown) in [
            ("clusters", json!(2), "2"),
            ("total_memory", json!(64u64 << 30), "64 GiB"),
            ("cores", json!(2.5), "2.5"),
            ("max_lifetime", json!(3600.0), "3600 s"),
            ("budget", json!(100), "100 USD"),
            ("frozen", json!("the course is over"), "the course is over"),
            ("allowed", json!({"profile": ["small"]}), "{\"profile\":[\"small\"]}"),
            ("workers", Value::Null, "none"),
        ] {
            assert_eq!(limit(field, &value), shown);
        }
        assert_eq!(moment(1_793_491_200_999), "2026-11-01 00:00:00");
    }
}
