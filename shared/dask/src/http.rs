//! The schedulers' HTTP APIs, spoken to directly.

use crate::places::Places;
use async_trait::async_trait;
use bytes::Bytes;
use faregate_core::command::DASHBOARD_HEADER;
use faregate_core::ports::{Answer, Ask, Idleness, Question, SchedulerError, Schedulers};
use faregate_keys::dashboard_key;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 64 << 10;
/// The longest that a question about workers may take.
const WORKERS: Duration = Duration::from_secs(2);

/// Plain HTTP to each scheduler's own address; a connection for every question, as they are rare.
#[derive(Clone, Debug)]
pub struct HttpSchedulers {
    timeout: Duration,
    /// For requests of users …
    requests: Arc<Places>,
    /// … and for enforcement, which they never hold up.
    enforcement: Arc<Places>,
}

impl HttpSchedulers {
    /// Each question has `timeout` from connecting to the last byte.
    pub fn new(timeout: Duration) -> Self {
        HttpSchedulers { timeout, requests: Arc::default(), enforcement: Arc::default() }
    }

    async fn ask_one(self, ask: Ask) -> Result<Answer, SchedulerError> {
        // the reconciler waits for a question about workers, and can do without
        let patience = if matches!(ask.question, Question::Workers { .. }) { WORKERS } else { self.timeout };
        let patience = patience.min(self.timeout);
        let places = if ask.question.is_users() { &self.requests } else { &self.enforcement };
        // who gets no place has asked nothing
        let place = match timeout(patience, places.take(&ask.cluster)).await {
            Ok(place) => place.map_err(|e| SchedulerError::Relay(e.to_string()))?,
            Err(_) => return Err(SchedulerError::Relay("too many questions to schedulers that do not answer".into())),
        };
        let answer = match timeout(patience, exchange(ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(SchedulerError::Unanswered(format!("nothing within {patience:?}"))),
        };
        place.answered(!matches!(answer, Err(SchedulerError::Unanswered(_))));
        answer
    }
}

#[async_trait]
impl Schedulers for HttpSchedulers {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let asked: Vec<_> = asks.into_iter().map(|ask| tokio::spawn(self.clone().ask_one(ask))).collect();
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(answer.await.unwrap_or_else(|e| Err(SchedulerError::Relay(e.to_string()))));
        }
        answers
    }
}

async fn exchange(ask: Ask) -> Result<Answer, SchedulerError> {
    let unanswered = |e: &dyn std::error::Error| SchedulerError::Unanswered(e.to_string());
    let request = request(&ask)?;
    let stream = TcpStream::connect(ask.address).await.map_err(|e| unreachable(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| unanswered(&e))?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let body = body.map_err(|e| match e.downcast_ref::<hyper::Error>() {
            Some(error) => broken(error),
            None => SchedulerError::Nonsense(e.to_string()),
        })?;
        let body = body.to_bytes();
        read(&ask.question, status, &body)
    }
    .await;
    connection.abort();
    answer
}

/// Nobody there is the scheduler's own silence; an error of this machine (no descriptors, no route) is ours.
fn unreachable(error: &std::io::Error) -> SchedulerError {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut};
    match error.kind() {
        ConnectionRefused | ConnectionReset | ConnectionAborted | TimedOut => {
            SchedulerError::Unanswered(error.to_string())
        }
        _ => SchedulerError::Relay(error.to_string()),
    }
}

/// What is no HTTP is nonsense; a connection that ends too soon is no answer.
fn broken(error: &hyper::Error) -> SchedulerError {
    if error.is_parse() {
        SchedulerError::Nonsense(error.to_string())
    } else {
        SchedulerError::Unanswered(error.to_string())
    }
}

