//! A real scheduler, started and asked as the gateway does it.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::{PAGES, TestCluster, key, schedulers};
use faregate_cli::python::PythonEnv;
use faregate_core::ports::{Answer, Ask, Question, SchedulerError, Schedulers};
use faregate_keys::dashboard_key;
use faregate_tests::python::{DASK_VERSIONS, dask, dask_with};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(120);
const TOKEN: &str = "a-token-of-its-own";

/// Submits one task, says so, waits for its result, says it, and stays until its input ends.
const CLIENT: &str = "
import sys
from distributed import Client
client = Client(sys.argv[1], timeout=60)
future = client.submit(pow, 2, 10)
print('submitted', flush=True)
print(future.result(), flush=True)
del future
sys.stdin.read()
client.close()
";

/// Spreads data that nothing can compute again, and runs a task that is a client itself; says so; at the next line of its input says
/// what the data are; at the one after that leaves. Meanwhile it says each warning.
const OWNER: &str = "
import sys, warnings
from distributed import Client, get_client
warnings.simplefilter('always')
warnings.showwarning = lambda message, category, *rest: print(category.__name__, message, flush=True)
client = Client(sys.argv[1], timeout=60)
client.wait_for_workers(2)
client.submit(lambda: get_client().submit(pow, 2, 10).key).result()
data = client.scatter(list(range(10)))
print(sum(map(bool, client.has_what().values())), flush=True)
sys.stdin.readline()
print(sum(client.gather(data)), flush=True)
sys.stdin.readline()
client.close()
print('left', flush=True)
sys.stdin.readline()
";

/// Adds a page to the scheduler and one to its worker, and says the port of the worker's pages.
const ADDS_ROUTES: &str = "
import sys
from distributed import Client
client = Client(sys.argv[1], timeout=60)

def add(server):
    from tornado.web import RequestHandler

    class Added(RequestHandler):
        def get(self):
            self.write('added')

    server.http_application.add_handlers('.*', [('/added', Added)])
    return server.http_server.port

client.run_on_scheduler(lambda dask_scheduler: add(dask_scheduler))
print(*client.run(lambda dask_worker: add(dask_worker)).values(), flush=True)
sys.stdin.read()
";

/// In the scheduler and in its worker: puts an error into their thread's queue of OpenSSL's errors, as Python leaves that of a peer that is
/// gone, and closes that peer's connection. Says whether the error was there before and after.
const PEER_IS_GONE: &str = "
import sys
from distributed import Client
client = Client(sys.argv[1], timeout=60)

def end():
    import _ssl, ctypes, errno, socket, ssl
    from tornado.iostream import SSLIOStream

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own, peer = socket.socketpair()
    stream = SSLIOStream(context.wrap_socket(own, server_hostname='peer', do_handshake_on_connect=False))
    openssl = ctypes.CDLL(getattr(_ssl, '__file__', None))
    system = 2  # ERR_LIB_SYS
    openssl.ERR_new()
    openssl.ERR_set_error(system, errno.EPIPE, None)
    before = openssl.ERR_peek_error() != 0
    stream.close()
    peer.close()
    return before, stream.closed(), openssl.ERR_peek_error() != 0

print(client.run_on_scheduler(end), *client.run(end).values(), flush=True)
sys.stdin.read()
";

/// Plugins whose ends leave files in the tasks' directory.
const PLUGINS: &str = "
import os, sys
from distributed import Client, SchedulerPlugin, WorkerPlugin

class OfWorkers(WorkerPlugin):
    def teardown(self, worker):
        open(os.path.join(os.environ['TEST_DIRECTORY'], 'torn-down-' + worker.name), 'w').close()

class OfScheduler(SchedulerPlugin):
    async def close(self):
        open(os.path.join(os.environ['TEST_DIRECTORY'], 'closed'), 'w').close()

client = Client(sys.argv[1], timeout=60)
client.wait_for_workers(3, timeout=100)
client.register_plugin(OfWorkers())
client.register_plugin(OfScheduler())
print('registered', flush=True)
sys.stdin.read()
";

