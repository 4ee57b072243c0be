//! What is wrong with a configuration, and where.

use faregate_core::did_you_mean;
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Of a setting that there was.
const NO_PASSWORD: &str = "is no longer there: an address that is not loopback needs a way to sign in. hint: set `methods` under `[auth]`; \
                           one password for all is `[auth.basic] password = \"…\"`";

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{file}` cannot be read")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The text is wrong.
    #[error("{place}: {what}")]
    Wrong {
        /// Where.
        place: Place,
        /// What.
        what: String,
    },
}

/// `faregate.toml:3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1; none when nothing in the text is to blame.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Something wrong in a text whose file is not known yet.
#[derive(Debug)]
pub struct Problem {
    /// The key that it is about, with its tables; empty for broken syntax.
    pub key: String,
    /// The sentence.
    pub what: String,
    span: Option<Range<usize>>,
}

impl Problem {
    /// A key, and what is wrong with it: "`key` must be …".
    pub fn new(key: &str, what: impl fmt::Display) -> Self {
        Problem::whole(key, format!("`{key}` {what}"))
    }

    /// A key, and a sentence that is complete without it.
    pub fn whole(key: &str, what: impl fmt::Display) -> Self {
        Problem { key: key.to_owned(), what: what.to_string(), span: None }
    }

    /// The text is no TOML.
    pub fn syntax(error: toml::de::Error) -> Self {
        Problem { span: error.span(), ..Problem::whole("", error.message().trim().replace('\n', ", ")) }
    }

    /// What serde says of a key.
    pub fn serde(error: serde_path_to_error::Error<toml::de::Error>) -> Self {
        let (key, error) = (error.path().to_string(), error.inner());
        let message = error.message();
        let problem = match message.strip_prefix("invalid type: ").and_then(|types| types.rsplit_once(", expected ")) {
            Some(_) if key == "options" => Problem::new(&key, "must be a list of tables, each written `[[options]]`"),
            Some((found, expected)) => Problem::new(&key, format!("must be {}, not {}", plain(expected), plain(found))),
            None if key == "allow_no_password" => Problem::new(&key, NO_PASSWORD),
            // the names that are known stand behind the one that is not, each in quotes
            None if message.starts_with("unknown field ") => unknown(&key, message.split('`').skip(3).step_by(2)),
            None => Problem::new(&key, message),
        };
        Problem { span: error.span(), ..problem }
    }

    /// The same, with its file and line.
    pub fn in_file(self, file: &str, text: &str) -> ConfigError {
        let at = position(text, &self.key).or(self.span.map(|span| span.start));
        let line = at.map(|at| text[..at.min(text.len())].matches('\n').count() + 1);
        ConfigError::Wrong { place: Place { file: file.to_owned(), line }, what: self.what }
    }
}

/// Where a key stands; if it is nowhere itself, what it would be in. In lists the key is `[n]`.
fn position(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut inside, mut rest, mut found) = (DeValue::Table(document.into_inner()), key, None);
    loop {
        let next = match inside {
            DeValue::Table(table) => table
                .into_iter()
                .filter_map(|(name, value)| {
                    let below = rest.strip_prefix(&**name.get_ref())?;
                    (below.is_empty() || below.starts_with(['.', '['])).then(|| (name.span().start, below, value))
                })
                .min_by_key(|(_, below, _)| below.len()),
            DeValue::Array(list) => {
                rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).and_then(|(n, below)| {
                    let value = list.into_iter().nth(n.parse().ok()?)?;
                    Some((value.span().start, below, value))
                })
            }
            _ => None,
        };
        let Some((at, below, value)) = next else { return found };
        (inside, rest, found) = (value.into_inner(), below.strip_prefix('.').unwrap_or(below), Some(at));
    }
}

/// A type in an administrator's words.
fn plain(kind: &str) -> &str {
    match kind {
        "a boolean" => "`true` or `false`",
        "a string" => "text in quotes",
        "a sequence" => r#"a list such as ["a", "b"]"#,
        "sequence" => "a list",
        "a map" | "map" => "a table",
        "f64" => "a number",
        "i64" => "a whole number",
        kind if kind.starts_with("struct ") => "a table",
        kind => kind,
    }
}

/// There is no such key: says so, with the nearest one beside it.
pub fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let name = key.rsplit('.').next().unwrap_or(key);
    match did_you_mean(name, known) {
        nothing if nothing.is_empty() => Problem::new(key, "is not known; `faregate config` lists all keys"),
        meant => Problem::new(key, format!("is not known{meant}")),
    }
}
