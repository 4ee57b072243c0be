//! The functions as they are deployed: built with the release profile, stripped, zipped.

use crate::{HELLO, ran};
use faregate_aws_tests::functions::{FUNCTIONS, workspace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As `sam build` and `sam deploy` zip a function.
const ZIP: &str = "
import os, sys, tempfile, zipfile
with tempfile.TemporaryFile() as file:
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as zipped:
        zipped.write(sys.argv[1], 'bootstrap')
    print(file.seek(0, os.SEEK_END))
";

/// Every binary by name: those of this directory, or built.
pub fn find(directory: Option<&Path>) -> BTreeMap<String, PathBuf> {
    let found: BTreeMap<String, PathBuf> = match directory {
        Some(directory) => {
            FUNCTIONS.iter().chain([&HELLO]).map(|name| ((*name).to_owned(), directory.join(name))).collect()
        }
        // apart: together, the functions would have the features that hello's defaults turn on
        None => ["faregate-functions", HELLO].into_iter().flat_map(build).collect(),
    };
    for name in FUNCTIONS.iter().chain([&HELLO]) {
        assert!(found.get(*name).is_some_and(|path| path.is_file()), "there is no `{name}` among {found:?}");
    }
    found
}

/// Copies, written in one go as a file is that was unpacked: what a linker has written lies in memory in small pieces, and takes longer
/// to be mapped.
pub fn unpacked(binaries: &BTreeMap<String, PathBuf>, into: &Path) -> BTreeMap<String, PathBuf> {
    let copy = |(name, from): (&String, &PathBuf)| {
        let to = into.join(name);
        std::fs::copy(from, &to).unwrap();
        (name.clone(), to)
    };
    binaries.iter().map(copy).collect()
}

fn build(package: &str) -> Vec<(String, PathBuf)> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace());
    cargo.args(["build", "--release", "--bins", "--message-format=json-render-diagnostics", "-p", package]);
    let messages = String::from_utf8(ran(&mut cargo, Path::new(package))).unwrap();
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let named = built.filter_map(|message| {
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(message["executable"].as_str()?)))
    });
    named.collect()
}

/// A binary's size in a zip file, in bytes.
pub fn zipped(binary: &Path) -> u64 {
    let size = ran(Command::new("python3").args(["-c", ZIP]).arg(binary), binary);
    String::from_utf8(size).unwrap().trim().parse().unwrap()
}
