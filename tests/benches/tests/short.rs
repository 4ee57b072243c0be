//! The programs of docs/measure.md, in a short form: each runs to its end and prints its table. What it measures so is nothing.
#![allow(clippy::unwrap_used)]

use faregate_tests::server::binary;
use std::process::{Command, Stdio};

fn prints(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
    said
}

#[test]
fn bench() {
    let short = ["--quick", "--rounds", "1", "--window", "0.1", "--calls", "options", "--only", "rest,idle,start"];
    let said = prints(env!("CARGO_BIN_EXE_bench"), &[&["--faregate", binary().to_str().unwrap()], &short[..]].concat());
    for row in ["options, by session", "idle relay connection", "new cluster until RUNNING"] {
        let line = said.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no `{row}`:\n{said}"));
        assert!(!line.contains(" - "), "a value is missing: {line}");
    }
}

/// A part that fails takes neither the others nor its own values with it, and the bench does not pass.
#[test]
fn bench_prints_what_it_has_measured_when_a_part_fails() {
    let dir = tempfile::tempdir().unwrap();
    // an environment whose Python cannot run the session of the last part; the gateways' own programs are the real ones
    let python = faregate_tests::python::dask(faregate_tests::python::DASK_VERSIONS[0]);
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(python.bin().join("dask"), bin.join("dask")).unwrap();
    std::os::unix::fs::symlink("/bin/false", bin.join("python")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--rounds", "1", "--gateways", "ours", "--only", "start,idle", "--faregate"])
        .arg(binary())
        .arg("--python")
        .arg(dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{said}{errors}");
    assert!(errors.contains("Start failed: the session failed"), "{errors}");
    assert!(said.contains("idle relay connection"), "{said}{errors}");
}

#[test]
fn enforcement_bench() {
    let said = prints(env!("CARGO_BIN_EXE_enforcement-bench"), &["10"]);
    assert!(said.contains("10"), "{said}");
}
