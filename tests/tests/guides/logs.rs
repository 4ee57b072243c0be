//! What `docs/logs.md` says of log messages is what the sources say.

use crate::documents::{guide, root};
use std::path::Path;

/// The texts in a column of the table below a heading, without their backticks.
fn column(text: &str, heading: &str, column: usize) -> Vec<String> {
    let below = text.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = below.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.split(" | ").nth(column).unwrap().trim_matches([' ', '|']))
        .map(|cell| {
            cell.strip_prefix("``")
                .and_then(|cell| cell.strip_suffix("``"))
                .unwrap_or(cell.trim_matches('`'))
                .to_owned()
        })
        .collect()
}

/// All sources of what is shipped, as one text.
fn sources() -> String {
    fn collect(directory: &Path, all: &mut String) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "tests") {
                collect(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = String::new();
    for directory in ["shared", "functions", "infra"] {
        collect(&root().join(directory), &mut all);
    }
    all
}

fn absent(texts: Vec<String>) -> Vec<String> {
    assert!(texts.len() > 15, "{texts:?}");
    let sources = sources();
    texts.into_iter().filter(|text| !sources.contains(&format!("\"{text}\""))).collect()
}

#[test]
fn every_message_that_is_worth_a_look_is_said() {
    assert_eq!(absent(column(&guide("docs/logs.md").text, "## Worth an alarm, or a look", 0)), [""; 0]);
}

#[test]
fn every_new_text_is_said() {
    assert_eq!(absent(column(&guide("docs/logs.md").text, "## Old and new texts", 1)), [""; 0]);
}
