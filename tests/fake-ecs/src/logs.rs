//! Logs of containers with the `awslogs` driver, sent to CloudWatch Logs as well as they go.

use crate::clock;
use crate::http_client::HttpClient;
use crate::state::Inner;
use crate::tasks::Task;
use crate::wire::text;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often what was written is sent.
const EVERY: Duration = Duration::from_millis(300);

/// The most lines in a call (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>).
const BATCH: usize = 10_000;

/// What sends the log of a task.
pub struct Following {
    end: oneshot::Sender<()>,
    following: JoinHandle<()>,
}

impl Following {
    /// Sends what is left: the driver does, before its task is stopped.
    pub async fn end(self) {
        // It fails only if the follower has ended.
        let _ = self.end.send(());
        let _ = self.following.await;
    }
}

/// Begins to send what a task writes, if it is to be sent.
pub fn follow(inner: &Inner, id: &str) -> Option<Following> {
    let endpoint = inner.settings.logs.clone()?;
    let (group, name, create) = inner.look(id, stream)??;
    let follower = Follower {
        client: inner.client.clone(),
        endpoint,
        stream: json!({"logGroupName": group, "logStreamName": name}),
        file: inner.settings.dir.join(format!("{id}.log")),
        sent: 0,
    };
    let (end, ended) = oneshot::channel();
    Some(Following { end, following: tokio::spawn(follower.run(create, ended)) })
}

/// The group and stream of a task's logs, and whether the group is to be created.
fn stream(task: &Task) -> Option<(String, String, bool)> {
    let logs = &task.container()["logConfiguration"];
    let options = &logs["options"];
    if logs["logDriver"] != "awslogs" {
        return None;
    }
    let (prefix, container) = (text(options, "awslogs-stream-prefix")?, text(task.container(), "name")?);
    let name = format!("{prefix}/{container}/{}", task.id);
    Some((text(options, "awslogs-group")?.to_owned(), name, options["awslogs-create-group"] == "true"))
}

struct Follower {
    client: HttpClient,
    endpoint: String,
    stream: Value,
    file: PathBuf,
    /// How many bytes were sent.
    sent: usize,
}

impl Follower {
    async fn run(mut self, create: bool, mut end: oneshot::Receiver<()>) {
        if create {
            self.call("CreateLogGroup", json!({"logGroupName": self.stream["logGroupName"]})).await;
        }
        self.call("CreateLogStream", self.stream.clone()).await;
        loop {
            let ended = tokio::time::timeout(EVERY, &mut end).await.is_ok();
            self.send(ended).await;
            if ended {
                return;
            }
        }
    }

    /// Sends the lines that are whole; all that there is at the end.
    async fn send(&mut self, all: bool) {
        let content = tokio::fs::read(&self.file).await.unwrap_or_default();
        let new = content.get(self.sent..).unwrap_or_default();
        let whole =
            if all { new.len() } else { new.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1) };
        let timestamp = (clock::now() * 1000.0) as u64;
        let text = String::from_utf8_lossy(&new[..whole]);
        let lines = text.lines().filter(|line| !line.is_empty());
        let events: Vec<Value> = lines.map(|line| json!({"timestamp": timestamp, "message": line})).collect();
        self.sent += whole;
        for batch in events.chunks(BATCH) {
            let mut body = self.stream.clone();
            body["logEvents"] = json!(batch);
            self.call("PutLogEvents", body).await;
        }
    }

    async fn call(&self, action: &str, body: Value) {
        match self.client.call(&self.endpoint, "logs", &format!("Logs_20140328.{action}"), &body).await {
            Ok((status, _)) if status.is_success() => {}
            Ok((status, answer)) => tracing::warn!("{action}: status {status}: {}", String::from_utf8_lossy(&answer)),
            Err(error) => tracing::warn!("{error}"),
        }
    }
}
