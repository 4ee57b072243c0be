//! The proxy as a process of its own: found by the next gateway, and alive at the limit of file descriptors.
//!
//! Run without the usual harness, because this program is also the child it starts.
#![allow(clippy::unwrap_used)]

mod support;

use faregate_proxy::control::{ProxyInfo, ProxySpec, running, serve_from_file};
use faregate_proxy::{Api, ProxyConfig};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::future::Future;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use support::gateway::Gateway;
use support::{SOON, client_hello, cluster, listen, request, soon};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, child, spec, limit] = &args[..]
        && child == "--child"
    {
        return be_the_proxy(Path::new(spec), limit.parse().unwrap());
    }
    run("a_flood_is_refused_and_an_old_relay_lives", a_flood_is_refused_and_an_old_relay_lives());
    run("a_running_proxy_is_found_and_a_killed_one_is_not", a_running_proxy_is_found_and_a_killed_one_is_not());
    run("what_cannot_be_served_is_said", what_cannot_be_served_is_said());
    ExitCode::SUCCESS
}

fn run(name: &str, story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(story);
    println!("test {name} ... ok");
}

/// Serves until standard input ends.
fn be_the_proxy(spec: &Path, descriptors: u64) -> ExitCode {
    let limit = Rlimit { current: Some(descriptors / 2), maximum: Some(descriptors) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut vec![]);
        let _ = ended.send(());
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(serve_from_file(spec, async { drop(end.await) })) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A proxy process, killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(dir: &TempDir, spec: &ProxySpec, descriptors: u64) -> Self {
        let path = dir.path().join("spec.json");
        std::fs::write(&path, serde_json::to_vec(spec).unwrap()).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--child", path.to_str().unwrap(), &descriptors.to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Process(child)
    }

    fn stop(&mut self) -> bool {
        drop(self.0.stdin.take());
        self.0.wait().unwrap().success()
    }
}

fn spec(dir: &TempDir) -> ProxySpec {
    let ring = faregate_keys::KeyRing::from_random(&[1; 64]);
    let keys: PathBuf = dir.path().join("keys.json");
    std::fs::write(&keys, serde_json::to_vec(&ring).unwrap()).unwrap();
    let any = ([127, 0, 0, 1], 0).into();
    ProxySpec {
        data_dir: dir.path().to_owned(),
        address: any,
        relay_address: None,
        internal_address: Some(any),
        config: ProxyConfig::new(Api::Unix(dir.path().join("gateway.sock")), keys),
    }
}

async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn ready(dir: &TempDir) -> ProxyInfo {
    until("the proxy starts", || running(dir.path()).unwrap()).await
}

/// Connections that say nothing. Ends when at least `refused` of them were closed.
async fn flood(address: std::net::SocketAddr, count: usize, refused: usize) -> JoinSet<()> {
    let mut closed = JoinSet::new();
    for _ in 0..count {
        let mut stream = soon(TcpStream::connect(address)).await.unwrap();
        closed.spawn(async move { drop(stream.read(&mut [0]).await) });
    }
    for _ in 0..refused {
        soon(closed.join_next()).await;
    }
    assert!(!closed.is_empty(), "some were accepted");
    closed
}

async fn health(address: std::net::SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request("GET", "/api/health", &[], "").as_bytes()).await?;
    let mut reply = vec![];
    soon(stream.read_to_end(&mut reply)).await?;
    Ok(reply.starts_with(b"HTTP/1.1 200"))
}

