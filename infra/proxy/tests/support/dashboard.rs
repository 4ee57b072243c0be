//! A dashboard that tells what it was asked.

use super::listen;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// A dashboard that keeps the heads of its requests as they came, and echoes on WebSockets.
pub struct Dashboard {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Dashboard {
    pub async fn start() -> Self {
        let (listener, address) = listen().await;
        let heads = Arc::new(Mutex::new(vec![]));
        tokio::spawn(answer_all(listener, heads.clone()));
        Dashboard { address, heads }
    }

    pub fn last(&self) -> String {
        self.heads.lock().unwrap().last().expect("a request").clone()
    }

    pub fn count(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

async fn answer_all(listener: TcpListener, heads: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let heads = heads.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap() > 0 {}
            heads.lock().unwrap().push(head.clone());
            if head.to_ascii_lowercase().contains("upgrade: websocket") {
                let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                              sec-websocket-accept: abc\r\nset-cookie: stolen=1\r\n\r\n";
                stream.write_all(switch.as_bytes()).await.unwrap();
                let (mut from, mut to) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            } else {
                let (status, place) =
                    if head.starts_with("GET / ") { ("302 Found", "location: /status\r\n") } else { ("200 OK", "") };
                let answer = format!(
                    "HTTP/1.1 {status}\r\n{place}set-cookie: stolen=1; Path=/\r\nreferrer-policy: unsafe-url\r\n\
                     keep-alive: timeout=5\r\ncontent-length: 4\r\n\r\npage"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
    }
}
