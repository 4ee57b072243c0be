//! One cluster's processes, and whom they talk to.

use super::{DEADLINE, TOKEN};
use axum::extract::State;
use axum::{Json, Router, routing::post};
use faregate_cli::python::PythonEnv;
use faregate_core::command::{DASHBOARD_HEADER, Listen, environment, scheduler_command, worker_command};
use faregate_core::model::{ClusterConfig, ClusterName, Policy};
use faregate_core::ports::{Answer, Ask, Idleness, Question, SchedulerError, Schedulers};
use faregate_dask::HttpSchedulers;
use faregate_keys::{dashboard_key, issue_certificate};
use faregate_tests::python::dask;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// Pages of every kind: of bokeh, of templates, JSON, files, WebSockets, what there is not, what is added later, the API's.
pub(super) const PAGES: [&str; 14] = [
    "/",
    "/status",
    "/status/ws",
    "/info/main/workers.html",
    "/info/call-stacks/x.html",
    "/json/counts.json",
    "/statics/images/favicon.ico",
    "/health",
    "/metrics",
    "/sitemap.json",
    "/faregate/idle",
    "/added",
    "/api/health",
    "/api/comm",
];

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

pub(super) fn key() -> String {
    dashboard_key(TOKEN)
}

pub(super) fn schedulers() -> HttpSchedulers {
    HttpSchedulers::new(DEADLINE)
}

pub(super) struct Announced {
    pub(super) comm: SocketAddr,
    pub(super) dashboard: SocketAddr,
    pub(super) api: SocketAddr,
}

/// One cluster's processes in a directory of their own, and an API that takes their heartbeats.
pub(super) struct TestCluster {
    pub(super) name: ClusterName,
    pub(super) config: ClusterConfig,
    pub(super) python: PathBuf,
    pub(super) directory: tempfile::TempDir,
    pub(super) api_url: String,
    pub(super) heartbeats: watch::Receiver<Value>,
    pub(super) processes: Vec<Process>,
}

impl TestCluster {
    pub(super) async fn start(version: &str) -> Self {
        TestCluster::start_in(&dask(version)).await
    }

