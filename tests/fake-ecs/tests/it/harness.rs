//! A fake with a cluster and a task definition, and a server that stands for S3 and EventBridge.

use fake_ecs::{FakeEcs, Settings};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A fake with the cluster `c` and the family `f`.
pub struct World {
    pub ecs: FakeEcs,
    dir: tempfile::TempDir,
}

/// A task definition whose entry point is a shell.
pub fn definition() -> Value {
    json!({
        "family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "dask", "image": "image", "entryPoint": ["sh"], "stopTimeout": 30}],
    })
}

impl World {
    pub fn start(change: impl FnOnce(&mut Settings)) -> World {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path());
        settings.clusters = vec!["c".into()];
        change(&mut settings);
        let world = World { ecs: FakeEcs::start(settings).unwrap(), dir };
        world.call("RegisterTaskDefinition", definition()).unwrap();
        world
    }

    /// A call; an error is the body of an answer that is one, or says that there was none.
    pub fn call(&self, action: &str, body: Value) -> Result<Value, Value> {
        request(self.ecs.url(), "POST", "/", Some(action), &body.to_string())
    }

    pub fn post(&self, path: &str, body: Value) -> Result<Value, Value> {
        request(self.ecs.url(), "POST", path, None, &body.to_string())
    }

    pub fn get(&self, path: &str) -> Value {
        request(self.ecs.url(), "GET", path, None, "").unwrap()
    }

    /// RunTask of the family, these members changed.
    pub fn run_task(&self, change: Value) -> Result<Value, Value> {
        let mut body = json!({
            "cluster": "c", "taskDefinition": "f", "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.call("RunTask", body)
    }

    /// The ARN of a task started so.
    pub fn run(&self, change: Value) -> String {
        self.run_task(change).unwrap()["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    /// The ARN of a task that runs this script.
    pub fn run_script(&self, script: &str) -> String {
        self.run(json!({"overrides": {"containerOverrides": [{"name": "dask", "command": ["-c", script]}]}}))
    }

    pub fn describe(&self, task: &str) -> Value {
        self.call("DescribeTasks", json!({"cluster": "c", "tasks": [task]})).unwrap()["tasks"][0].clone()
    }

    /// The task once it has this status.
    pub fn until(&self, task: &str, status: &str) -> Value {
        self.wait(status, || {
            let now = self.describe(task);
            assert!(now["lastStatus"] != "STOPPED" || status == "STOPPED", "it stopped: {now}\n{}", self.log(task));
            now["lastStatus"] == status
        });
        self.describe(task)
    }

    /// The events of a task, in order.
    pub fn events(&self, task: &str) -> Vec<Value> {
        self.ecs.events().into_iter().filter(|event| event["resources"][0] == task).collect()
    }

    /// What the events of a task say of its status, in order.
    pub fn statuses(&self, task: &str) -> Vec<String> {
        self.events(task).iter().map(|event| event["detail"]["lastStatus"].as_str().unwrap().to_owned()).collect()
    }

    pub fn log(&self, task: &str) -> String {
        let id = task.rsplit('/').next().unwrap();
        std::fs::read_to_string(self.dir.path().join(format!("{id}.log"))).unwrap_or_default()
    }

    /// How many processes its tasks have.
    pub fn processes(&self) -> usize {
        processes_of(self.ecs.url())
    }

    pub fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}: {:?}", self.ecs.tasks());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// How many processes have this server's metadata endpoint in their environment.
pub fn processes_of(url: &str) -> usize {
    let marker = format!("ECS_CONTAINER_METADATA_URI_V4={url}/");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = entries.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
    environments.filter(|content| String::from_utf8_lossy(content).contains(&marker)).count()
}

fn request(url: &str, method: &str, path: &str, action: Option<&str>, body: &str) -> Result<Value, Value> {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let target =
        action.map_or(String::new(), |action| format!("X-Amz-Target: AmazonEC2ContainerServiceV20141113.{action}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n{target}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    // An answer that is cut off ends early, or with an error.
    let _ = stream.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let value = serde_json::from_str(body).unwrap_or_else(|_| json!(format!("no answer: {answer}")));
    if head.starts_with("HTTP/1.1 200") && !value.is_string() { Ok(value) } else { Err(value) }
}

/// A server that answers one path with one text, everything else with 404, and keeps what was sent to it.
pub struct Bucket {
    pub url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Bucket {
    pub fn with(path: &'static str, content: &'static str) -> Bucket {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || answer(stream, path, content, &kept));
            }
        });
        Bucket { url, bodies }
    }

    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, path: &str, content: &str, kept: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    kept.lock().unwrap().push(String::from_utf8(body).unwrap());
    let (status, content) =
        if first.split(' ').nth(1) == Some(path) { ("200 OK", content) } else { ("404 Not Found", "") };
    let length = content.len();
    let _ = write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{content}");
}
