//! `docs/configuration.md`, made of the lists and struct definitions by which configurations are read.

use super::super::keys::{File, Key, sections};
use faregate_auth as auth;
use faregate_core::model::{ClusterConfig, Limits, Policy};
use faregate_core::options::DECLARATION_KEYS;
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
/// Set, the test writes the file.
const WRITE: &str = "FAREGATE_WRITE_REFERENCE";

const HEAD: &str = "<!-- Made of the code. FAREGATE_WRITE_REFERENCE=1 cargo test -p faregate-cli reference writes it anew. -->

# Configuration reference

For administrators. Every key that there is, on one machine and on AWS: its type, its unit, its default, and what it does. A default of – means that
nothing is set.

| host | where |
|---|---|
| [one machine](#one-machine) | the TOML file that `faregate serve` is given with `--config`; `faregate config` prints one with all defaults |
| [AWS](#aws) | the JSON text of the stack's parameter `Settings`; `faregate admin settings check` checks one |

Sizes are a number of bytes or a text such as `\"2 G\"` (2 GiB); a unit stands with every other number that has one.
";

/// A table of keys, all in one form.
struct Row {
    name: String,
    kind: String,
    default: String,
    about: String,
}

fn table(rows: impl IntoIterator<Item = Row>) -> String {
    let mut out = "\n| key | type | unit | default | what it does |\n|---|---|---|---|---|\n".to_owned();
    for Row { name, kind, default, about } in rows {
        let (kind, unit) = match kind.as_str() {
            "seconds" => ("number", "s"),
            "size" => ("size", "bytes"),
            "US dollars" => ("number", "US dollars"),
            kind => (kind, unit(&name)),
        };
        let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
        let about = about.replace('<', "\\<");
        out += &format!("| `{name}` | {kind} | {unit} | {default} | {about} |\n");
    }
    out
}

/// Of a number with this name.
fn unit(name: &str) -> &'static str {
    let named = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match name {
        "budget" => "US dollars",
        "leeway" | "clock_skew" => "s",
        _ if named(&["_ms"]) => "ms",
        _ if named(&["_percent"]) => "percent",
        _ if named(&["_gib"]) => "GiB",
        _ if named(&["cores"]) => "cores",
        _ if named(&["timeout", "period", "lifetime"]) => "s",
        _ => "",
    }
}

/// The public fields of a struct in a source, with their doc comments.
fn fields(source: &str, name: &str) -> Vec<Row> {
    let (_, body) = source.split_once(&format!("pub struct {name} {{\n")).unwrap_or_else(|| panic!("no `{name}`"));
    let (mut rows, mut about, mut read) = (Vec::new(), Vec::new(), true);
    for line in body.lines().take_while(|line| !line.starts_with('}')).map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push(text);
        } else if line.contains("serde(skip)") {
            read = false;
        } else if let Some((name, kind)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": ")) {
            let about = std::mem::take(&mut about).join(" ");
            if std::mem::replace(&mut read, true) {
                let kind = words(kind.trim_end_matches(','));
                rows.push(Row { name: name.to_owned(), kind, default: String::new(), about });
            }
        }
    }
    rows
}

/// A type of Rust's, in an administrator's words.
fn words(kind: &str) -> String {
    let kind = kind.strip_prefix("Option<").and_then(|kind| kind.strip_suffix('>')).unwrap_or(kind);
    let words = match kind {
        "bool" => "`true` or `false`",
        "f64" => "number",
        "u64" => "size",
        "Ms" | "i64" | "u32" | "usize" => "whole number",
        "String" => "text",
        "PathBuf" => "path",
        "Price" => "US dollars",
        "Prices" | "Rates" => "table",
        _ if kind.starts_with("BTreeMap") => "table of lists",
        _ if kind.starts_with("Vec") || kind.starts_with("BTreeSet") => "list of texts",
        _ => panic!("`{kind}` is no type that the reference has words for"),
    };
    words.to_owned()
}

fn with_defaults(rows: Vec<Row>, default: impl Fn(&str) -> String) -> impl Iterator<Item = Row> {
    rows.into_iter().map(move |row| Row { default: default(&row.name), ..row })
}

