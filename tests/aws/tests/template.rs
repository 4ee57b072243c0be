//! The template as AWS's own tools see it.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::functions::workspace;
use faregate_aws_tests::python;
use faregate_cli::python::PythonEnv;
use std::process::Command;

fn says_nothing_against_it(tools: &PythonEnv, program: &str, arguments: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(tools.bin().join(program));
    let path = std::env::join_paths(
        [tools.bin()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    command.args(arguments).current_dir(workspace()).env("PATH", path.unwrap());
    command
        .env("HOME", home.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("AWS_DEFAULT_REGION", "us-east-1");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "`{program} {arguments:?}` says:\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn sam_validates_it() {
    says_nothing_against_it(&python::sam(), "sam", &["validate", "--lint", "--region", "us-east-1"]);
}

#[test]
fn cfn_lint_finds_nothing_in_it_or_its_parts() {
    let entries = workspace().join("infra/cloudformation").read_dir().unwrap();
    let parts = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    let mut files = vec!["template.yaml".to_owned()];
    files.extend(parts.map(|path| path.display().to_string()));
    assert!(files.len() > 1, "{files:?}");
    says_nothing_against_it(&python::sam(), "cfn-lint", &files.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn its_text_has_what_no_emulator_shows() {
    says_nothing_against_it(&python::sam(), "python", &["tests/aws/python/template_facts.py"]);
}

#[test]
fn whatever_others_find_in_it_and_its_roles_is_accepted_with_a_reason() {
    says_nothing_against_it(&python::checkers(), "python", &["tests/aws/python/findings.py"]);
}

#[test]
fn two_stacks_touch_nothing_of_each_other() {
    says_nothing_against_it(&python::sam(), "python", &["tests/aws/python/two_stacks.py"]);
}
