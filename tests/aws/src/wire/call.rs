//! What a call is about, read off its wire form.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

/// One call to AWS.
#[derive(Clone, Debug)]
pub struct Call {
    /// The caller's name for itself, which the SDK puts in its user agent (`AWS_SDK_UA_APP_ID`).
    pub app: Option<String>,
    /// As IAM names it: `dynamodb:PutItem`.
    pub action: String,
    /// What it acts on, as far as its policy would say so: a table, an index, a queue's URL, `bucket/key`.
    pub resource: String,
    /// The body as it was sent.
    pub body: Bytes,
}

impl Call {
    pub(super) fn read(head: &http::request::Parts, body: &Bytes) -> Call {
        let text = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let agents = format!("{} {}", text("user-agent"), text("x-amz-user-agent"));
        let app = agents.split_whitespace().find_map(|part| part.strip_prefix("app/")).map(str::to_owned);
        let (action, resource) = match text("x-amz-target").split_once('.') {
            Some((service, action)) => json_call(service, action, body),
            None => rest_call(&head.method, head.uri.path(), head.uri.query().unwrap_or_default()),
        };
        Call { app, action, resource, body: body.clone() }
    }

    /// A read of an index: what it shows may be old.
    pub(super) fn is_eventually_consistent(&self) -> bool {
        self.action == "dynamodb:Scan" && self.resource.contains("/index/")
    }

    /// The body as JSON, null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn json_call(service: &str, action: &str, body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let service = match service {
        "DynamoDB_20120810" => "dynamodb",
        "AmazonSQS" => "sqs",
        "AWSEvents" => "events",
        "AmazonEC2ContainerServiceV20141113" => "ecs",
        "Logs_20140328" => "logs",
        other => other,
    };
    let resource = match service {
        "dynamodb" if action.starts_with("Transact") => {
            let table = body["TransactItems"][0].as_object().and_then(|write| write.values().next());
            table.and_then(|write| write["TableName"].as_str()).unwrap_or_default().to_owned()
        }
        "dynamodb" if action.starts_with("Batch") => {
            body["RequestItems"].as_object().and_then(|tables| tables.keys().next()).cloned().unwrap_or_default()
        }
        "dynamodb" if body["IndexName"].is_string() => format!("{}/index/{}", field("TableName"), field("IndexName")),
        "dynamodb" => field("TableName"),
        "sqs" => field("QueueUrl"),
        "secretsmanager" => field("SecretId"),
        "logs" => format!("log-group:{}:log-stream:{}", field("logGroupName"), field("logStreamName")),
        _ => String::new(),
    };
    (format!("{service}:{action}"), resource)
}

fn rest_call(method: &Method, path: &str, query: &str) -> (String, String) {
    if let Some(function) = path.strip_prefix("/2015-03-31/functions/").and_then(|p| p.strip_suffix("/invocations")) {
        return ("lambda:InvokeFunction".to_owned(), function.to_owned());
    }
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let action = match (method.as_str(), key) {
        ("GET", "") if query.contains("location") => "s3:GetBucketLocation",
        ("GET", "") => "s3:ListBucket",
        ("GET" | "HEAD", _) => "s3:GetObject",
        ("PUT", _) => "s3:PutObject",
        ("DELETE", _) => "s3:DeleteObject",
        ("POST", _) => "s3:DeleteObject",
        _ => "s3:Other",
    };
    (action.to_owned(), if key.is_empty() { bucket.to_owned() } else { format!("{bucket}/{key}") })
}
