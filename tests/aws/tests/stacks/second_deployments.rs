//! The life of a deployment, by the commands of the guides in their order: a changed parameter, an upgrade, a rotated key, the end. A cluster
//! computes through all of it.

use faregate_aws_tests::functions::{FUNCTIONS, workspace};
use faregate_aws_tests::ministack::set_aws;
use faregate_aws_tests::python;
use faregate_aws_tests::stack::{Options, STACK, Stack};
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_computes_through_deployments_and_the_stack_goes_by_the_guide() {
    let mut stack = Stack::deploy(&Options::default());
    let mut session = stack.script(
        "scripts",
        "deployed_again",
        &["parameter", "functions", "proxy", "standby", "rotated", "restored"],
    );
    let cluster = session.hears("cluster");
    let mut goes_on = |step| {
        session.go_on();
        session.hears(step);
    };

    stack.deploy_again(&[("LogLevel", "info"), ("Settings", &more_workers())]);
    let environment = variables(&stack, "api");
    assert_eq!(environment["FAREGATE_LOG"], "info");
    assert!(environment["FAREGATE_CONFIG"].as_str().unwrap().contains(r#""cluster_max_workers":4"#), "{environment}");
    goes_on("parameter");

    let before = code(&stack);
    FUNCTIONS.iter().for_each(|function| another_version(&stack, function));
    stack.deploy_again(&[]);
    assert_ne!(code(&stack), before);
    goes_on("functions");

    stack.deploy_again(&[("ProxyImage", "proxy:2")]);
    assert_eq!(stack.deployed.proxy.as_ref().unwrap()["image"], "proxy:2");
    let old_proxy = stack.start_proxy();
    stack.script("scripts", "computes", &[]).ends_well();
    goes_on("proxy");

    key_is_added(&stack);
    stack.deploy_again(&[("KeyRingVersion", "2")]);
    goes_on("standby");
    key_signs(&stack);
    stack.deploy_again(&[("KeyRingVersion", "3")]);
    assert_eq!(variables(&stack, "api")["FAREGATE_KEY_RING_VERSION"], "3");
    goes_on("rotated");
    restored(&stack).await;
    goes_on("restored");
    session.ends_well();
    drop(old_proxy);
    stack.script("scripts", "computes", &[]).ends_well();
    assert_eq!(stack.cluster(&cluster).await.name.to_string(), cluster);

    verified(&stack);
    uninstalled(&stack);
}

/// What `verify.sh` is there for, as far as the emulators have it.
fn verified(stack: &Stack) {
    let (code, said) = runs(stack, &format!("{} {STACK} --throttle", workspace().join("infra/verify.sh").display()));
    assert_eq!(code, Some(0), "{said}");
    eprintln!("{said}");
    for fact in [
        "| client | 401; ",
        "www-authenticate: Basic",
        "| scheduler runs after | ",
        "| startedBy | 1 tasks |",
        "| startedBy, of the workers | 2 tasks |",
        "| family and startedBy | An error occurred (InvalidParameterException)",
        "pullStarted +",
        "| all tasks stopped after | ",
        "exit code ",
        "| the gateway says | STOPPED after ",
        "## An API that may not run",
    ] {
        assert!(said.to_lowercase().contains(&fact.to_lowercase()), "no `{fact}` in:\n{said}");
    }
    assert!(!said.contains(&stack.deployed.password), "a report has no secret in it");
}

/// What is left to take away: a cluster that runs, and everything that it and others made.
fn uninstalled(stack: &Stack) {
    let mut left_running = stack.script("scripts", "scheduler_killed", &[]);
    left_running.hears("cluster");
    let script = workspace().join("infra/cloudformation/uninstall.sh");
    for time in ["first", "second"] {
        let (code, said) = runs(stack, &format!("{} {STACK} --yes", script.display()));
        assert_eq!(code, Some(0), "{time}: {said}");
        assert!(said.contains(&format!("`{STACK}` is gone.")), "{time}: {said}");
    }
    assert_eq!(stack.task_processes().len(), 0);
    let (_, said) =
        runs(stack, "aws dynamodb list-tables; aws s3 ls; aws secretsmanager list-secrets; aws lambda list-functions");
    assert!(!said.contains(STACK), "{said}");
    let (_, said) =
        runs(stack, "aws ecs list-task-definitions --status ACTIVE; aws ecs list-task-definitions --status INACTIVE");
    assert!(!said.contains(&format!("{STACK}-x86_64")) && !said.contains(&format!("{STACK}-arm64")), "{said}");
}

/// The guide's own commands; what an administrator does in the file between them is done here.
fn key_is_added(stack: &Stack) {
    let [read, written] = rotation();
    succeeds(stack, &read);
    let (_, secret) = runs(stack, "openssl rand -base64 32");
    change(stack, |ring| ring["keys"] = json!([{"id": "k2", "secret": secret.trim(), "standby": true}]));
    succeeds(stack, &written);
}

fn key_signs(stack: &Stack) {
    let [read, written] = rotation();
    succeeds(stack, &read);
    change(stack, |ring| _ = ring["keys"][0].as_object_mut().unwrap().remove("standby"));
    succeeds(stack, &written);
    assert!(!stack.dir().join("ring.json").exists(), "the guide takes the file away");
}

/// Every record goes, and comes back by the guide, while a cluster computes.
async fn restored(stack: &Stack) {
    let [copied, put_back] = two_blocks("docs/aws.md", "## Back up and restore");
    succeeds(stack, &copied);
    let emptied = "import boto3, sys; table = boto3.resource('dynamodb').Table(sys.argv[1])\n\
                   for i in table.scan()['Items']: table.delete_item(Key={k: i[k] for k in ('pk', 'sk')})";
    let python = python::emulator().python();
    succeeds(stack, &format!("{} -c \"{emptied}\" {}", python.display(), stack.resource("Table")));
    let (code, said) = runs(stack, &put_back.replace("infra/", &format!("{}/infra/", workspace().display())));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" items were not in "), "{said}");
}

