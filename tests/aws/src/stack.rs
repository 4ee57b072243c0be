//! The real template, deployed with `sam deploy`, and everything around it that AWS would be.

use crate::front_door::FrontDoor;
use crate::functions;
use crate::ministack::{ACCOUNT, Ministack, REGION, free_port, kill_all, set_aws};
use crate::proxy::{Ports, Proxy};
use crate::wires::Wires;
use crate::{python, settings, template};
use aws_config::SdkConfig;
use fake_ecs::{FakeEcs, Settings};
use faregate_cli::demo::leftovers::{self, Leftover};
use faregate_tests::script::Script;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The stack's name, so its ECS cluster's too.
pub const STACK: &str = "faregate-test";

/// What a stack is deployed with.
pub struct Options {
    /// The parameter `Settings`.
    pub settings: Value,
    /// Other parameters, over those that a stack here needs.
    pub parameters: BTreeMap<String, String>,
    /// More of the emulator's environment, and so of the functions'.
    pub environment: BTreeMap<String, String>,
    /// Whether the calls of the functions and of the proxy are written down.
    pub recorded: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            settings: settings::settings(),
            parameters: BTreeMap::new(),
            environment: BTreeMap::new(),
            recorded: false,
        }
    }
}

/// A deployed stack. Dropped, all that it started is killed.
pub struct Stack {
    /// Where users find the gateway.
    pub front_door: FrontDoor,
    /// The proxy's process.
    pub proxy: Option<Proxy>,
    /// ECS.
    pub ecs: FakeEcs,
    /// Everything else of AWS.
    pub ministack: Ministack,
    /// What writes calls down, where they are.
    pub wires: Option<Wires>,
    /// What the stack consists of.
    pub deployed: Deployed,
    ports: Ports,
    parameters: BTreeMap<String, String>,
    dir: TempDir,
}

/// What a stack, or one nested in it, consists of.
#[derive(Debug, Deserialize)]
pub struct Deployed {
    /// Outputs by name.
    pub outputs: BTreeMap<String, String>,
    /// Physical ids by logical ids.
    pub resources: BTreeMap<String, String>,
    /// Nested stacks by logical ids.
    pub nested: BTreeMap<String, Deployed>,
    /// The users' password; of the outer stack only.
    #[serde(default)]
    pub password: String,
    /// The container of the proxy's task definition, where there is one.
    #[serde(default)]
    pub proxy: Option<Value>,
}

