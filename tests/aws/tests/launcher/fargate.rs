//! A launcher over a fake ECS of its own, and an S3 that all tests of the process share.

use async_trait::async_trait;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials};
use fake_ecs::FakeEcs;
use faregate_aws_tests::ministack::Ministack;
use faregate_aws_tests::python;
use faregate_core::model::{ClusterName, Launch, LaunchId, LaunchSpec, Ms, TaskFacts, TaskId};
use faregate_core::ports::{self, LaunchError, Launched, Launcher, LauncherError, PrepareError, TaskPage};
use faregate_ecs::{EcsLauncher, Settings};
use faregate_functions::{LogPlace, TaskLogs};
use faregate_tests::launcher_suite::{Fixture, Runs, credentials, worker_spec};
use serde_json::json;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The bucket of the environment files.
pub const BUCKET: &str = "environments";
/// The log group of the tasks.
const LOG_GROUP: &str = "/dask/tasks";
const REGION: &str = "eu-west-1";

/// A launcher, and the ECS it uses. Dropped, it kills what runs there.
pub struct Fargate {
    /// The ECS.
    pub ecs: FakeEcs,
    /// The launcher, whose clusters have credentials.
    pub launcher: Prepared,
    dir: TempDir,
}

impl Fargate {
    /// One whose tasks are processes.
    pub async fn start() -> Fargate {
        Fargate::with(true).await
    }

    /// One that lists by who started tasks and by nothing else besides, as its reference says.
    pub async fn with_strict_filters() -> Fargate {
        let fargate = Fargate::with(true).await;
        fargate.ecs.turn(|knobs| knobs.strict_filters = true);
        fargate
    }

    /// One whose tasks only go through their states.
    pub async fn without_processes() -> Fargate {
        Fargate::with(false).await
    }

    async fn with(run_processes: bool) -> Fargate {
        let dir = TempDir::new().unwrap();
        let mut settings = fake_ecs::Settings::new(dir.path());
        settings.clusters = vec!["tasks".into()];
        settings.path = vec![python::emulator().bin()];
        settings.s3 = Some(s3().url.clone());
        settings.logs = Some(s3().url.clone());
        settings.run_processes = run_processes;
        let ecs = FakeEcs::start(settings).unwrap();
        let launcher = Prepared { inner: launcher(&ecs).await, known: Mutex::default() };
        Fargate { ecs, launcher, dir }
    }
}

fn s3() -> &'static Ministack {
    static MINISTACK: OnceLock<Ministack> = OnceLock::new();
    MINISTACK.get_or_init(Ministack::start)
}

/// A client of the S3 that all share; the bucket exists.
pub async fn s3_client() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&s3().sdk_config().await).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    client
}

/// The reader of what tasks write; the log group exists.
pub fn task_logs() -> TaskLogs {
    let body = json!({"logGroupName": LOG_GROUP}).to_string();
    let authority = s3().url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n\
         X-Amz-Target: Logs_20140328.CreateLogGroup\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20200101/{REGION}/logs/aws4_request\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap(); // it may be there already
    let (stack, group) = ("dask".to_owned(), LOG_GROUP.to_owned());
    let place = LogPlace { stack, group, region: REGION.to_owned(), endpoint: s3().url.clone() };
    TaskLogs::new(place, Credentials::new("test", "test", None, None, "tests"), "tests")
}

/// A client of this ECS, with the SDK's own retries.
pub fn ecs_client(ecs: &FakeEcs) -> aws_sdk_ecs::Client {
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(ecs.url())
        .region(aws_sdk_ecs::config::Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    aws_sdk_ecs::Client::from_conf(config.build())
}

/// Another launcher over the same ECS.
pub async fn launcher(ecs: &FakeEcs) -> EcsLauncher {
    let text = |text: &str| text.to_owned();
    let settings = Settings {
        stack: text("dask"),
        cluster: text("tasks"),
        subnets: vec![text("subnet-a"), text("subnet-b")],
        scheduler_security_groups: vec![text("sg-scheduler")],
        worker_security_groups: vec![text("sg-worker")],
        assign_public_ip: true,
        execution_role: text("arn:aws:iam::000000000000:role/execution"),
        task_role: None,
        bucket: text(BUCKET),
        log_group: text(LOG_GROUP),
        region: text(REGION),
        registry_credentials: None,
        image: text("dask:1"),
        cpu_architecture: text("X86_64"),
    };
    let (ecs, s3) = (ecs_client(ecs), s3_client().await);
    EcsLauncher::new(settings, || ecs, || s3).with_page(3)
}

/// A launcher that prepares a cluster at its first launch, unless someone has prepared or discarded it: a task without an
/// environment file does not start.
pub struct Prepared {
    inner: EcsLauncher,
    known: Mutex<HashSet<ClusterName>>,
}

impl Prepared {
    fn is_new(&self, cluster: &ClusterName) -> bool {
        self.known.lock().unwrap().insert(cluster.clone())
    }
}

#[async_trait]
impl Launcher for Prepared {
    async fn prepare(&self, credentials: &ports::Credentials) -> Result<(), PrepareError> {
        self.is_new(&credentials.cluster);
        self.inner.prepare(credentials).await
    }

    async fn discard(&self, cluster: &ClusterName) -> Result<(), LauncherError> {
        self.is_new(cluster);
        self.inner.discard(cluster).await
    }

    async fn launch(&self, launch: &Launch, now: Ms) -> Result<Launched, LaunchError> {
        if self.is_new(&launch.cluster) {
            self.inner.prepare(&credentials(&launch.cluster, "k1-any")).await.unwrap();
        }
        self.inner.launch(launch, now).await
    }

    async fn stop(&self, task: &TaskId) -> Result<(), LauncherError> {
        self.inner.stop(task).await
    }

    async fn describe(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskFacts>>, LauncherError> {
        self.inner.describe(tasks).await
    }

    async fn list_launch(&self, launch: &LaunchId) -> Result<Vec<TaskFacts>, LauncherError> {
        self.inner.list_launch(launch).await
    }

    async fn list(&self, cursor: Option<&str>) -> Result<TaskPage, LauncherError> {
        self.inner.list(cursor).await
    }
}

#[async_trait]
impl Fixture for Fargate {
    fn launcher(&self) -> &dyn Launcher {
        &self.launcher
    }

    fn now(&self) -> Ms {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as Ms
    }

    fn spec(&self, count: u32, runs: Runs) -> LaunchSpec {
        let exits;
        let spec = match runs {
            Runs::ForEver => worker_spec(count, &["sleep", "100000"]),
            Runs::Exits(code) => {
                exits = format!("echo so it ends; exit {code}");
                worker_spec(count, &["sh", "-c", &exits])
            }
            Runs::Reports => {
                let report = r#"echo "worker_name=$1"; echo "token=$DASK_GATEWAY_API_TOKEN""#;
                worker_spec(count, &["sh", "-c", report, "sh", "{worker_name}"])
            }
        };
        LaunchSpec { memory_bytes: 2 << 30, ..spec } // the least with one core
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    async fn written_by(&self, task: &TaskFacts) -> Vec<String> {
        let log = std::fs::read_to_string(self.dir.path().join(format!("{}.log", task.id)));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }
}
