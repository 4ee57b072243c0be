//! The last lines that a task wrote, from CloudWatch Logs.
//!
//! The one call is signed here: the SDK's crate for this service is larger than the function that makes it.

use crate::http;
use crate::settings::{SettingsError, process, required};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::body::SdkBody;
use axum::http::{Request, header};
use faregate_core::model::TaskId;
use faregate_core::{Later, chain, later};
use faregate_ecs::log_stream;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, SystemTime};

/// Lines that are read, and characters of each that are kept: as on one machine.
const LINES: usize = 20;
const LINE_LENGTH: usize = 500;
/// The most bytes of an answer: so many lines of awslogs' largest events would be more, and then there are none.
const LARGEST_ANSWER: usize = 8 << 20;
/// Before each try. What a container wrote last is sent when it ends, and can be read a moment later.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];
/// One try is given up after this time.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the log group of schedulers and workers.
pub struct TaskLogs {
    place: LogPlace,
    /// Of the function: they last as long as its process.
    identity: Identity,
    app: String,
    http: Later<Result<Client<HttpsConnector<HttpConnector>, SdkBody>, String>>,
}

/// Where the logs are.
#[derive(Clone, Debug)]
pub struct LogPlace {
    /// The stack, whose name streams begin with.
    pub stack: String,
    /// The log group.
    pub group: String,
    /// Its region.
    pub region: String,
    /// Where CloudWatch Logs answers, without a slash at the end.
    pub endpoint: String,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    message: String,
}