fn shown(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

fn rows_of(keys: &[Key]) -> Vec<Row> {
    let defaults = toml::Table::try_from(File::default()).expect("plain data");
    let row = |key: &Key| Row {
        name: key.name.to_owned(),
        kind: key.kind.clone(),
        default: defaults.get(key.name).map(ToString::to_string).unwrap_or_default(),
        about: key.about.to_owned(),
    };
    keys.iter().map(row).collect()
}

/// `[auth]`, and a table for each method with settings.
fn sign_in() -> String {
    let source = include_str!("../../../../../shared/auth/src/config.rs");
    let own = fields(&source.replace("pub tables: Tables", "// tables"), "Config");
    let mut out = format!("\n### `[auth]`\n{}", table(own));
    let auth::Config { tables, .. } = auth::Config::default();
    let (jwt, kerberos) = (tables.jwt, tables.kerberos);
    for (method, source, defaults) in [
        ("basic", include_str!("../../../../../shared/auth/src/methods/basic.rs"), json!({})),
        (
            "jwt",
            include_str!("../../../../../shared/auth/src/methods/jwt/config.rs"),
            json!({"user_claim": jwt.user_claim, "leeway": jwt.leeway, "algorithms": jwt.algorithms.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>()}),
        ),
        ("jupyterhub", include_str!("../../../../../shared/auth/src/methods/jupyterhub/config.rs"), json!({})),
        (
            "kerberos",
            include_str!("../../../../../shared/auth/src/methods/kerberos.rs"),
            json!({"service_name": kerberos.service_name, "clock_skew": kerberos.clock_skew}),
        ),
    ] {
        let rows = with_defaults(fields(source, "Config"), |name| shown(&defaults[name]));
        out += &format!("\n### `[auth.{method}]`\n{}", table(rows));
    }
    out + "\n`tokens` and `peer` have no settings of their own.\n"
}

fn reference() -> String {
    let mut out = HEAD.to_owned() + "\n## One machine\n\nKeys of the file's top level come before its tables.\n";
    for section in sections() {
        out += &format!("\n### {}\n{}", section.title, table(rows_of(&section.keys)));
    }
    let limits = fields(include_str!("../../../../../shared/core/src/model/limits.rs"), "Limits");
    out += "\n### `[limits.default]`, `[limits.\"group:<name>\"]`, `[limits.\"user:<name>\"]`\n\n\
            What applies to a user is looked up key by key: see [quotas and budgets](quotas-and-budgets.md). A key that is nowhere set is no limit.\n";
    out += &table(limits);
    out += &format!(
        "\n### `[prices]`\n{}",
        table(with_defaults(fields(include_str!("../keys.rs"), "PriceTable"), |_| "0".to_owned()))
    );
    let keys = DECLARATION_KEYS.iter().map(|(name, kind, about)| Row {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        default: String::new(),
        about: (*about).to_owned(),
    });
    out += &format!("\n### `[[options]]`\n\nEach is a choice that users have.\n{}", table(keys));
    out + &sign_in() + &on_aws()
}

fn on_aws() -> String {
    let cluster = sections().into_iter().find(|section| section.title == "Clusters").expect("a section").keys;
    let policy = |policy: Policy| serde_json::to_value(policy).expect("plain data");
    let (fargate, machine) = (policy(Policy::fargate()), policy(Policy::default()));
    let source = include_str!("../../../../../shared/core/src/model/policy.rs");
    let rows = fields(source, "Policy").into_iter().map(|row| match row.name.as_str() {
        "prices" => Row { about: format!("{} Default: the region's list prices.", row.about), ..row },
        name => {
            let (default, other) = (shown(&fargate[name]), shown(&machine[name]));
            let about = if default == other { row.about } else { format!("{} On one machine: {other}.", row.about) };
            Row { default, about, ..row }
        }
    });
    let rates = fields(include_str!("../../../../../shared/core/src/model/prices.rs"), "Rates");
    let rates = rates.into_iter().map(|row| Row { kind: "US dollars".to_owned(), default: "0".to_owned(), ..row });
    format!(
        "\n## AWS\n\nLimits are items of the table there: `faregate admin limits set` sets them, given `--table`.\n\n### `cluster`\n{}\n### `policy`\n{}\n\
         ### `policy.prices.default`, `.arm64`, `.x86_64`\n{}\n### `options`\n\nA list of declarations with the keys of `[[options]]`.\n\n\
         ### `auth`\n\nThe keys of `[auth]` and of its tables, but `methods`: they are the parameter `SignIn`. The shared password, JupyterHub's \
         `api_token` and Kerberos' keytab stand in the secret of sign-in.\n",
        table(rows_of(&cluster)),
        table(rows),
        table(rates),
    )
}

#[test]
fn the_reference_is_what_the_code_says() {
    let reference = reference();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(FILE, &reference).expect("written");
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    let differ = kept.lines().zip(reference.lines()).find(|(kept, made)| kept != made);
    assert!(
        kept == reference,
        "docs/configuration.md differs from the code, first in {differ:?}: `{WRITE}=1 cargo test -p faregate-cli reference` writes it anew"
    );
}

#[test]
fn the_reference_leaves_out_nothing_that_is_read() {
    let reference = reference();
    let has = |value: Value| {
        for name in value.as_object().expect("an object").keys() {
            assert!(reference.contains(&format!("\n| `{name}` | ")), "`{name}` has no line");
        }
    };
    has(serde_json::to_value(ClusterConfig::default()).expect("plain data"));
    has(serde_json::to_value(Policy::default()).expect("plain data"));
    has(serde_json::to_value(Limits::default()).expect("plain data"));
    for method in auth::method_names() {
        assert!(reference.contains(&format!("`[auth.{method}]`")) || ["tokens", "peer"].contains(&method), "{method}");
    }
    assert!(!reference.contains("|  |\n"), "a key without an explanation");
}
