//! The relay: from a client through the proxy to a scheduler, after a real ClientHello.

use crate::clusters::{User, reports};
use crate::failure::{Context, Failure, Outcome};
use crate::gateway::{Gateway, Kind, Schedulers};
use crate::processes::weight;
use crate::setup::Setup;
use crate::stand_in::{BUFFER, SEND, TAKE};
use crate::table::{Better, Row};
use crate::{Scale, step};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Connections made at once.
const AT_ONCE: usize = 8;
const GB: f64 = 1e9;

/// One cluster to relay to.
struct Target {
    address: SocketAddr,
    hello: Vec<u8>,
}

impl Target {
    async fn make(gateway: &Gateway) -> Outcome<Target> {
        let user = User::sign_in(gateway, "relay").await?;
        let names = user.create(gateway, 1).await?;
        user.wait_until_running(gateway, 1).await?;
        reports(gateway, &names).await?;
        let target = Target { address: gateway.address, hello: client_hello(&names[0])? };
        target.connect().await?; // the route is there
        Ok(target)
    }

    /// A connection over which the scheduler has answered.
    async fn connect(&self) -> Outcome<TcpStream> {
        let opened = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&self.hello).await?;
            take(&mut stream, 1).await?;
            Ok(stream)
        };
        in_time(opened, "a connection through the relay").await
    }
}

async fn in_time<T>(doing: impl Future<Output = std::io::Result<T>>, what: &str) -> Outcome<T> {
    let late = timeout(PATIENCE, doing).await.context(|| format!("{what} took over {} s", PATIENCE.as_secs()))?;
    late.context(|| format!("{what} failed"))
}

/// What a real client says first, with the cluster's name.
fn client_hello(cluster: &str) -> Outcome<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context(|| "no TLS".to_owned())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = format!("daskgateway-{cluster}");
    let name = ServerName::try_from(name).context(|| format!("`{cluster}` is no name"))?;
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).context(|| "no TLS client".to_owned())?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello).context(|| "no ClientHello".to_owned())?;
    Ok(hello)
}

/// Has the scheduler take so many bytes.
async fn take(stream: &mut TcpStream, count: u64) -> std::io::Result<()> {
    order(stream, TAKE, count).await?;
    let buffer = vec![0; BUFFER.min(count as usize)];
    let mut left = count;
    while left > 0 {
        let part = buffer.len().min(left as usize);
        stream.write_all(&buffer[..part]).await?;
        left -= part as u64;
    }
    stream.read_exact(&mut [0]).await?;
    Ok(())
}

/// Has the scheduler send so many bytes.
async fn send(stream: &mut TcpStream, count: u64) -> std::io::Result<()> {
    order(stream, SEND, count).await?;
    let mut buffer = vec![0; BUFFER];
    let mut left = count;
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => left = left.saturating_sub(read as u64),
        }
    }
    Ok(())
}

async fn order(stream: &mut TcpStream, what: u8, count: u64) -> std::io::Result<()> {
    let mut order = [what; 9];
    order[1..].copy_from_slice(&count.to_be_bytes());
    stream.write_all(&order).await
}

fn add(row: &mut Row, kind: Kind, value: f64) {
    match kind {
        Kind::Official => row.official.push(value),
        Kind::Ours => row.ours.push(value),
    }
}

