//! The commands of docs/aws.md, word for word in a shell: AWS's own command line against the emulator. `docker` stands for
//! itself alone: what it is told is looked at, as there is no registry to pull from or to push to.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::functions::{PROXY, workspace};
use faregate_aws_tests::ministack::{Ministack, REGION, set_aws};
use faregate_aws_tests::python;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes down its arguments, and the password that it is given.
const DOCKER: &str =
    "#!/bin/sh\necho \"$@\" >> \"$HOME/docker.log\"\n[ \"$1\" != login ] || cat >> \"$HOME/docker.log\"\n";
/// A stack with the output that the guide asks for.
const STACK: &str = r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Other": {"Value": "no"}, "Snippet": {"Value": "gateway = Gateway()"}}}"#;

/// The guide for administrators on AWS.
fn guide() -> String {
    std::fs::read_to_string(workspace().join("docs/aws.md")).unwrap()
}

/// The first block of commands below a heading that has this in it.
fn block(heading: &str, with: &str) -> String {
    let guide = guide();
    let section = guide.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no `{heading}`")).1;
    let blocks = section.split("\n```\n").skip(1).step_by(2);
    blocks
        .map(str::to_owned)
        .find(|block| block.contains(with))
        .unwrap_or_else(|| panic!("no `{with}` below `{heading}`"))
}

struct Account {
    ministack: Ministack,
    home: tempfile::TempDir,
}

impl Account {
    fn new() -> Account {
        let account = Account { ministack: Ministack::start(), home: tempfile::tempdir().unwrap() };
        account.program("docker", DOCKER);
        account.run(&format!("aws configure set region {REGION}"));
        account
    }

    fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, lines: &str) -> String {
        let inherited = std::env::var("PATH").unwrap();
        let path = format!("{}:{}:{inherited}", self.home.path().display(), python::aws_cli().bin().display());
        let mut command = Command::new("bash");
        set_aws(&mut command, &self.ministack.url);
        command.args(["-e", "-o", "pipefail", "-c", lines]).current_dir(workspace()).stdin(Stdio::null());
        let output = command.env("HOME", self.home.path()).env("PATH", path).env("AWS_PAGER", "").output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`{lines}` fails:\n{said}{errors}");
        said.into_owned()
    }
}

#[test]
fn an_account_is_prepared_and_a_deployment_looked_at() {
    let account = Account::new();
    let role = account.run(&block("## Deploy", "aws iam"));
    assert!(role.contains("/aws-service-role/ecs.amazonaws.com/"), "{role}");

    account.run(&block("## Deploy", "docker buildx build"));
    let docker = std::fs::read_to_string(account.home.path().join("docker.log")).unwrap();
    let registry = format!("{}.dkr.ecr.{REGION}.amazonaws.com", faregate_aws_tests::ministack::ACCOUNT);
    let (login, build) = docker.split_once("buildx").unwrap();
    assert!(login.starts_with(&format!("login --username AWS --password-stdin {registry}\n")), "{docker}");
    assert!(login.lines().nth(1).is_some_and(|password| !password.is_empty()), "{docker}");
    assert!(build.contains(&format!("--tag {registry}/faregate-proxy:1 ")), "{docker}");
    let file = build.split_once("--file ").unwrap().1.split(' ').next().unwrap();
    let dockerfile = std::fs::read_to_string(workspace().join(file)).unwrap();
    assert!(dockerfile.contains(&format!("--package {PROXY} ")), "{file} builds another program");

    let template = account.home.path().join("stack.json");
    std::fs::write(&template, STACK).unwrap();
    let file = template.display();
    account.run(&format!("aws cloudformation create-stack --stack-name faregate --template-body file://{file}"));
    account.run("aws cloudformation wait stack-create-complete --stack-name faregate");
    assert_eq!(account.run(&block("## Compute", "describe-stacks")).trim(), "gateway = Gateway()");
}

/// Quotas, which the emulator does not know, as in a new account; and other tools' versions.
const NEW_ACCOUNT: &str = r#"#!/bin/sh
case "$1 $2" in
  "service-quotas get-service-quota") echo 6.0 ;;
  "lambda get-account-settings") echo 10 ;;
  "ec2 describe-availability-zones") printf 'us-west-1a\tusw1-az3\nus-west-1b\tusw1-az2\nus-west-1c\tusw1-az1\n' ;;
  *) exec "$REAL_AWS" "$@" ;;