async fn a_flood_is_refused_and_an_old_relay_lives() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(&dir);
    // The flood must not go away by itself.
    spec.config.timeouts.handshake_ms = 600_000;
    let _gateway = Gateway::start(&dir.path().join("gateway.sock"));
    let mut process = Process::start(&dir, &spec, 64);
    let info = ready(&dir).await;
    let internal = info.internal_address.unwrap();
    let (scheduler, address) = listen().await;
    let route = serde_json::json!({ "scheduler": address, "dashboard": null });
    std::fs::write(dir.path().join(format!("routes/{}.json", cluster())), route.to_string()).unwrap();
    let mut client = TcpStream::connect(info.address).await.unwrap();
    let hello = client_hello(&format!("daskgateway-{}", cluster()));
    client.write_all(&hello).await.unwrap();
    let (mut server, _) = soon(scheduler.accept()).await.unwrap();
    soon(server.read_exact(&mut vec![0; hello.len()])).await.unwrap();

    let public_flood = flood(info.address, 200, 152).await;
    assert!(health(internal).await.unwrap(), "what the gateway needs is kept free");
    let internal_flood = flood(internal, 200, 152).await;
    // Enough to want a pipe, for which there is no descriptor.
    let message = vec![7; 4 << 20];
    let sent = message.clone();
    let sending = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client
    });
    let mut seen = vec![0; message.len()];
    soon(server.read_exact(&mut seen)).await.unwrap();
    assert!(seen == message);
    let mut client = soon(sending).await.unwrap();

    drop((public_flood, internal_flood));
    let start = Instant::now();
    while !health(info.address).await.unwrap_or(false) {
        assert!(start.elapsed() < SOON, "new connections are accepted again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.write_all(b"pong").await.unwrap();
    soon(client.read_exact(&mut [0; 4])).await.unwrap();
    assert!(process.stop());
}

async fn a_running_proxy_is_found_and_a_killed_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(&dir);
    assert_eq!(running(dir.path()).unwrap(), None);
    let mut process = Process::start(&dir, &spec, 256);
    let first = ready(&dir).await;
    assert_eq!(first.pid as u32, process.0.id());
    let mode = std::fs::metadata(dir.path().join("proxy.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    assert!(first.serves(&spec));
    let signing = ProxyConfig { sign_in: true, ..spec.config.clone() };
    assert!(!first.serves(&ProxySpec { config: signing, ..spec.clone() }));
    assert!(!first.serves(&ProxySpec { relay_address: Some(spec.address), ..spec.clone() }));
    let elsewhere = ([127, 0, 0, 1], first.address.port() ^ 1).into();
    assert!(!first.serves(&ProxySpec { address: elsewhere, ..spec.clone() }));

    process.0.kill().unwrap();
    // Not even waited for: a zombie serves nobody.
    until("the killed proxy is not found", || running(dir.path()).unwrap().is_none().then_some(())).await;
    (spec.address, spec.internal_address) = (first.address, first.internal_address);
    let mut process = Process::start(&dir, &spec, 256);
    let second = ready(&dir).await;
    assert_eq!((second.address, second.internal_address), (first.address, first.internal_address));
    assert!(second.serves(&spec) && second != first);

    // Another process has the pid: that is not it.
    let other = ProxyInfo { started: second.started + 1, ..second.clone() };
    std::fs::write(dir.path().join("proxy.json"), serde_json::to_vec(&other).unwrap()).unwrap();
    assert_eq!(running(dir.path()).unwrap(), None);
    std::fs::write(dir.path().join("proxy.json"), serde_json::to_vec(&second).unwrap()).unwrap();
    assert!(process.stop());
    assert!(!dir.path().join("proxy.json").exists());
}

async fn what_cannot_be_served_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let good = spec(&dir);
    let (_taken, address) = listen().await;
    let prefix = ProxyConfig { prefix: "services/".into(), ..good.config.clone() };
    let keys = ProxyConfig { keys: dir.path().join("none.json").into(), ..good.config.clone() };
    for (spec, sentence) in [
        (ProxySpec { address, ..good.clone() }, format!("cannot listen at `{address}`")),
        (ProxySpec { config: prefix, ..good.clone() }, "it is `services/`".to_owned()),
        (ProxySpec { config: keys, ..good.clone() }, "none.json".to_owned()),
    ] {
        let mut process = Process::start(&dir, &spec, 256);
        let mut said = String::new();
        process.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!process.0.wait().unwrap().success() && said.contains(&sentence), "{said}");
        assert_eq!(running(dir.path()).unwrap(), None);
    }
}