/// The first that a current Python runs.
const OLDEST_DASK: &str = "2023.4.1";

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_says_that_it_is_idle_unless_work_waits_even_without_workers() {
    idleness_of(DASK_VERSIONS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_of_a_later_dask() {
    idleness_of(DASK_VERSIONS[1]).await;
}

async fn idleness_of(version: &str) {
    let mut cluster = TestCluster::start(version).await;
    let addresses = cluster.addresses().await;

    assert_eq!(cluster.ask(addresses.api, Question::Health).await, Ok(Answer::Ok));
    let empty = cluster.idleness_when("idle", |idle| idle.idle_ms.is_some()).await;
    assert_eq!((empty.clients, empty.workers, empty.unclaimed), (0, 0, true));
    cluster.idleness_when("without clients since its start", |idle| idle.clientless_ms > empty.clientless_ms).await;
    cluster.idleness_when("idle for longer", |idle| idle.idle_ms > empty.idle_ms).await;

    let mut client = cluster.client(addresses.comm, CLIENT);
    assert_eq!(client.line().await, "submitted", "{}", cluster.logs());
    let busy = cluster.idleness_when("busy", |idle| idle.clients == 1 && idle.idle_ms.is_none()).await;
    assert_eq!((busy.workers, busy.clientless_ms, busy.unclaimed), (0, None, false));
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let waiting = cluster.idleness().await;
        assert_eq!(waiting.idle_ms, None, "a task waits for a worker: {waiting:?}");
    }

    assert_eq!(cluster.ask(addresses.api, Question::Scale { count: 1 }).await, Ok(Answer::Ok));
    cluster.heartbeat_when("wants one worker", |body| body["count"] == 1).await;
    cluster.start_worker(addresses.comm, "w-1");
    assert_eq!(client.line().await, "1024", "{}", cluster.logs());
    cluster.heartbeat_when("names the worker", |body| body["active_workers"] == serde_json::json!(["w-1"])).await;
    let again = cluster.idleness_when("idle again", |idle| idle.idle_ms.is_some()).await;
    assert_eq!((again.clients, again.workers), (1, 1));

    let adapt = Question::Adapt { minimum: Some(0), maximum: None, active: true };
    assert_eq!(cluster.ask(addresses.api, adapt).await, Ok(Answer::Ok));
    cluster.heartbeat_when("wants none", |body| body["count"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_let_go_with_their_data_saved_and_clients_are_warned_and_missed() {
    peace_of(DASK_VERSIONS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_with_a_later_dask() {
    peace_of(DASK_VERSIONS[1]).await;
}

async fn peace_of(version: &str) {
    let mut cluster = TestCluster::start(version).await;
    let addresses = cluster.addresses().await;
    let retire = |keep| Question::Retire { keep };
    assert_eq!(cluster.ask(addresses.dashboard, retire(0)).await, Ok(Answer::Ok), "nobody is to go");
    assert_eq!(cluster.ask(addresses.api, Question::Scale { count: 2 }).await, Ok(Answer::Ok));
    for name in ["w-1", "w-2"] {
        cluster.start_worker(addresses.comm, name);
    }
    let mut client = cluster.client(addresses.comm, OWNER);
    assert_eq!(client.line().await, "2", "{}", cluster.logs());

    let message = "`budget` of user:alice: \"90 %\" are spent — é";
    let warn = Question::Warn { message: message.to_owned() };
    assert_eq!(cluster.ask(addresses.dashboard, warn).await, Ok(Answer::Ok));
    assert_eq!(client.line().await, format!("UserWarning {message}"), "{}", cluster.logs());

    assert_eq!(cluster.ask(addresses.dashboard, retire(2)).await, Ok(Answer::Ok));
    assert_eq!(cluster.idleness().await.workers, 2, "as many as may stay");
    for _ in 0..3 {
        assert_eq!(cluster.ask(addresses.dashboard, retire(1)).await, Ok(Answer::Ok));
    }
    cluster.idleness_when("one worker", |idle| idle.workers == 1).await;
    cluster.heartbeat_when("has one closed", |body| body["closed_workers"].as_array().unwrap().len() == 1).await;
    client.go_on().await;
    assert_eq!(client.line().await, "45", "{}", cluster.logs());
    let present = cluster.idleness().await;
    assert_eq!((present.workers, present.clients, present.clientless_ms), (1, 1, None));

    client.go_on().await;
    assert_eq!(client.line().await, "left", "{}", cluster.logs());
    let alone = cluster.idleness_when("without clients", |idle| idle.clientless_ms.is_some()).await;
    assert_eq!(alone.clients, 0, "a task that was a client is none of its users");
    assert!(!alone.unclaimed, "one has left");
    cluster.idleness_when("for longer", |idle| idle.clientless_ms > alone.clientless_ms).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idle_page_is_for_the_gateway_alone_and_opens_nothing_else() {
    let mut cluster = TestCluster::start(DASK_VERSIONS[1]).await;
    let addresses = cluster.addresses().await;
    cluster.idleness().await;

    for question in [Question::Idle, Question::Retire { keep: 0 }, Question::Warn { message: "of nothing".into() }] {
        let cluster = cluster.name.clone();
        let stranger = Ask { cluster, address: addresses.dashboard, token: "guessed".into(), question };
        let refused = Err(SchedulerError::Nonsense("HTTP status 403".into()));
        assert_eq!(schedulers().ask(vec![stranger]).await, [refused]);
    }
    for (request, status) in [
        ("GET /faregate/idle", "403"),
        ("POST /faregate/idle", "403"),
        ("GET /faregate/retire", "403"),
        ("POST /faregate/retire", "403"),
        ("POST /faregate/warn", "403"),
        ("POST /api/v1/retire_workers", "404"),
        ("GET /api/v1/check_idle", "404"),
        ("GET /faregate/", "404"),
        ("GET /health", "200"),
        ("GET /info/main/workers.html", "200"),
    ] {
        assert_eq!(cluster.status(addresses.dashboard, request, Some(&key())).await, status, "{request}");
    }

    cluster.processes.clear();
    let answer = cluster.ask(addresses.api, Question::Health).await;
    assert!(matches!(answer, Err(SchedulerError::Unanswered(_))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_oldest_dask_opens_its_pages_to_nobody_without_its_key() {
    pages_of(dask(OLDEST_DASK)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_of_the_newest_which_passes_the_key_on_to_its_workers_pages() {
    pages_of(dask_with(DASK_VERSIONS[1], &["jupyter-server-proxy"])).await;
}

/// Every port that any process of the cluster listens on, asked for pages of every kind.
async fn pages_of(python: PythonEnv) {
    let mut cluster = TestCluster::start_in(&python).await;
    let addresses = cluster.wants(1).await;
    cluster.start_worker(addresses.comm, "w-1");
    cluster.idleness_when("one worker", |idle| idle.workers == 1).await;
    let mut client = cluster.client(addresses.comm, ADDS_ROUTES);
    let worker = SocketAddr::from(([127, 0, 0, 1], client.line().await.parse::<u16>().unwrap()));
    let others = dashboard_key("the token of another cluster");
    let ring = format!("{others},{}", key());

    let ports = cluster.ports();
    for port in [addresses.comm, addresses.dashboard, addresses.api, worker] {
        assert!(ports.contains(&port.port()), "{port} of {ports:?}");
    }
    assert!(ports.len() >= 5, "the nanny's is among them: {ports:?}");
    for port in ports {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        for path in PAGES {
            let request = format!("GET {path}");
            for wrong in [None, Some(""), Some(&*others), Some(TOKEN), Some(&key()[1..])] {
                let status = cluster.status(address, &request, wrong).await;
                let is_official = address == addresses.api;
                let expected = match path {
                    "/api/health" if is_official => "200",
                    "/api/comm" if is_official => "405",
                    _ if is_official => "404",
                    _ if address == addresses.dashboard || address == worker => "403",
                    _ => "closed",
                };
                assert_eq!(status, expected, "{address} {path} {wrong:?}");
            }
        }
    }
    let stranger = cluster.status(addresses.api, "POST /api/comm", None).await;
    assert!(["401", "403"].contains(&&*stranger), "the official preload asks for the token: {stranger}");
    for path in ["/health", "/metrics", "/status", "/added"] {
        for address in [addresses.dashboard, worker] {
            assert_eq!(cluster.status(address, &format!("GET {path}"), Some(&ring)).await, "200", "{address} {path}");
        }
    }
    assert_eq!(cluster.status(addresses.dashboard, "GET /info/main/workers.html", Some(&ring)).await, "200");
    let unsigned = cluster.status(addresses.dashboard, "GET /status/ws", Some(&ring)).await;
    assert!(["101", "403"].contains(&&*unsigned), "it is the dashboard's to answer: {unsigned}");
    if python.dir().join("bin/jupyter-server").exists() {
        let proxied = format!("GET /proxy/{}/127.0.0.1/health", worker.port());
        assert_eq!(cluster.status(addresses.dashboard, &proxied, Some(&ring)).await, "200");
        assert_eq!(cluster.status(addresses.dashboard, &proxied, None).await, "403");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_says_which_workers_it_has_ever_seen() {
    let mut cluster = TestCluster::start(DASK_VERSIONS[0]).await;
    let addresses = cluster.wants(1).await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let question = Question::Workers { names: names(&["w-1", "w-2"]) };
    assert_eq!(cluster.ask(addresses.dashboard, question.clone()).await, Ok(Answer::Workers(names(&[]))));
    cluster.start_worker(addresses.comm, "w-1");
    cluster.idleness_when("one worker", |idle| idle.workers == 1).await;
    assert_eq!(cluster.ask(addresses.dashboard, question.clone()).await, Ok(Answer::Workers(names(&["w-1"]))));
    drop(cluster.processes.pop());
    cluster.idleness_when("no worker", |idle| idle.workers == 0).await;
    assert_eq!(cluster.ask(addresses.dashboard, question).await, Ok(Answer::Workers(names(&["w-1"]))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_gone_leaves_no_error_to_the_connections_of_others() {
    let mut cluster = TestCluster::start(DASK_VERSIONS[0]).await;
    let addresses = cluster.wants(1).await;
    cluster.start_worker(addresses.comm, "w-1");
    cluster.idleness_when("one worker", |idle| idle.workers == 1).await;
    let mut client = cluster.client(addresses.comm, PEER_IS_GONE);
    assert_eq!(client.line().await, "(True, True, False) (True, True, False)", "{}", cluster.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workers_configured_preloads_are_loaded_and_taken_down_beside_ours() {
    let mut cluster = TestCluster::start(DASK_VERSIONS[0]).await;
    let addresses = cluster.wants(1).await;
    let said = cluster.directory.path().join("said");
    let source = format!(
        "def dask_setup(worker): open({said:?}, 'a').write('setup ' + worker.name)\n\
         def dask_teardown(worker): open({said:?}, 'a').write(' teardown')\n"
    );
    cluster
        .config
        .environment
        .insert("DASK_DISTRIBUTED__WORKER__PRELOAD".into(), serde_json::json!([source]).to_string());
    cluster.start_worker(addresses.comm, "w-1");
    cluster.idleness_when("one worker", |idle| idle.workers == 1).await;
    assert_eq!(cluster.ask(addresses.dashboard, Question::Retire { keep: 0 }).await, Ok(Answer::Ok));
    cluster.idleness_when("no worker", |idle| idle.workers == 0).await;
    let begun = Instant::now();
    while std::fs::read_to_string(&said).unwrap_or_default() != "setup w-1 teardown" {
        assert!(begun.elapsed() < DEADLINE, "{:?}\n{}", std::fs::read_to_string(&said), cluster.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_told_to_end_all_at_once_ends_in_order() {
    end_of(DASK_VERSIONS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_ends_one_of_a_later_dask() {
    end_of(DASK_VERSIONS[1]).await;
}

/// Without order a worker hangs until its nanny kills it, more often than not.
async fn end_of(version: &str) {
    let names = ["w-1", "w-2", "w-3"];
    let mut cluster = TestCluster::start(version).await;
    let addresses = cluster.wants(3).await;
    for name in names {
        cluster.start_worker(addresses.comm, name);
    }
    let mut client = cluster.client(addresses.comm, PLUGINS);
    assert_eq!(client.line().await, "registered", "{}", cluster.logs());
    for process in &cluster.processes {
        let pid = rustix::process::Pid::from_raw(process.child.id().unwrap() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }
    for process in &mut cluster.processes {
        tokio::time::timeout(DEADLINE, process.child.wait()).await.expect("its end").unwrap();
    }
    let logs = cluster.logs();
    // a worker whose scheduler leaves first stops because of that, waits for its nanny, which waits for it, and is killed after eight seconds
    assert!(!logs.contains("scheduler-close"), "{logs}");
    assert_eq!(logs.matches("Worker closed").count(), 3, "{logs}");
    for plugin in names.map(|name| format!("torn-down-{name}")).into_iter().chain(["closed".to_owned()]) {
        assert!(cluster.directory.path().join(&plugin).exists(), "{plugin}\n{logs}");
    }
}
