//! Just enough of HTTP/1.1 to ask the same thing again and again at little cost: requests are bytes made beforehand.

use crate::failure::{Context, Failure, Outcome};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes longer, or the run fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its head, as text.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The values of a header.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The answer, if its status is one of success.
    pub fn good(self) -> Outcome<Answer> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        Err(Failure::new(format!("the answer is {}, `{body}`", self.status)))
    }
}

/// A request as bytes. `headers` are whole lines, each with its end.
pub fn request(method: &str, path: &str, headers: &str, body: Option<&str>) -> Vec<u8> {
    let content = body
        .map_or(String::new(), |body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    let body = body.unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\n{headers}{content}\r\n{body}").into_bytes()
}

/// The password that all users of both gateways share.
pub const PASSWORD: &str = "measured";

/// The header line of Basic credentials.
pub fn basic(user: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{PASSWORD}")))
}

/// A connection that is kept alive.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Outcome<Connection> {
        let stream = TcpStream::connect(address).await.context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true).context(|| "a socket option was refused".to_owned())?;
        Ok(Connection { stream, read: Vec::with_capacity(16 * 1024) })
    }

    /// Asks, and waits for the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Outcome<Answer> {
        let late = || format!("no answer within {} s", PATIENCE.as_secs());
        timeout(PATIENCE, self.exchange(request)).await.context(late)?
    }

    async fn exchange(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream.write_all(request).await.context(|| "the request was not sent".to_owned())?;
        let mut searched = 0;
        let end = loop {
            if let Some(at) = find(&self.read[searched..], b"\r\n\r\n") {
                break searched + at + 4;
            }
            searched = self.read.len().saturating_sub(3);
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut answer =
            Answer { status: status.context(|| format!("`{head}` is no answer"))?, head, body: Vec::new() };
        let length = answer.header("content-length").next().map(str::parse::<usize>);
        let chunked = answer.header("transfer-encoding").any(|value| value.eq_ignore_ascii_case("chunked"));
        answer.body = match length {
            Some(Ok(length)) => self.take(length).await?,
            _ if chunked => self.chunks().await?,
            _ => Vec::new(), // 204
        };
        Ok(answer)
    }

    async fn chunks(&mut self) -> Outcome<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                match find(&self.read, b"\r\n") {
                    Some(at) => break self.take(at + 2).await?,
                    None => self.more().await?,
                }
            };
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).context(|| format!("`{size}` is no size of a chunk"))?;
            let mut chunk = self.take(size + 2).await?;
            chunk.truncate(size);
            body.extend(chunk);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn take(&mut self, count: usize) -> Outcome<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        Ok(self.read.drain(..count).collect())
    }

    async fn more(&mut self) -> Outcome<()> {
        let read = self.stream.read_buf(&mut self.read).await.context(|| "the answer was not read".to_owned())?;
        if read == 0 { Err(Failure::new("the connection was closed before the answer was whole")) } else { Ok(()) }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// One request on a connection of its own; its answer must be one of success.
pub async fn once(address: SocketAddr, request: &[u8]) -> Outcome<Answer> {
    Connection::open(address).await?.ask(request).await?.good()
}
