//! Every command of README.md and docs/*.md is run, in a short form; which test runs it stands in [`table`]. A command that is in a guide
//! and not in the table fails, and so does a row whose command has gone.
#![allow(clippy::unwrap_used)]

mod costs;
mod documents;
mod http;
mod links;
mod local;
mod logs;
mod table;

use documents::{guides, root};
use std::collections::BTreeSet;
use table::{By, TABLE};

/// The guide whose commands a virtual machine runs.
const SYSTEMD: &str = "docs/systemd.md";

#[test]
fn every_command_of_the_guides_is_run_somewhere() {
    let commands = guides().into_iter().filter(|guide| guide.path != SYSTEMD).flat_map(|guide| {
        let path = guide.path.clone();
        guide.commands().into_iter().map(move |command| (command, path.clone()))
    });
    let commands: Vec<(String, String)> = commands.collect();
    let rows: BTreeSet<&str> = TABLE.iter().map(|(command, _)| *command).collect();
    let missing: Vec<String> = (commands.iter())
        .filter(|(command, _)| !rows.contains(command.as_str()))
        .map(|(command, path)| format!("{path}: {command}"))
        .collect();
    assert!(missing.is_empty(), "not in tests/tests/guides/table.rs:\n{}", missing.join("\n"));
    let there: BTreeSet<&str> = commands.iter().map(|(command, _)| command.as_str()).collect();
    let gone: Vec<&&str> = rows.iter().filter(|row| !there.contains(**row)).collect();
    assert!(gone.is_empty(), "in the table, and in no guide: {gone:#?}");
}

#[test]
fn what_the_table_names_is_there() {
    for (command, by) in TABLE {
        match by {
            By::Test { file, name } => {
                let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(text.contains(&format!("fn {name}(")), "`{command}`: {file} has no `{name}`");
            }
            By::Full { part } => {
                assert!(root().join("tests/full").join(part).is_file(), "`{command}`: tests/full has no part `{part}`");
            }
            By::Nobody { why } => assert!(!why.is_empty(), "`{command}`"),
        }
    }
}

/// The machine's check runs the guide by its headings: each heading with commands must be one that it runs.
#[test]
fn the_machines_check_runs_all_of_the_systemd_guide() {
    let guide = guides().into_iter().find(|guide| guide.path == SYSTEMD).unwrap();
    let check = std::fs::read_to_string(root().join("tests/full/machine/check-units")).unwrap();
    for block in guide.blocks().iter().filter(|block| block.is_commands()) {
        assert!(check.contains(&format!("run_guide '{}'", block.heading)), "{}", block.heading);
    }
}