    pub(super) async fn start_in(python: &PythonEnv) -> Self {
        let (heard, heartbeats) = watch::channel(Value::Null);
        let take = |State(heard): State<watch::Sender<Value>>, Json(body): Json<Value>| async move {
            heard.send_replace(body);
        };
        let api = Router::new().route("/api/v1/clusters/{name}/heartbeat", post(take)).with_state(heard);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_url = format!("http://{}/api", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, api).await });

        let name: ClusterName = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let certificate = issue_certificate(&name, now as i64).unwrap();
        for (file, text) in [("cert.pem", &*certificate.cert_pem), ("key.pem", &certificate.key_pem), ("token", TOKEN)]
        {
            std::fs::write(directory.path().join(file), text).unwrap();
        }
        let config = ClusterConfig { adaptive_period: 0.2, worker_memory: 1 << 30, ..ClusterConfig::default() };
        let policy = Policy { heartbeat_period_ms: 500, ..Policy::default() };
        let command = scheduler_command(&config, &policy, &Listen::loopback());
        let python = python.dir().to_owned();
        let mut cluster = TestCluster { name, config, python, directory, api_url, heartbeats, processes: Vec::new() };
        cluster.spawn("scheduler", &command);
        cluster
    }

    pub(super) fn start_worker(&mut self, scheduler: SocketAddr, name: &str) {
        let command: Vec<_> = worker_command(&self.config, scheduler, &Listen::loopback())
            .into_iter()
            .map(|word| word.replace("{worker_name}", name))
            .collect();
        self.spawn(name, &command);
    }

    pub(super) fn client(&self, scheduler: SocketAddr, script: &str) -> Process {
        let command = ["python", "-c", script, &format!("tls://{scheduler}")].map(str::to_owned);
        Process::start(self.command(&command).stdin(Stdio::piped()).stdout(Stdio::piped()), &self.log("client"))
    }

    pub(super) fn spawn(&mut self, log: &str, command: &[String]) {
        let log = self.log(log);
        self.processes.push(Process::start(&mut self.command(command), &log));
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.log"))
    }

    /// With the environment of a task, credentials included.
    pub(super) fn command(&self, words: &[String]) -> Command {
        let file = |name: &str| self.directory.path().join(name);
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.directory.path())
            .env("PATH", format!("{}:{path}", self.python.join("bin").display()))
            .envs(environment(&self.config, &self.api_url, &self.name))
            .env("TEST_DIRECTORY", self.directory.path())
            .env("DASK_GATEWAY_API_TOKEN", file("token"))
            .env("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", file("cert.pem"));
        for role in ["SCHEDULER", "WORKER", "CLIENT"] {
            command.env(format!("DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"), file("cert.pem"));
            command.env(format!("DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"), file("key.pem"));
        }
        command
    }

    /// Ports that its processes listen on: those with its name in their environment.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        let name = format!("DASK_GATEWAY_API_URL={}", self.api_url);
        let mut sockets = BTreeSet::new();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|variable| variable == name.as_bytes()) {
                let open = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
                sockets.extend(
                    open.filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string())),
                );
            }
        }
        let mut ports = BTreeSet::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
                let fields: Vec<&str> = line.split_ascii_whitespace().collect();
                if fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9])) {
                    ports.insert(u16::from_str_radix(fields[1].rsplit_once(':').unwrap().1, 16).unwrap());
                }
            }
        }
        ports
    }

    pub(super) async fn addresses(&mut self) -> Announced {
        let body = self.heartbeat_when("arrives", Value::is_object).await;
        let address = |field: &str| body[field].as_str().unwrap().split_once("://").unwrap().1.parse().unwrap();
        Announced {
            comm: address("scheduler_address"),
            dashboard: address("dashboard_address"),
            api: address("api_address"),
        }
    }

    /// Asks for so many workers: more would be retired.
    pub(super) async fn wants(&mut self, count: u32) -> Announced {
        let addresses = self.addresses().await;
        assert_eq!(self.ask(addresses.api, Question::Scale { count }).await, Ok(Answer::Ok));
        addresses
    }

    /// The first heartbeat of which `condition` holds.
    pub(super) async fn heartbeat_when(&mut self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        if let Ok(body) = tokio::time::timeout(DEADLINE, self.heartbeats.wait_for(&condition)).await {
            return body.unwrap().clone();
        }
        panic!("no heartbeat that {what}\n{}", self.logs())
    }

    pub(super) async fn ask(&self, address: SocketAddr, question: Question) -> Result<Answer, SchedulerError> {
        let ask = Ask { cluster: self.name.clone(), address, token: TOKEN.to_owned(), question };
        schedulers().ask(vec![ask]).await.remove(0)
    }

    pub(super) async fn idleness(&mut self) -> Idleness {
        let dashboard = self.addresses().await.dashboard;
        match self.ask(dashboard, Question::Idle).await {
            Ok(Answer::Idle(idle)) => idle,
            other => panic!("{other:?}\n{}", self.logs()),
        }
    }

    pub(super) async fn idleness_when(&mut self, what: &str, condition: impl Fn(&Idleness) -> bool) -> Idleness {
        let begun = Instant::now();
        loop {
            let idle = self.idleness().await;
            if condition(&idle) {
                return idle;
            }
            assert!(begun.elapsed() < DEADLINE, "never {what}: {idle:?}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The status code of a bare request with this key; `closed` for what is no answer of HTTP's.
    pub(super) async fn status(&self, address: SocketAddr, request: &str, key: Option<&str>) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n");
        head += if request.ends_with("/ws") { WEBSOCKET } else { "Connection: close\r\n" };
        if let Some(key) = key {
            head += &format!("{DASHBOARD_HEADER}: {key}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes()).await.unwrap();
        let mut first = String::new();
        // TLS that is not spoken to in TLS ends the connection
        let read = tokio::time::timeout(DEADLINE, BufReader::new(stream).read_line(&mut first)).await.unwrap();
        match read.ok().and_then(|_| first.strip_prefix("HTTP/1.1 ")) {
            Some(status) => status.split(' ').next().unwrap_or_default().to_owned(),
            None => "closed".to_owned(),
        }
    }

    pub(super) fn logs(&self) -> String {
        ["scheduler", "w-1", "w-2", "w-3", "client"]
            .map(|name| std::fs::read_to_string(self.log(name)).unwrap_or_default())
            .join("\n---\n")
    }
}

/// A process and its children, killed when dropped.
pub(super) struct Process {
    pub(super) group: rustix::process::Pid,
    pub(super) output: Option<BufReader<ChildStdout>>,
    pub(super) child: Child,
}

impl Process {
    pub(super) fn start(command: &mut Command, log: &Path) -> Self {
        let mut log = File::create(log).unwrap();
        writeln!(log, "{:?}", command.as_std()).unwrap();
        let mut child = command.process_group(0).stderr(log).spawn().unwrap();
        let group = rustix::process::Pid::from_raw(child.id().unwrap() as i32).unwrap();
        Process { group, output: child.stdout.take().map(BufReader::new), child }
    }

    /// Sends it an empty line.
    pub(super) async fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").await.unwrap();
    }

    /// The next line it prints; empty when it has ended.
    pub(super) async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.as_mut().unwrap().read_line(&mut line);
        tokio::time::timeout(DEADLINE, read).await.expect("the process prints a line").unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(self.group, rustix::process::Signal::KILL);
    }
}
