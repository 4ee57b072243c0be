//! The service as a process, beside an AWS that answers its two questions.
#![allow(clippy::unwrap_used)]

use faregate_core::model::ClusterName;
use faregate_keys::{KeyRing, Ticket, Use};
use faregate_machine::now;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

const SEED: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123";
const NAME: &str = "0123456789abcdef0123456789abcdef";

/// DynamoDB and Secrets Manager, as far as the proxy needs them.
struct Aws {
    address: SocketAddr,
    /// What was asked: the target, and the body.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Aws {
    /// Its one cluster is at these addresses. The first `failures` questions are answered with 500.
    fn start(scheduler: SocketAddr, dashboard: SocketAddr, failures: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(vec![]));
        let log = asked.clone();
        let record = format!(
            r#"{{"Item": {{"record": {{"M": {{"status": {{"S": "RUNNING"}}, "addresses": {{"M": {{
            "scheduler": {{"S": "{scheduler}"}}, "dashboard": {{"S": "{dashboard}"}}, "api": {{"S": "127.0.0.1:9"}}}}}}}}}}}}}}"#
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, record) = (log.clone(), record.clone());
                thread::spawn(move || answer_all(BufReader::new(stream.unwrap()), &log, &record, failures));
            }
        });
        Aws { address, asked }
    }

    fn asked(&self, target: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(t, _)| t == target).map(|(_, body)| body.clone()).collect()
    }
}

