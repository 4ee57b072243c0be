//! Stand-ins for the schedulers of all clusters: they say that they are busy; some accept a question and hang.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// So many there are; clusters take them in turn.
pub const STAND_INS: usize = 20;

/// The listeners; they end when this is dropped.
pub struct StandIns {
    /// Where they listen. Those that hang are the first.
    pub addresses: Vec<SocketAddr>,
    _listeners: JoinSet<()>,
}

impl StandIns {
    /// Listens on free ports of loopback; so many of them hang.
    pub async fn start(hanging: usize) -> std::io::Result<StandIns> {
        let mut addresses = Vec::new();
        let mut listeners = JoinSet::new();
        for n in 0..STAND_INS {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            addresses.push(listener.local_addr()?);
            listeners.spawn(accept(listener, n < hanging));
        }
        Ok(StandIns { addresses, _listeners: listeners })
    }
}

async fn accept(listener: TcpListener, hangs: bool) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, hangs));
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One question of each connection is answered, as the gateway asks no more.
async fn serve(mut stream: TcpStream, hangs: bool) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") || hangs {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let body: &[u8] = match request.starts_with(b"GET /faregate/idle ") {
        true => br#"{"idle_ms": null, "clients": 1, "clientless_ms": null, "workers": 10}"#,
        false => b"{}",
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await
}
