//! A scheduler's stand-in: a process that both gateways start as `scheduler_cmd`, so that a hundred clusters cost next to nothing.
//!
//! It listens where a scheduler does, writes down what it was given, sends one heartbeat, and then serves its comm port as a sink and
//! a source of bytes.

use crate::failure::{Context, Failure, Outcome};
use crate::http;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// While this file is in the directory, stand-ins send no heartbeat: their clusters stay PENDING.
pub const QUIET: &str = "quiet";
/// The order to send so many bytes.
pub const SEND: u8 = b'S';
/// The order to take so many bytes, and to answer one.
pub const TAKE: u8 = b'T';
/// Bytes moved at once.
pub const BUFFER: usize = 256 * 1024;

const HEARTBEAT_TRIES: u32 = 100;

/// What a stand-in writes down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Its cluster.
    pub name: String,
    /// The cluster's token.
    pub token: String,
    /// A heartbeat that its gateway accepts.
    pub heartbeat: Value,
}

impl Report {
    /// Where the stand-in of a cluster writes it.
    pub fn path(dir: &Path, name: &str) -> PathBuf {
        dir.join(format!("{name}.json"))
    }

    /// Reads it; none = not written yet.
    pub fn read(dir: &Path, name: &str) -> Option<Report> {
        serde_json::from_slice(&std::fs::read(Self::path(dir, name)).ok()?).ok()
    }

    /// The cluster's own credentials, as a header line.
    pub fn authorization(&self) -> String {
        format!("Authorization: token {}\r\n", self.token)
    }

    /// A heartbeat's path.
    pub fn heartbeat_path(&self) -> String {
        format!("/api/v1/clusters/{}/heartbeat", self.name)
    }
}

/// Runs until it is killed.
pub async fn run(dir: &Path) -> Outcome<()> {
    let listen = || async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context(|| "no port".to_owned())?;
        let address = listener.local_addr().context(|| "no port".to_owned())?;
        Ok::<_, Failure>((listener, address))
    };
    let ((comm, comm_address), (dashboard, dashboard_address), (api, api_address)) =
        (listen().await?, listen().await?, listen().await?);
    let variable = |name: &str| std::env::var(name).context(|| format!("`{name}` is not set"));
    let mut token = variable("DASK_GATEWAY_API_TOKEN")?;
    if token.contains('/') {
        token = std::fs::read_to_string(&token).context(|| format!("`{token}` cannot be read"))?;
    }
    let report = Report {
        name: variable("DASK_GATEWAY_CLUSTER_NAME")?,
        token,
        heartbeat: json!({
            "scheduler_address": format!("tls://{comm_address}"),
            "dashboard_address": format!("http://{dashboard_address}"),
            "api_address": format!("http://{api_address}"),
            "count": 0,
            "active_workers": [],
            "closing_workers": [],
            "closed_workers": [],
        }),
    };
    tokio::spawn(accept(comm, serve_comm));
    tokio::spawn(accept(dashboard, serve_http));
    tokio::spawn(accept(api, serve_http));
    write(dir, &report)?;
    if !dir.join(QUIET).exists() {
        heartbeat(&report, &variable("DASK_GATEWAY_API_URL")?).await?;
    }
    std::future::pending().await
}

fn write(dir: &Path, report: &Report) -> Outcome<()> {
    let path = Report::path(dir, &report.name);
    let failed = || format!("`{}` cannot be written", path.display());
    let draft = path.with_extension("draft");
    let text = serde_json::to_vec(report).context(failed)?;
    std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &path)).context(failed)
}

/// The first heartbeat, tried as a scheduler does until it is accepted.
async fn heartbeat(report: &Report, api_url: &str) -> Outcome<()> {
    let (address, path) = api_url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap_or_default();
    let address: SocketAddr = address.parse().context(|| format!("`{api_url}` has no address"))?;
    let path = format!("/{path}/v1/clusters/{}/heartbeat", report.name);
    let request = http::request("POST", &path, &report.authorization(), Some(&report.heartbeat.to_string()));
    for _ in 0..HEARTBEAT_TRIES {
        if http::once(address, &request).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(Failure::new(format!("cluster `{}` had no heartbeat accepted", report.name)))
}

async fn accept<F: Future<Output = std::io::Result<()>> + Send + 'static>(
    listener: TcpListener,
    serve: fn(TcpStream) -> F,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream))),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Passes over the ClientHello, then obeys orders: a letter and a number of eight bytes.
async fn serve_comm(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut record = [0; 5];
    stream.read_exact(&mut record).await?;
    let length = u64::from(u16::from_be_bytes([record[3], record[4]]));
    tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
    let mut buffer = Vec::new(); // an idle connection needs none
    loop {
        let mut order = [0; 9];
        stream.read_exact(&mut order).await?;
        let mut left = u64::from_be_bytes(std::array::from_fn(|i| order[i + 1]));
        buffer.resize(BUFFER.min(left as usize), 0);
        match order[0] {
            SEND => {
                while left > 0 {
                    let part = buffer.len().min(left as usize);
                    stream.write_all(&buffer[..part]).await?;
                    left -= part as u64;
                }
            }
            _ => {
                while left > 0 {
                    let part = buffer.len().min(left as usize);
                    match stream.read(&mut buffer[..part]).await? {
                        0 => return Ok(()),
                        read => left -= read as u64,
                    }
                }
                stream.write_all(&[TAKE]).await?;
            }
        }
        buffer = Vec::new();
    }
}

/// Answers everything: a health check that passes.
async fn serve_http(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await? > 0 {
        if request.windows(4).any(|four| four == b"\r\n\r\n") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await?;
            break;
        }
    }
    Ok(())
}
