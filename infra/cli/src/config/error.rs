//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;

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
    /// The key of the top level that it is about; empty for broken syntax.
    pub key: String,
    /// The sentence.
    pub what: String,
    span: Option<Range<usize>>,
}

impl Problem {
    /// A key, and what is wrong with it: "`key` must be …".
    pub fn new(key: &str, what: impl fmt::Display) -> Self {
        Problem { key: key.to_owned(), what: format!("`{key}` {what}"), span: None }
    }

    /// A key, and a sentence that is complete without it.
    pub fn whole(key: &str, what: impl fmt::Display) -> Self {
        Problem { key: key.to_owned(), what: what.to_string(), span: None }
    }

    /// The text is no TOML.
    pub fn syntax(error: toml::de::Error) -> Self {
        let what = error.message().trim().replace('\n', ", ");
        Problem { key: String::new(), what, span: error.span() }
    }

    /// The same, at a place (unless a better one is known).
    pub fn at(self, span: Range<usize>) -> Self {
        Problem { span: self.span.or(Some(span)), ..self }
    }

    /// The same, with its file and line.
    pub fn in_file(self, file: &str, text: &str) -> ConfigError {
        let line = self.span.map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        ConfigError::Wrong { place: Place { file: file.to_owned(), line }, what: self.what }
    }
}

/// `name` is none of `known`: says so, with the nearest one. `table` is where it stands, such as `limits.default`, or empty.
pub fn unknown<'a>(table: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let path = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
    let nearest = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    let what = match nearest {
        Some((_, candidate)) => format!("is not known; did you mean `{candidate}`?"),
        None => "is not known; `faregate config` lists all keys".to_owned(),
    };
    Problem::new(&path, what)
}
