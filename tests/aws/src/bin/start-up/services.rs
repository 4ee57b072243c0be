//! The services of AWS that functions call before their first answer: there is nothing in them but the secrets. They answer at once.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const KEYS: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys";
const SIGN_IN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sign-in";

/// As Amazon Linux has them in `/etc/pki/tls/certs/ca-bundle.crt`.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where they are. They last as long as this program.
pub struct Address(String);

/// Starts them, at a free port.
pub async fn start() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(serve)).into_future());
    Address(url)
}

async fn serve(headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let operation = headers.get("x-amz-target").and_then(|target| target.to_str().ok()?.split('.').nth(1));
    let answer = match operation {
        Some("GetSecretValue") => secret(&serde_json::from_slice::<Value>(&body).unwrap_or_default()["SecretId"]),
        Some("BatchGetSecretValue") => json!({"SecretValues": [secret(&json!(KEYS)), secret(&json!(SIGN_IN))]}),
        Some("GetItem" | "TransactWriteItems" | "PutItem" | "DeleteItem") => json!({}),
        Some("UpdateItem") => json!({"Attributes": {"since": {"N": "1795168800000"}}}),
        Some("Query" | "Scan") => json!({"Items": [], "Count": 0, "ScannedCount": 0}),
        Some("BatchGetItem") => json!({"Responses": {}, "UnprocessedKeys": {}}),
        Some("SendMessage") => json!({"MessageId": "x"}),
        operation => {
            eprintln!("nobody answers {operation:?}");
            return (StatusCode::BAD_REQUEST, Json(json!({"__type": "ValidationException"})));
        }
    };
    (StatusCode::OK, Json(answer))
}

fn secret(id: &Value) -> Value {
    let text = if *id == SIGN_IN { json!({"password": "x".repeat(32)}) } else { json!({"seed": "x".repeat(64)}) };
    json!({"ARN": id, "Name": "x", "SecretString": text.to_string()})
}

impl Address {
    /// What Lambda and the template tell a function, and where these services are.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |name, value: &str| (name, value.to_owned());
        vec![
            ("AWS_ENDPOINT_URL", self.0.clone()),
            text("AWS_REGION", "eu-central-1"),
            text("AWS_ACCESS_KEY_ID", "x"),
            text("AWS_SECRET_ACCESS_KEY", "x"),
            text("AWS_SESSION_TOKEN", "x"),
            text("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            text("AWS_LAMBDA_LOG_GROUP_NAME", "x"),
            text("AWS_LAMBDA_LOG_STREAM_NAME", "x"),
            text("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            // Amazon Linux has its root certificates in one file; elsewhere they may be hundreds
            text("SSL_CERT_FILE", ROOTS),
            text("FAREGATE_STACK", "stack"),
            text("FAREGATE_TABLE", "stack-table"),
            ("FAREGATE_QUEUE_URL", format!("{}/123456789012/wakes", self.0)),
            text("FAREGATE_SECRET", KEYS),
            text("FAREGATE_SIGN_IN", "basic"),
            text("FAREGATE_SHARED_PASSWORD", "true"),
            text("FAREGATE_SIGN_IN_SECRET", SIGN_IN),
            text("FAREGATE_API_URL", "https://x.execute-api.eu-central-1.amazonaws.com/api"),
            text("FAREGATE_RELAY", "stack-relay"),
            text("FAREGATE_PROXY_URL", ""),
            text("FAREGATE_CONFIG", "{}"),
            text("FAREGATE_ECS_CLUSTER", "stack"),
            text("FAREGATE_SUBNETS", "subnet-1,subnet-2"),
            text("FAREGATE_SCHEDULER_SECURITY_GROUPS", "sg-1"),
            text("FAREGATE_WORKER_SECURITY_GROUPS", "sg-2"),
            text("FAREGATE_ASSIGN_PUBLIC_IP", "ENABLED"),
            text("FAREGATE_EXECUTION_ROLE", "arn:aws:iam::123456789012:role/x"),
            text("FAREGATE_BUCKET", "stack-bucket"),
            text("FAREGATE_LOG_GROUP", "stack-tasks"),
            text("FAREGATE_IMAGE", "dask"),
            text("FAREGATE_CPU_ARCHITECTURE", "X86_64"),
        ]
    }
}
