//! Limits hold, whoever asks at the same moment.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use faregate_tests::server::{Server, eventually};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;

const CONNECTIONS: usize = 50;
const CREATES: usize = 20;

/// A scheduler that never says anything, so that its cluster stays PENDING: the limit is what is looked at.
const CONFIG: &str = r#"
scheduler_cmd = ["sh", "-c", "exec sleep 1000"]

[limits.default]
clusters = 3
"#;

/// One keep-alive connection of one user.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authorization: String,
}

impl Connection {
    async fn open(server: &Server, user: &str) -> Connection {
        let address = server.address.strip_prefix("http://").unwrap();
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:"));
        Connection { sender, authorization: format!("Basic {basic}") }
    }

    async fn call(&mut self, method: Method, path: &str, body: &'static str) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "gateway")
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .unwrap();
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn create(&mut self) -> (u16, Value) {
        self.call(Method::POST, "/api/v1/clusters/", r#"{"cluster_options": {}}"#).await
    }

    async fn list(&mut self, query: &str) -> serde_json::Map<String, Value> {
        let (status, list) = self.call(Method::GET, &format!("/api/v1/clusters/{query}"), "").await;
        assert_eq!(status, 200);
        list.as_object().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_creates_on_fifty_connections_exactly_three_succeed() {
    let server = Server::start(CONFIG);
    let mut racers = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(&server, "alice").await;
        racers.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..CREATES {
                answers.push(connection.create().await);
            }
            answers
        }));
    }
    let mut created = Vec::new();
    for racer in racers {
        for (status, body) in racer.await.unwrap() {
            if status == 201 {
                created.push(body["name"].as_str().unwrap().to_owned());
                continue;
            }
            let sentence = body["error"].as_str().unwrap_or_default();
            assert!(
                status == 422 && sentence.contains("the limit `clusters` = 3 of default is reached"),
                "{status} {body}"
            );
        }
    }
    assert_eq!(created.len(), 3);
    let mut alice = Connection::open(&server, "alice").await;
    created.sort();
    assert_eq!(alice.list("").await.keys().cloned().collect::<Vec<_>>(), created);

    // another's limit is untouched, and a cluster that is gone makes room
    let mut bob = Connection::open(&server, "bob").await;
    assert_eq!(bob.create().await.0, 201);
    assert_eq!(alice.call(Method::DELETE, &format!("/api/v1/clusters/{}", created[0]), "").await.0, 204);
    let mut stopped = alice.list("?status=stopped").await;
    while stopped.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stopped = alice.list("?status=stopped").await;
    }
    assert_eq!(alice.create().await.0, 201);
    assert_eq!(alice.create().await.0, 422);
    let mut server = server;
    assert!(server.stop().success());
    eventually("nothing is left", || server.processes().is_empty());
}