fn request(ask: &Ask) -> Result<Request<Full<Bytes>>, SchedulerError> {
    let json = |question| serde_json::to_vec(question).map_err(|e| SchedulerError::Relay(e.to_string()));
    let (method, path, body) = match &ask.question {
        Question::Health => (Method::GET, "/api/health", None),
        Question::Idle => (Method::GET, "/faregate/idle", None),
        question @ (Question::Scale { .. } | Question::Adapt { .. }) => {
            (Method::POST, "/api/comm", Some(json(question)?))
        }
        question @ Question::Workers { .. } => (Method::POST, "/faregate/workers", Some(json(question)?)),
        question @ Question::Retire { .. } => (Method::POST, "/faregate/retire", Some(json(question)?)),
        question @ Question::Warn { .. } => (Method::POST, "/faregate/warn", Some(json(question)?)),
    };
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, ask.address.to_string())
        .header(header::AUTHORIZATION, format!("token {}", ask.token));
    if ask.question.is_for_dashboard() {
        builder = builder.header(DASHBOARD_HEADER, dashboard_key(&ask.token));
    }
    if body.is_some() {
        builder = builder.header(header::CONTENT_TYPE, "application/json");
    }
    builder.body(Full::from(body.unwrap_or_default())).map_err(|e| SchedulerError::Relay(e.to_string()))
}

fn read(question: &Question, status: StatusCode, body: &[u8]) -> Result<Answer, SchedulerError> {
    if status != StatusCode::OK {
        return Err(SchedulerError::Nonsense(format!("HTTP status {}", status.as_u16())));
    }
    match question {
        Question::Idle => idleness(body).map(Answer::Idle),
        Question::Workers { .. } => seen(body).map(Answer::Workers),
        Question::Health
        | Question::Scale { .. }
        | Question::Adapt { .. }
        | Question::Retire { .. }
        | Question::Warn { .. } => Ok(Answer::Ok),
    }
}

fn seen(body: &[u8]) -> Result<BTreeSet<String>, SchedulerError> {
    #[derive(Deserialize)]
    struct Body {
        seen: BTreeSet<String>,
    }
    serde_json::from_slice(body).map(|body: Body| body.seen).map_err(|e| SchedulerError::Nonsense(e.to_string()))
}

