//! Each function's first event, the least that it does not refuse.

use crate::HELLO;
use faregate_core::ports::Wake;
use faregate_functions::WakeMessage;
use serde_json::{Value, json};

/// The event.
pub fn first(function: &str) -> Value {
    match function {
        HELLO => request("/"),
        "api" => request("/api/version"),
        // of a cluster that nobody knows
        "reconcile" => {
            let wake = Wake::Cluster("0123456789ab0123456789abcdef0123".parse().unwrap());
            batch(&serde_json::to_string(&WakeMessage { wake, failed: 0 }).unwrap())
        }
        "task-events" => batch(&of_somebody_else().to_string()),
        "relay" => json!([]),
        _ => json!({}),
    }
}

/// Whether this is the answer that the event is to have.
pub fn is_right(function: &str, answer: &Value) -> bool {
    match function {
        HELLO | "api" => answer["statusCode"] == 200,
        "reconcile" | "task-events" => answer["batchItemFailures"] == json!([]),
        "relay" => *answer == json!([]),
        _ => answer.is_null(),
    }
}

/// A request as an HTTP API hands it over (payload format 2.0).
fn request(path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "x.execute-api.eu-central-1.amazonaws.com", "accept": "*/*"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "x", "domainName": "x.execute-api.eu-central-1.amazonaws.com", "requestId": "x",
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
            "routeKey": "$default", "stage": "$default", "time": "20/Nov/2026:10:00:00 +0000", "timeEpoch": 1_795_168_800_000_i64,
        },
        "isBase64Encoded": false,
    })
}

fn batch(body: &str) -> Value {
    json!({"Records": [{
        "messageId": "x", "receiptHandle": "x", "body": body, "attributes": {}, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:x", "awsRegion": "eu-central-1",
    }]})
}

fn of_somebody_else() -> Value {
    json!({
        "version": "0", "id": "x", "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": "2026-11-20T10:00:00Z",
        "detail": {
            "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/x/c13b4cb40f1f4fe4a2971f76ae5a47ad",
            "startedBy": "somebody", "group": "service:else", "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "version": 4,
            "createdAt": "2026-11-20T09:59:00.5Z", "startedAt": "2026-11-20T10:00:00Z",
            "overrides": {"containerOverrides": []}, "containers": [{"name": "x"}],
        },
    })
}