impl Stack {
    /// Builds, deploys, starts; with `FAREGATE_DIST`, takes a release as it is instead of building. Panics with what the tool said if it fails.
    pub fn deploy(options: &Options) -> Stack {
        let dir = tempfile::Builder::new().prefix("faregate-stack-").tempdir().unwrap();
        match std::env::var_os("FAREGATE_DIST") {
            Some(release) => template::of_release(Path::new(&release), dir.path()),
            None => {
                functions::package(&dir.path().join("functions"));
                template::write(dir.path(), &dir.path().join("functions"));
            }
        }
        let front_door = FrontDoor::start();
        let ports = Ports { relay: free_port(), dashboards: free_port() };
        // each of the two has the other's address in its environment
        let port = free_port();
        let ecs = start_ecs(&format!("http://127.0.0.1:{port}"), &dir.path().join("tasks"));
        let wires = options.recorded.then(|| Wires::start(&format!("http://127.0.0.1:{port}"), ecs.url()));
        let mut environment: Vec<(&str, &str)> = match &wires {
            Some(wires) => vec![("AWS_ENDPOINT_URL", &wires.aws.url), ("AWS_ENDPOINT_URL_ECS", &wires.ecs.url)],
            None => vec![("AWS_ENDPOINT_URL_ECS", ecs.url())],
        };
        environment.extend(options.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let ministack = Ministack::start_at(port, &environment);
        let parameters = parameters(options, &front_door.url, ports);
        sam_deploy(&ministack.url, dir.path(), &parameters);
        let deployed = describe(&ministack.url, dir.path());
        front_door.lead_to(port, &deployed.resources["Api"]);
        let mut stack = Stack { front_door, proxy: None, ecs, ministack, wires, deployed, ports, parameters, dir };
        stack.start_proxy();
        stack
    }

    /// Deploys once more from the same directory, with changed parameters; what runs goes on.
    pub fn deploy_again(&mut self, changed: &[(&str, &str)]) {
        self.parameters.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        sam_deploy(&self.ministack.url, self.dir.path(), &self.parameters);
        self.deployed = describe(&self.ministack.url, self.dir.path());
    }

    /// Starts another proxy from what is deployed now, which new connections reach. The one before, which keeps its own until it is dropped.
    pub fn start_proxy(&mut self) -> Option<Proxy> {
        let container = self.deployed.proxy.as_ref()?;
        if self.proxy.is_some() {
            self.ports = Ports { relay: free_port(), dashboards: free_port() };
        }
        let aws = self.wires.as_ref().map_or(&self.ministack.url, |wires| &wires.aws.url);
        let proxy = Proxy::start(container, self.ports, aws, self.dir.path());
        self.proxy.replace(proxy)
    }

    /// Where it was deployed from.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a program that acts as a user, `<dir>/<name>.py` where `dir` is given from this package.
    pub fn script(&self, dir: &str, name: &str, arguments: &[&str]) -> Script {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = package.join(dir).join(name).with_extension("py");
        let relay = self.relay_address();
        let environment = [
            ("FAREGATE_PASSWORD", Path::new(&self.deployed.password)),
            ("DASK_GATEWAY__PROXY_ADDRESS", Path::new(&relay)),
            ("PYTHONPATH", &package.join("../scripts")),
            ("PYTHONDONTWRITEBYTECODE", Path::new("1")),
        ];
        Script::at(&self.front_door.url, &python::dask(), &script, arguments, &environment)
    }

    /// What clients give as `proxy_address`.
    pub fn relay_address(&self) -> String {
        format!("gateway://127.0.0.1:{}", self.ports.relay)
    }

    /// How the SDK reaches everything but ECS.
    pub async fn sdk_config(&self) -> SdkConfig {
        self.ministack.sdk_config().await
    }

    /// The physical id of a resource of the outer stack.
    pub fn resource(&self, logical: &str) -> &str {
        &self.deployed.resources[logical]
    }

    /// Processes of tasks and of their children.
    pub fn task_processes(&self) -> Vec<Leftover> {
        leftovers::find(&self.tasks_dir())
    }

    /// Where tasks live.
    pub fn tasks_dir(&self) -> PathBuf {
        self.dir.path().join("tasks")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        kill_all(self.dir.path());
    }
}

fn start_ecs(aws: &str, dir: &Path) -> FakeEcs {
    let mut settings = Settings::new(dir);
    settings.region = REGION.into();
    settings.account = ACCOUNT.into();
    settings.clusters = vec![STACK.into()];
    settings.path = vec![python::dask().bin()];
    settings.s3 = Some(aws.into());
    settings.events = Some(aws.into());
    settings.logs = Some(aws.into());
    settings.environment = BTreeMap::from([("PYTHONDONTWRITEBYTECODE".into(), "1".into())]);
    FakeEcs::start(settings).unwrap()
}

fn parameters(options: &Options, front_door: &str, ports: Ports) -> BTreeMap<String, String> {
    let (functions, tasks) = match std::env::consts::ARCH {
        "aarch64" => ("arm64", "ARM64"),
        _ => ("x86_64", "X86_64"),
    };
    let dashboards = format!("http://127.0.0.1:{}", ports.dashboards);
    let own = [
        ("FunctionArchitecture", functions),
        ("TaskArchitecture", tasks),
        ("Image", settings::IMAGE),
        ("PublicUrl", front_door),
        ("Proxy", "internal"),
        ("ProxyImage", "proxy"),
        ("ProxyMaxTasks", "1"), // no scaling, which the emulator does not know
        ("DashboardUrl", &dashboards),
        ("SignIn", "tokens,basic"),
        ("SharedPassword", "true"),
        ("DeletionProtection", "false"),
        ("LogLevel", "debug"),
    ];
    let mut parameters: BTreeMap<_, _> = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    parameters.insert("Settings".into(), options.settings.to_string());
    parameters.extend(options.parameters.clone());
    parameters
}

fn sam_deploy(aws: &str, dir: &Path, parameters: &BTreeMap<String, String>) {
    std::fs::write(dir.join("parameters.yaml"), json!(parameters).to_string()).unwrap();
    let mut sam = Command::new(python::sam().bin().join("sam"));
    set_aws(&mut sam, aws);
    let output = sam
        .args(["deploy", "--stack-name", STACK]) // the rest stands in samconfig.toml
        .env("SAM_CLI_TELEMETRY", "0")
        .env("HOME", dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "`sam deploy` fails:\n{}", String::from_utf8_lossy(&said));
}

fn describe(aws: &str, dir: &Path) -> Deployed {
    let mut python = Command::new(python::emulator().python());
    set_aws(&mut python, aws);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/deployed.py");
    let output = python.arg(program).arg(STACK).current_dir(dir).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the stack cannot be described");
    serde_json::from_slice(&output.stdout).unwrap()
}