esac
"#;

#[test]
fn a_newcomer_is_told_what_is_missing() {
    let account = Account::new();
    let real = python::aws_cli().bin().join("aws");
    account.program("aws", &NEW_ACCOUNT.replace("\"$REAL_AWS\"", &real.display().to_string()));
    account.program("sam", "#!/bin/sh\necho SAM CLI, version 1.164.3\n");
    account.program("docker", "#!/bin/sh\necho Docker version 27.0.3, build 7d4bcd8\n");
    account.program("cargo", "#!/bin/sh\n[ \"$1\" != lambda ] && echo cargo 1.95.0 || echo cargo-lambda 1.9.2\n");
    let looked = |lines: &str| account.run(&format!("{lines} infra/preflight.sh || echo missing: $?"));
    let said = looked("AWS_REGION=us-west-1");
    assert!(said.contains("MISSING sam is 1.164.3, and must be 1.165 or later: https://"), "{said}");
    assert!(said.contains("MISSING ECS's service-linked role: aws iam create-service-linked-role"), "{said}");
    assert!(
        said.contains("soon   functions at once (Lambda, Concurrent executions): 10. Ask for more at https://"),
        "{said}"
    );
    assert!(said.contains("soon   Fargate On-Demand vCPU: 6. Ask for more at https://"), "{said}");
    assert!(said.contains("ZoneNames: us-west-1a,us-west-1c and Zones: 2"), "{said}");
    assert!(said.contains("fine   cargo 1.95.0") && said.ends_with("missing: 1\n"), "{said}");
    // what it says is done
    account.run("aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com");
    account.program("sam", "#!/bin/sh\necho SAM CLI, version 1.170.0\n");
    let said = looked("AWS_REGION=eu-central-1");
    assert!(!said.contains("MISSING") && !said.contains("missing"), "{said}");
    assert!(
        said.contains("fine   sam 1.170.0") && said.contains("fine   zones: us-west-1a,us-west-1b,us-west-1c"),
        "{said}"
    );
}

#[test]
fn the_proxys_service_is_shrunk_and_a_key_made() {
    let account = Account::new();
    let key = account.run("openssl rand -base64 32");
    assert_eq!(key.trim().len(), 44, "{key}");
    let shrink = "aws ecs update-service --cluster faregate-proxy --service faregate-proxy --desired-count 1";
    assert!(guide().contains(&format!("`{shrink}`")));
    account.run("aws ecs create-cluster --cluster-name faregate-proxy");
    account.run("aws ecs register-task-definition --family proxy --container-definitions '[{\"name\": \"proxy\", \"image\": \"proxy\"}]'");
    account.run("aws ecs create-service --cluster faregate-proxy --service-name faregate-proxy --task-definition proxy --desired-count 0");
    let service = account.run(shrink);
    assert!(service.contains("\"desiredCount\": 1"), "{service}");
}

fn prints(program: &str, arguments: &[&str], input: Option<&str>) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).stdout(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}", output.status);
    said
}

#[test]
fn the_offline_stack_ends_by_enter_and_leaves_nothing() {
    let said = prints(env!("CARGO_BIN_EXE_offline-stack"), &[], Some("\n"));
    assert!(said.contains("address:") && said.contains("left: "), "{said}");
}

#[test]
fn aws_bench() {
    let said = prints(env!("CARGO_BIN_EXE_aws-bench"), &["heartbeats"], None);
    assert!(!said.trim().is_empty());
}

/// With the binaries of the tests, where the guide's command builds them anew.
#[test]
fn start_up() {
    let built = Path::new(env!("CARGO_BIN_EXE_start-up")).parent().unwrap();
    faregate_aws_tests::functions::binaries();
    let hello = Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--bin", "hello-lambda"])
        .current_dir(workspace())
        .status();
    assert!(hello.unwrap().success());
    let said = prints(env!("CARGO_BIN_EXE_start-up"), &["--binaries", built.to_str().unwrap(), "1"], None);
    assert!(said.contains("start to first answer (median of 1)"), "{said}");
}
