//! `uninstall.sh`, with the AWS CLI and the SAM CLI, against the emulator: what is gone, what stays, and what is not known.
#![allow(clippy::unwrap_used)]

use faregate_aws_tests::functions::workspace;
use faregate_aws_tests::ministack::{Ministack, REGION, set_aws};
use faregate_aws_tests::python;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const STACK: &str = "half";
/// Nobody listens here: what is sent to it fails as when the network does.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A program with both CLIs in its path.
fn with_tools(program: &str, aws: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    set_aws(&mut command, aws);
    let system = std::env::var("PATH").unwrap();
    let (cli, sam) = (python::aws_cli().bin(), python::sam().bin());
    command.env("PATH", format!("{}:{}:{system}", cli.display(), sam.display()));
    command.env("HOME", home).env("AWS_DEFAULT_REGION", REGION).env("AWS_MAX_ATTEMPTS", "1");
    command.env("SAM_CLI_TELEMETRY", "0").env("FAREGATE_UNINSTALL_WAIT", "0").stdin(Stdio::null());
    command
}

fn create(aws: &str, home: &Path, stack: &str, resources: Value) {
    let template = json!({ "Resources": resources }).to_string();
    let mut command = with_tools("aws", aws, home);
    command.args(["cloudformation", "create-stack", "--stack-name", stack, "--template-body", &template]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn uninstall(aws: &str, home: &Path, failing: Option<&str>) -> (Option<i32>, String, String) {
    let script = workspace().join("infra/cloudformation/uninstall.sh");
    let mut command = with_tools("bash", aws, home);
    if let Some(service) = failing {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), NOWHERE);
    }
    let Output { status, stdout, stderr } = command.arg(script).args([STACK, "--yes"]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_gone_when_that_was_seen_and_not_when_a_call_failed() {
    let ministack = Ministack::start();
    let (aws, dir) = (ministack.url.as_str(), tempfile::tempdir().unwrap());
    let home = dir.path();
    let table = json!({"TableName": "records", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]});
    let resources = json!({
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "EnvironmentFiles": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "half-files"}},
        "KeyRing": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "half-ring", "SecretString": "x"}},
    });
    create(aws, home, STACK, resources);
    let bucket = json!({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sam-source"}});
    create(aws, home, "aws-sam-cli-managed-default", json!({ "SamCliSourceBucket": bucket }));

    for service in ["CLOUDFORMATION", "DYNAMODB", "ECS"] {
        let (code, out, err) = uninstall(aws, home, Some(service));
        assert_ne!(code, Some(0), "{service}: {out}{err}");
        assert!(!out.contains("is gone") && err.contains("Not finished: a call failed"), "{service}: {out}{err}");
    }
    // the second time nothing is left but what SAM shares
    for _ in 0..2 {
        let (code, out, err) = uninstall(aws, home, None);
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("`half` is gone."), "{out}{err}");
        assert!(out.contains("The bucket `sam-source` stays"), "{out}{err}");
        assert!(out.contains("sam delete --stack-name aws-sam-cli-managed-default"), "{out}{err}");
    }
    let mut list = with_tools("aws", aws, home);
    let tables = list.args(["dynamodb", "list-tables", "--output", "text"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&tables.stdout).contains("records"), "{tables:?}");
}