impl TaskLogs {
    /// Of this stack; all else is in the environment.
    pub fn from_env(stack: &str) -> Result<Self, SettingsError> {
        let region = required("AWS_REGION")?;
        let endpoint = ["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "AWS_ENDPOINT_URL"].into_iter().find_map(process);
        let endpoint = endpoint.unwrap_or_else(|| own_endpoint(&region)).trim_end_matches('/').to_owned();
        let place = LogPlace { stack: stack.to_owned(), group: required("FAREGATE_LOG_GROUP")?, region, endpoint };
        let (id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
        let credentials = Credentials::new(id, secret, process("AWS_SESSION_TOKEN"), None, "environment");
        Ok(TaskLogs::new(place, credentials, &process("AWS_SDK_UA_APP_ID").unwrap_or_default()))
    }

    /// With these credentials, and under this name.
    pub fn new(place: LogPlace, credentials: Credentials, app: &str) -> Self {
        let http = later(|| http::plain().map_err(|e| format!("TLS cannot be used: {e}")));
        TaskLogs { place, identity: credentials.into(), app: app.to_owned(), http }
    }

    /// What the task wrote last. A log that is late is waited for a few seconds; nothing where there is none: no event is lost for it.
    pub async fn last_lines(&self, task: &TaskId) -> Vec<String> {
        let mut why = "the log is empty".to_owned();
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            match tokio::time::timeout(PATIENCE, self.read(task)).await {
                Ok(Ok(lines)) if lines.iter().any(|line| !line.trim().is_empty()) => return lines,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => why = error,
                Err(_) => why = format!("no answer within {PATIENCE:?}"),
            }
        }
        tracing::warn!(%task, group = self.place.group, why, "task log not readable");
        Vec::new()
    }

    async fn read(&self, task: &TaskId) -> Result<Vec<String>, String> {
        let stream = log_stream(&self.place.stack, task);
        let body =
            json!({"logGroupName": self.place.group, "logStreamName": stream, "limit": LINES, "startFromHead": false});
        let request = self.signed(body.to_string())?;
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let answer = http.request(request).await.map_err(|error| chain(&error))?;
        let status = answer.status();
        let body = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), LARGEST_ANSWER).await;
        let body = body.map_err(|error| chain(&error))?;
        if !status.is_success() {
            let text: String = String::from_utf8_lossy(&body).chars().take(LINE_LENGTH).collect();
            return Err(format!("status {status}: {text}"));
        }
        let Events { events } = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let lines = events.iter().flat_map(|event| event.message.lines());
        let lines: Vec<String> = lines.map(|line| line.chars().take(LINE_LENGTH).collect()).collect();
        Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
    }

    /// GetLogEvents, in the JSON protocol of AWS, with the function's own credentials.
    fn signed(&self, body: String) -> Result<Request<SdkBody>, String> {
        let uri = format!("{}/", self.place.endpoint);
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "Logs_20140328.GetLogEvents")];
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.place.region)
            .name("logs")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let signable = SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
            .map_err(|error| chain(&error))?;
        let (instructions, _) = sign(signable, &params.into()).map_err(|error| chain(&error))?.into_parts();
        let mut request = Request::post(&uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let agent = format!("faregate/{} app/{}", env!("CARGO_PKG_VERSION"), self.app);
        let mut request =
            request.header(header::USER_AGENT, agent).body(SdkBody::from(body)).map_err(|error| error.to_string())?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// "Amazon CloudWatch Logs endpoints and quotas", AWS General Reference.
fn own_endpoint(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://logs.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;
    use std::sync::{Arc, Mutex};

    const MISSING: (StatusCode, &str) = (StatusCode::BAD_REQUEST, r#"{"__type": "ResourceNotFoundException"}"#);

    /// What is answered in turn, the last again and again; and what was asked.
    async fn served(answers: Vec<(StatusCode, String)>) -> (TaskLogs, Arc<Mutex<Vec<(HeaderMap, String)>>>) {
        let asked: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let seen = asked.clone();
        let answer = move |headers: HeaderMap, body: String| async move {
            let mut seen = seen.lock().unwrap();
            seen.push((headers, body));
            answers[(seen.len() - 1).min(answers.len() - 1)].clone()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
        let (stack, group, region) = ("dask".into(), "/faregate/dask/tasks".into(), "eu-central-1".into());
        let place = LogPlace { stack, group, region, endpoint };
        (
            TaskLogs::new(place, Credentials::new("id", "secret", Some("session".into()), None, "test"), "task-events"),
            asked,
        )
    }

    fn events(lines: &[&str]) -> String {
        let events: Vec<_> = lines.iter().map(|line| json!({"timestamp": 1, "message": line})).collect();
        json!({ "events": events, "nextBackwardToken": "b/1" }).to_string()
    }

    #[tokio::test]
    async fn a_log_that_is_late_is_asked_for_again_under_the_functions_own_name() {
        let late = vec![
            (MISSING.0, MISSING.1.to_owned()),
            (StatusCode::OK, events(&[])),
            (StatusCode::OK, events(&["Traceback", "KeyError: 1"])),
        ];
        let (logs, asked) = served(late).await;
        assert_eq!(logs.last_lines(&TaskId("7".into())).await, ["Traceback", "KeyError: 1"]);
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 3);
        let (headers, body) = &asked[0];
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&body["logGroupName"], &body["logStreamName"]),
            (&json!("/faregate/dask/tasks"), &json!("dask/dask/7"))
        );
        let signed = headers["authorization"].to_str().unwrap();
        assert!(
            signed.starts_with("AWS4-HMAC-SHA256 Credential=id/") && signed.contains("/eu-central-1/logs/aws4_request"),
            "{signed}"
        );
        assert_eq!(headers["x-amz-security-token"], "session");
        assert!(headers["user-agent"].to_str().unwrap().contains("app/task-events"), "{headers:?}");
    }

    #[tokio::test]
    async fn a_log_that_never_comes_is_no_line_after_three_questions() {
        let (logs, asked) = served(vec![(MISSING.0, MISSING.1.to_owned())]).await;
        assert_eq!(logs.last_lines(&TaskId("7".into())).await, [""; 0]);
        assert_eq!(asked.lock().unwrap().len(), PAUSES.len());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let long = "x".repeat(100_000);
        let many = vec!["a\nb"; 30].into_iter().chain([long.as_str()]).collect::<Vec<_>>();
        let (logs, _) = served(vec![(StatusCode::OK, events(&many))]).await;
        let lines = logs.last_lines(&TaskId("7".into())).await;
        assert_eq!((lines.len(), lines[LINES - 1].len(), lines[0].as_str()), (LINES, LINE_LENGTH, "b"));
    }

    #[test]
    fn the_endpoint_is_the_regions() {
        assert_eq!(own_endpoint("eu-central-1"), "https://logs.eu-central-1.amazonaws.com");
        assert_eq!(own_endpoint("cn-north-1"), "https://logs.cn-north-1.amazonaws.com.cn");
    }
}