/// The two blocks of docs/key-rotation.md.
fn rotation() -> [String; 2] {
    two_blocks("docs/key-rotation.md", "## On AWS")
}

/// Two blocks of commands below a heading, of this stack, each for a shell of its own: the second begins with the first's first line, which
/// the guide's reader need not type again.
fn two_blocks(guide: &str, heading: &str) -> [String; 2] {
    let guide = std::fs::read_to_string(workspace().join(guide)).unwrap();
    let section = guide.split_once(&format!("{heading}\n")).unwrap().1.split("\n## ").next().unwrap();
    let blocks: Vec<&str> = section.split("\n```\n").skip(1).step_by(2).collect();
    let [first, second] = blocks.as_slice() else { panic!("{} blocks below `{heading}`", blocks.len()) };
    let here = |block: &str| {
        block
            .replace("--stack-name faregate ", &format!("--stack-name {STACK} "))
            .replace("faregate-reconcile", &format!("{STACK}-reconcile"))
    };
    [here(first), here(&format!("{}\n{second}", first.lines().next().unwrap()))]
}

fn change(stack: &Stack, change: impl FnOnce(&mut Value)) {
    let file = stack.dir().join("ring.json");
    let mut ring: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut ring);
    std::fs::write(file, ring.to_string()).unwrap();
}

fn more_workers() -> String {
    let mut settings = Options::default().settings;
    settings["cluster"]["cluster_max_workers"] = json!(4);
    settings.to_string()
}

/// Of `sam build` only that its result differs.
fn another_version(stack: &Stack, function: &str) {
    std::fs::write(stack.dir().join("functions").join(function).join("version"), "2").unwrap();
}

fn function(stack: &Stack, name: &str) -> Value {
    let (_, said) = runs(stack, &format!("aws lambda get-function-configuration --function-name {STACK}-{name}"));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn variables(stack: &Stack, name: &str) -> Value {
    function(stack, name)["Environment"]["Variables"].take()
}

fn code(stack: &Stack) -> Vec<Value> {
    FUNCTIONS.iter().map(|name| function(stack, name)["CodeSha256"].take()).collect()
}

fn succeeds(stack: &Stack, lines: &str) {
    let (code, said) = runs(stack, lines);
    assert_eq!(code, Some(0), "`{lines}`:\n{said}");
}

/// A shell with both CLIs, where the stack was deployed from; its exit code, and what it says.
fn runs(stack: &Stack, lines: &str) -> (Option<i32>, String) {
    let mut command = Command::new("bash");
    set_aws(&mut command, &stack.ministack.url);
    let (cli, sam) = (python::aws_cli().bin(), python::sam().bin());
    let path = format!("{}:{}:{}", cli.display(), sam.display(), std::env::var("PATH").unwrap());
    command.args(["-e", "-o", "pipefail", "-c", lines]).env("PATH", path).env("HOME", stack.dir());
    command.env("AWS_ENDPOINT_URL_ECS", stack.ecs.url()).env("AWS_PAGER", "").env("SAM_CLI_TELEMETRY", "0");
    command.env("PYTHON", python::dask().python()).env("FAREGATE_PASSWORD", &stack.deployed.password);
    command.env("DASK_GATEWAY__PROXY_ADDRESS", stack.relay_address()).env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False");
    command.env("FAREGATE_UNINSTALL_WAIT", "5").current_dir(stack.dir()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, if status.success() { Vec::new() } else { stderr }].concat();
    (status.code(), String::from_utf8_lossy(&text).into_owned())
}