fn answer_all(mut stream: BufReader<TcpStream>, log: &Mutex<Vec<(String, String)>>, record: &str, failures: usize) {
    loop {
        let (mut target, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim().split_once(": ") {
                None if line == "\r\n" => break,
                Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => value.clone_into(&mut target),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let is_ours = body.contains(NAME);
        let ticket = body.split_once("dashboard#").map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
        let (count, is_used) = {
            let mut log = log.lock().unwrap();
            let is_put = |entry: &&(String, String)| entry.0.ends_with(".PutItem");
            let is_used = ticket.is_some_and(|ticket| log.iter().filter(is_put).any(|(_, put)| put.contains(&ticket)));
            log.push((target.clone(), body));
            (log.len(), is_used)
        };
        let (status, answer) = match target.as_str() {
            _ if count <= failures => ("500 Internal Server Error", "{}".to_owned()),
            "secretsmanager.GetSecretValue" => {
                ("200 OK", format!(r#"{{"Name": "keys", "SecretString": "{{\"seed\": \"{SEED}\"}}"}}"#))
            }
            "DynamoDB_20120810.GetItem" if is_ours => ("200 OK", record.to_owned()),
            "DynamoDB_20120810.GetItem" => ("200 OK", "{}".to_owned()),
            "DynamoDB_20120810.PutItem" if is_used => {
                let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                ("400 Bad Request", format!(r#"{{"__type": "{kind}"}}"#))
            }
            "DynamoDB_20120810.PutItem" => ("200 OK", "{}".to_owned()),
            _ => ("400 Bad Request", "{}".to_owned()),
        };
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.get_mut().write_all((head + &answer).as_bytes()).unwrap();
    }
}

/// A process, killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Killed {
    fn terminate(&self) {
        let killed = Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        assert!(killed.success());
    }
}

/// The service.
struct Proxy {
    process: Killed,
    output: BufReader<ChildStdout>,
    dashboards: SocketAddr,
    relay: SocketAddr,
    said: String,
}

impl Proxy {
    fn start(aws: &Aws) -> Self {
        Proxy::start_with(aws, &[])
    }

    fn start_with(aws: &Aws, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_faregate-fargate-proxy"))
            .env_clear()
            .env("FAREGATE_TABLE", "clusters")
            .env("FAREGATE_SECRET", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys")
            .env("FAREGATE_DASHBOARDS_PORT", "0")
            .env("FAREGATE_RELAY_PORT", "0")
            .env("FAREGATE_LOG", "trace")
            .env("AWS_ENDPOINT_URL", format!("http://{}", aws.address))
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "not-to-be-logged")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        let mut address = |what: &str| {
            let line = loop {
                let mut line = String::new();
                assert!(output.read_line(&mut line).unwrap() > 0, "it ended: {said}");
                said += &line;
                if line.contains("proxy listening") && line.contains(&format!("\"what\":\"{what}\"")) {
                    break line;
                }
            };
            let (_, rest) = line.split_once("\"address\":\"0.0.0.0:").unwrap();
            SocketAddr::from(([127, 0, 0, 1], rest.split_once('"').unwrap().0.parse::<u16>().unwrap()))
        };
        let (dashboards, relay) = (address("dashboards"), address("relay"));
        Proxy { process: Killed(child), output, dashboards, relay, said }
    }

    /// Waits for its end, and tells all it said.
    fn ended(mut self) -> String {
        self.output.read_to_string(&mut self.said).unwrap();
        assert!(self.process.0.wait().unwrap().success());
        self.said
    }

    fn get(&self, path: &str) -> String {
        self.get_with(path, "")
    }

    fn get_with(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.dashboards).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn dashboard_key() -> String {
    let name: ClusterName = NAME.parse().unwrap();
    KeyRing::from_seed(SEED).unwrap().token("k1", Use::Dashboard, &name).unwrap()
}

/// A TLS ClientHello for a cluster, as small as one can be.
fn client_hello(name: &str) -> Vec<u8> {
    let host = format!("daskgateway-{name}");
    let len = |n: usize| u16::try_from(n).unwrap().to_be_bytes();
    let entry = [&[0], &len(host.len())[..], host.as_bytes()].concat();
    let list = [&len(entry.len())[..], &entry].concat();
    let extension = [&[0, 0], &len(list.len())[..], &list].concat();
    let versions = [0, 43, 0, 3, 2, 3, 4];
    let algorithms = [0, 13, 0, 4, 0, 2, 4, 3];
    let groups = [0, 10, 0, 4, 0, 2, 0, 29];
    let extensions = [&extension[..], &versions, &algorithms, &groups].concat();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &len(extensions.len()), &extensions].concat();
    let message = [&[1, 0], &len(body.len())[..], &body].concat();
    [&[22, 3, 1], &len(message.len())[..], &message].concat()
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Answers every request with a page.
fn dashboard() -> SocketAddr {
    let (listener, address) = listen();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).unwrap();
            }
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nthe page").unwrap();
        }
    });
    address
}

#[test]
fn it_relays_and_shows_dashboards_by_what_the_table_says_and_leaves_when_the_last_relay_has_ended() {
    let (scheduler, place) = listen();
    let aws = Aws::start(place, dashboard(), 0);
    let proxy = Proxy::start(&aws);
    let key = dashboard_key();

    let page = proxy.get(&format!("/clusters/{NAME}/{key}/status"));
    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("the page"), "{page}");
    assert!(proxy.get(&format!("/clusters/{NAME}/k1-wrong/status")).starts_with("HTTP/1.1 404"));
    assert!(proxy.get("/api/health").starts_with("HTTP/1.1 404"));

    let mut client = TcpStream::connect(proxy.relay).unwrap();
    let hello = client_hello(NAME);
    client.write_all(&hello).unwrap();
    let (mut server, _) = scheduler.accept().unwrap();
    let mut seen = vec![0; hello.len()];
    server.read_exact(&mut seen).unwrap();
    assert_eq!(seen, hello);
    let mut stranger = TcpStream::connect(proxy.relay).unwrap();
    stranger.write_all(&client_hello(&"f".repeat(32))).unwrap();
    assert_eq!(stranger.read(&mut [0; 1]).unwrap_or(0), 0, "nowhere");

    let reads = aws.asked("DynamoDB_20120810.GetItem");
    let ours = reads.iter().filter(|body| body.contains(NAME)).count();
    assert!((1..=2).contains(&ours), "the route is remembered: {reads:?}");
    assert!(reads.iter().all(|body| body.contains("\"ConsistentRead\":true") && body.contains("ProjectionExpression")));
    assert!(reads.iter().all(|body| body.contains("\"TableName\":\"clusters\"")));

    let (relay, ended) = (proxy.relay, {
        proxy.process.terminate();
        thread::spawn(move || proxy.ended())
    });
    while TcpStream::connect(relay).is_ok() {
        thread::yield_now();
    }
    server.write_all(b"still here").unwrap();
    client.write_all(b"and here").unwrap();
    let (mut from_server, mut from_client) = ([0; 10], [0; 8]);
    client.read_exact(&mut from_server).unwrap();
    server.read_exact(&mut from_client).unwrap();
    assert_eq!((&from_server, &from_client), (b"still here", b"and here"));
    assert!(!ended.is_finished(), "it stays for the relay");
    drop((client, server));

    let said = ended.join().unwrap();
    assert!(said.contains("shutdown: the last connection has ended"), "{said}");
    let secret = key.strip_prefix("k1-").unwrap();
    for secret in [SEED, secret, "not-to-be-logged"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn where_people_sign_in_a_ticket_is_good_once_at_whichever_proxy() {
    let aws = Aws::start(listen().1, dashboard(), 0);
    let environment = [
        ("FAREGATE_DASHBOARD_SIGN_IN", "true"),
        ("FAREGATE_PUBLIC_URL", "https://api.example/"),
        ("FAREGATE_PROXY_URL", "https://dash.example"),
    ];
    let (one, two) = (Proxy::start_with(&aws, &environment), Proxy::start_with(&aws, &environment));
    let name: ClusterName = NAME.parse().unwrap();
    let place = format!("/clusters/{NAME}/status?x");
    let sent_back = format!("location: https://api.example{place}\r\n");
    assert!(one.get(&place).contains(&sent_back), "who has no cookie signs in");
    assert!(one.get(&format!("/clusters/{NAME}/{}/status", dashboard_key())).starts_with("HTTP/1.1 404"));

    let ticket = Ticket { key_id: "k1".into(), expires_at: now() + 60_000, nonce: 5 };
    let ticket = ticket.issue(&KeyRing::from_seed(SEED).unwrap(), Use::Ticket, &name).unwrap();
    let link = place.replace("/status", &format!("/{ticket}/status"));
    let answer = one.get(&link);
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains(&format!("location: {place}\r\n")), "{answer}");
    let (_, cookie) = answer.split_once("set-cookie: ").unwrap();
    let (cookie, attributes) = cookie.lines().next().unwrap().split_once("; ").unwrap();
    assert!(attributes.ends_with("; Secure"), "{attributes}");
    for proxy in [&one, &two] {
        assert!(proxy.get_with(&place, &format!("cookie: {cookie}\r\n")).ends_with("the page"));
        let again = proxy.get(&link);
        assert!(again.contains(&sent_back) && !again.contains("set-cookie"), "{again}");
    }
    let puts = aws.asked("DynamoDB_20120810.PutItem");
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|put| put.contains("attribute_not_exists(pk)") && put.contains(r#""pk":{"S":"used"}"#)));
    for proxy in [one, two] {
        proxy.process.terminate();
        let said = proxy.ended();
        for secret in [ticket.as_str(), cookie.split_once('=').unwrap().1] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[test]
fn until_it_has_its_keys_it_does_not_listen_and_can_be_told_to_end() {
    let aws = Aws::start(listen().1, listen().1, usize::MAX);
    let child = Command::new(env!("CARGO_BIN_EXE_faregate-fargate-proxy"))
        .env_clear()
        .envs([("FAREGATE_TABLE", "clusters"), ("FAREGATE_SECRET", "keys"), ("AWS_REGION", "eu-central-1")])
        .envs([("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "x")])
        .env("AWS_ENDPOINT_URL", format!("http://{}", aws.address))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = Killed(child);
    let mut output = BufReader::new(process.0.stdout.take().unwrap());
    let mut said = String::new();
    output.read_line(&mut said).unwrap();
    assert!(said.contains("key ring not readable") && said.contains("GetSecretValue"), "{said}");
    process.terminate();
    output.read_to_string(&mut said).unwrap();
    assert!(process.0.wait().unwrap().success() && !said.contains("proxy listening"), "{said}");
}

#[test]
fn a_secret_that_cannot_be_read_at_first_is_read_again() {
    let aws = Aws::start(listen().1, dashboard(), 4);
    let proxy = Proxy::start(&aws);
    assert!(aws.asked("secretsmanager.GetSecretValue").len() >= 5);
    assert!(proxy.get(&format!("/clusters/{NAME}/{}/status", dashboard_key())).ends_with("the page"));
    proxy.process.terminate();
    assert!(proxy.ended().contains("key ring not readable"));
}