/// Throughput, CPU per GB and new connections, in turns.
pub async fn measure(gateways: &[Gateway], scale: &Scale, rows: &mut Vec<Row>) -> Outcome<()> {
    let mut targets = Vec::new();
    for gateway in gateways {
        targets.push(Target::make(gateway).await?);
    }
    rows.extend([
        Row::new("relay to the client", "GB/s", Better::More, None),
        Row::new("relay to the client", "CPU s/GB", Better::Less, Some(2.0)),
        Row::new("relay to the scheduler", "GB/s", Better::More, None),
        Row::new("relay to the scheduler", "CPU s/GB", Better::Less, Some(2.0)),
        Row::new("new relay connections", "connections/CPU s", Better::More, None),
        Row::new("new relay connections", "connections/s", Better::More, None),
    ]);
    for round in 1..=scale.rounds {
        step(&format!("round {round}: relay"));
        for (gateway, target) in gateways.iter().zip(&targets) {
            for (place, down) in [(0, true), (2, false)] {
                let (speed, cpu) = bulk(gateway, target, scale.relay_bytes, down).await?;
                add(&mut rows[place], gateway.kind, speed);
                add(&mut rows[place + 1], gateway.kind, cpu);
            }
            let (by_cpu, by_time) = connections(gateway, target, scale.connections).await?;
            add(&mut rows[4], gateway.kind, by_cpu);
            add(&mut rows[5], gateway.kind, by_time);
        }
    }
    Ok(())
}

/// GB/s and CPU seconds per GB of one connection.
async fn bulk(gateway: &Gateway, target: &Target, bytes: u64, down: bool) -> Outcome<(f64, f64)> {
    let mut stream = target.connect().await?;
    gateway.settle().await;
    let (start, before) = (Instant::now(), gateway.proxy_cpu());
    if down {
        in_time(send(&mut stream, bytes), "the relay to the client").await?;
    } else {
        in_time(take(&mut stream, bytes), "the relay to the scheduler").await?;
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), gateway.proxy_cpu().since(&before));
    let gigabytes = bytes as f64 / GB;
    Ok((gigabytes / seconds, cpu / gigabytes))
}

/// New connections per CPU second and per second; each is closed when the scheduler has answered.
async fn connections(gateway: &Gateway, target: &Target, count: usize) -> Outcome<(f64, f64)> {
    gateway.settle().await;
    let (start, before) = (Instant::now(), gateway.proxy_cpu());
    let target = Arc::new(Target { address: target.address, hello: target.hello.clone() });
    let mut connecting = JoinSet::new();
    for _ in 0..AT_ONCE {
        let target = target.clone();
        connecting.spawn(async move {
            for _ in 0..count / AT_ONCE {
                target.connect().await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = connecting.join_next().await {
        ended.unwrap_or_else(|panic| Err(Failure::new(panic.to_string())))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    gateway.settle().await;
    let cpu = gateway.proxy_cpu().since(&before);
    let count = (count / AT_ONCE * AT_ONCE) as f64;
    Ok((count / cpu, count / seconds))
}

/// What an idle connection costs the proxy, in gateways that have just been started.
pub async fn measure_idle(setup: &Setup, scale: &Scale, rows: &mut Vec<Row>) -> Outcome<()> {
    rows.extend([
        Row::new("idle relay connection", "KiB (PSS)", Better::Less, Some(4.0)),
        Row::new("idle relay connection", "KiB (RSS)", Better::Less, None),
        Row::new("idle relay connection", "descriptors", Better::Less, None),
    ]);
    for round in 1..=scale.rounds {
        for &kind in &scale.kinds {
            step(&format!("round {round}: {} idle connections of {kind:?}", scale.idle));
            let gateway = Gateway::start(setup, kind, Schedulers::StandIns).await?;
            let target = Target::make(&gateway).await?;
            let mut open = Vec::new();
            for _ in 0..AT_ONCE {
                open.push(target.connect().await?);
            }
            gateway.settle().await;
            let before = weight(gateway.proxy)?;
            for _ in 0..scale.idle {
                open.push(target.connect().await?);
            }
            gateway.settle().await;
            let after = weight(gateway.proxy)?;
            let each = |after: f64, before: f64| (after - before) / scale.idle as f64;
            add(&mut rows[0], kind, each(after.pss, before.pss) / 1024.0);
            add(&mut rows[1], kind, each(after.rss, before.rss) / 1024.0);
            add(&mut rows[2], kind, each(after.descriptors, before.descriptors));
            drop(open);
            gateway.stop().await?;
        }
    }
    Ok(())
}