fn idleness(body: &[u8]) -> Result<Idleness, SchedulerError> {
    /// `idle_ms` must be there, be it null: an answer without it says nothing.
    #[derive(Deserialize)]
    struct Body {
        #[serde(deserialize_with = "Option::deserialize")]
        idle_ms: Option<i64>,
        clients: u32,
        #[serde(deserialize_with = "Option::deserialize")]
        clientless_ms: Option<i64>,
        workers: u32,
        #[serde(default)]
        unclaimed: bool,
    }
    let Body { idle_ms, clients, clientless_ms, workers, unclaimed } =
        serde_json::from_slice(body).map_err(|e| SchedulerError::Nonsense(e.to_string()))?;
    if [idle_ms, clientless_ms].into_iter().flatten().any(|ms| ms < 0) {
        return Err(SchedulerError::Nonsense("a negative time".into()));
    }
    Ok(Idleness { idle_ms, clients, clientless_ms, workers, unclaimed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::ClusterName;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn only_a_whole_answer_says_anything_of_idleness() {
        let idle =
            |status: u16, body: &str| read(&Question::Idle, StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let counts = |idle_ms| Ok(Answer::Idle(Idleness { idle_ms, clients: 1, ..Idleness::default() }));
        assert_eq!(
            idle(200, r#"{"idle_ms": 1500, "clients": 1, "clientless_ms": null, "workers": 0, "tasks": 3}"#),
            counts(Some(1500))
        );
        assert_eq!(idle(200, r#"{"idle_ms": null, "clients": 1, "clientless_ms": null, "workers": 0}"#), counts(None));
        for (status, body) in [
            (404, r#"{"idle_ms": 1500, "clients": 1, "clientless_ms": null, "workers": 0}"#),
            (500, ""),
            (200, "null"),
            (200, "{}"),
            (200, r#"{"clients": 1, "clientless_ms": null, "workers": 0}"#),
            (200, r#"{"idle_ms": "long", "clients": 1, "clientless_ms": null, "workers": 0}"#),
            (200, r#"{"idle_ms": -1, "clients": 1, "clientless_ms": null, "workers": 0}"#),
            (204, r#"{"idle_ms": 1500, "clients": 1, "clientless_ms": null, "workers": 0}"#),
            (200, "<html>"),
        ] {
            assert!(matches!(idle(status, body), Err(SchedulerError::Nonsense(_))), "{status} {body}");
        }
    }

    #[test]
    fn scale_and_adapt_are_what_the_official_preload_reads() {
        let body = |question: Question| serde_json::to_value(question).unwrap();
        assert_eq!(body(Question::Scale { count: 2 }), serde_json::json!({"op": "scale", "count": 2}));
        assert_eq!(
            body(Question::Adapt { minimum: None, maximum: Some(4), active: true }),
            serde_json::json!({"op": "adapt", "minimum": null, "maximum": 4, "active": true})
        );
    }

    /// Two schedulers: one that takes every connection and says nothing, one that answers everything with `null`.
    async fn hanging_and_answering() -> [SocketAddr; 2] {
        let [hanging, answering] = [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
        let (hanging, answering) = (hanging.unwrap(), answering.unwrap());
        let addresses = [hanging.local_addr().unwrap(), answering.local_addr().unwrap()];
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = hanging.accept().await {
                held.push(stream);
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = answering.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull").await;
            }
        });
        addresses
    }

    #[tokio::test]
    async fn a_scheduler_that_hangs_costs_only_those_who_ask_it() {
        let [hangs, answers] = hanging_and_answering().await;
        let schedulers = HttpSchedulers::new(Duration::from_secs(60));
        let ask = |n: char, address, question| Ask {
            cluster: n.to_string().repeat(32).parse().unwrap(),
            address,
            token: "t".into(),
            question,
        };
        let scale = || Question::Scale { count: 1 };
        let many = (0..500).map(|_| ask('1', hangs, scale())).chain([ask('1', hangs, Question::Health)]).collect();
        let waits = tokio::spawn({
            let schedulers = schedulers.clone();
            async move { schedulers.ask(many).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(schedulers.ask(vec![ask('2', answers, scale())]).await, [Ok(Answer::Ok)]);
        assert_eq!(schedulers.ask(vec![ask('2', answers, Question::Health)]).await, [Ok(Answer::Ok)]);
        assert!(!waits.is_finished(), "it hung meanwhile");
        waits.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn many_schedulers_that_hang_leave_places_for_the_others() {
        let places = Places::default();
        let name = |n: usize| format!("{n:032x}").parse::<ClusterName>().unwrap();
        let mut held = Vec::new();
        for n in 0..200 {
            places.take(&name(n)).await.unwrap().answered(false);
        }
        for n in 0..200 {
            held.extend(timeout(Duration::from_secs(1), places.take(&name(n))).await);
        }
        assert_eq!(held.len(), 20);
        let mut others = Vec::new();
        for n in 200..300 {
            others.push(timeout(Duration::from_secs(1), places.take(&name(n))).await.unwrap().unwrap());
        }
        assert!(timeout(Duration::from_secs(1), places.take(&name(300))).await.is_err(), "bounded in all");
        held.clear();
        places.take(&name(0)).await.unwrap().answered(true);
        drop(others);
        assert!(places.take(&name(0)).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_no_answer() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let cluster = "0".repeat(32).parse().unwrap();
        let ask = Ask { cluster, address, token: "t".into(), question: Question::Health };
        let answers = HttpSchedulers::new(Duration::from_secs(5)).ask(vec![ask]).await;
        assert!(matches!(answers[..], [Err(SchedulerError::Unanswered(_))]), "{answers:?}");
    }
}
