//! `dask scheduler` and `dask worker` as far as a gateway can tell, started in milliseconds: the scheduler's side of the protocol,
//! as `dask_gateway.scheduler_preload` speaks it, and workers that connect, restart, retire and die. They compute nothing.
#![allow(clippy::unwrap_used)]

use faregate_tests::killing::http::{read, request};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// The first heartbeat comes after this time, as the preload's does.
const FIRST_HEARTBEAT: Duration = Duration::from_millis(250);
/// A worker that restarts is away for so long.
const AWAY: Duration = Duration::from_millis(400);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| words.iter().position(|word| word == name).map(|at| words[at + 1].clone()).unwrap();
    match words[0].as_str() {
        "scheduler" => schedule(option("--dg-heartbeat-period").parse().unwrap()),
        "worker" => work(words[1].strip_prefix("tls://").unwrap().parse().unwrap(), &option("--name")),
        other => panic!("`{other}` is neither scheduler nor worker"),
    }
}

/// Connects, and stays until it is told to go, or nobody is there any more.
fn work(scheduler: SocketAddr, name: &str) {
    loop {
        let Ok(mut stream) = TcpStream::connect(scheduler) else { return };
        writeln!(stream, "worker {name}").unwrap();
        // the connection ends with this line
        let word = BufReader::new(stream).lines().next();
        match word {
            Some(Ok(word)) if word == "restart" => sleep(AWAY),
            _ => return,
        }
    }
}

#[derive(Default)]
struct State {
    count: usize,
    /// The connection of each worker, the how manieth it is.
    workers: BTreeMap<String, (usize, TcpStream)>,
    closed: BTreeSet<String>,
    /// Connections of workers so far.
    joined: usize,
    /// A heartbeat is to be sent now.
    hurry: bool,
}

struct Scheduler {
    state: Mutex<State>,
    changed: Condvar,
    token: String,
}

fn schedule(period_s: f64) {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (comm, api, dashboard) = (listen(), listen(), listen());
    let at = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
    let addresses =
        [format!("tls://{}", at(&comm)), format!("http://{}", at(&dashboard)), format!("http://{}", at(&api))];
    let token = std::fs::read_to_string(std::env::var("DASK_GATEWAY_API_TOKEN").unwrap()).unwrap();
    let scheduler = Arc::new(Scheduler { state: Mutex::default(), changed: Condvar::new(), token });
    type Serve = fn(&Scheduler, TcpStream);
    for (listener, serve) in
        [(comm, Scheduler::take_worker as Serve), (api, Scheduler::answer), (dashboard, Scheduler::answer)]
    {
        let scheduler = scheduler.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let scheduler = scheduler.clone();
                spawn(move || serve(&scheduler, stream));
            }
        });
    }
    scheduler.beat(&addresses, Duration::from_secs_f64(period_s));
}

impl Scheduler {
    /// One worker, as long as it is connected; or a wish of the test: `restart` all workers.
    fn take_worker(&self, stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else { return };
        let Some(name) = first.strip_prefix("worker ") else {
            for (_, worker) in self.state.lock().unwrap().workers.values_mut() {
                let _ = writeln!(worker, "restart");
            }
            return;
        };
        let mut state = self.state.lock().unwrap();
        state.closed.remove(name);
        state.joined += 1;
        let own = state.joined;
        state.workers.insert(name.to_owned(), (own, stream));
        drop(state);
        while let Some(Ok(_)) = lines.next() {}
        let mut state = self.state.lock().unwrap();
        if state.workers.get(name).is_some_and(|(n, _)| *n == own) {
            state.workers.remove(name);
            state.closed.insert(name.to_owned());
        }
        self.changed.notify_all();
    }

    /// API and dashboard: health; for those who know the token scaling, idleness (it is always busy, with one client), letting
    /// workers go, and warnings.
    fn answer(&self, mut stream: TcpStream) {
        let Ok((first, authorization, body)) = read(&stream) else { return };
        let field = |name: &str| serde_json::from_str::<serde_json::Value>(&body).unwrap()[name].clone();
        let number = |name: &str| usize::try_from(field(name).as_u64().unwrap()).unwrap();
        let mut said = String::new();
        let status = match first.split(' ').collect::<Vec<_>>()[..] {
            ["GET", "/api/health", _] => "200 OK",
            _ if authorization != format!("token {}", self.token) => "403 Forbidden",
            ["POST", "/api/comm", _] => {
                assert_eq!(field("op"), "scale");
                let count = number("count");
                let mut state = self.state.lock().unwrap();
                state.hurry |= state.count != count;
                state.count = count;
                self.changed.notify_all();
                "200 OK"
            }
            ["GET", "/faregate/idle", _] => {
                let workers = self.state.lock().unwrap().workers.len();
                said = json!({"idle_ms": null, "clients": 1, "clientless_ms": null, "workers": workers}).to_string();
                "200 OK"
            }
            ["POST", "/faregate/retire", _] => {
                let state = self.state.lock().unwrap();
                for (_, worker) in state.workers.values().skip(number("keep")) {
                    let _ = writeln!(&*worker, "close");
                }
                "200 OK"
            }
            ["POST", "/faregate/warn", _] => {
                // where the test looks
                let _ = std::fs::write("warning.txt", field("message").as_str().unwrap());
                "200 OK"
            }
            _ => "404 Not Found",
        };
        let length = said.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(format!("{head}{said}").as_bytes());
    }

    fn beat(&self, [scheduler, dashboard, api]: &[String; 3], period: Duration) {
        let variable = |name: &str| std::env::var(name).unwrap();
        let name = variable("DASK_GATEWAY_CLUSTER_NAME");
        let url = format!("{}/v1/clusters/{name}/heartbeat", variable("DASK_GATEWAY_API_URL"));
        let authorization = format!("token {}", self.token);
        let mut pause = FIRST_HEARTBEAT;
        for n in 1.. {
            let state = self.state.lock().unwrap();
            let (mut state, _) = self.changed.wait_timeout_while(state, pause, |state| !state.hurry).unwrap();
            pause = period;
            state.hurry = false;
            let names: Vec<String> = state.workers.keys().cloned().collect();
            let (active, closing) = names.split_at(names.len().min(state.count));
            let closing = closing.to_vec();
            let mut content = json!({
                "scheduler_address": scheduler, "dashboard_address": dashboard, "api_address": api,
                "count": state.count, "active_workers": active, "closing_workers": closing, "closed_workers": state.closed,
            });
            let joined = state.joined;
            drop(state);
            if request("POST", &url, &authorization, &content.to_string()).is_ok_and(|(status, _)| status == 200) {
                // where the test looks; gone with the cluster's working directory
                content["n"] = json!(n);
                content["joined"] = json!(joined);
                let _ = std::fs::write("heartbeat.new", content.to_string());
                let _ = std::fs::rename("heartbeat.new", "heartbeat.json");
                self.retire(&closing);
            }
        }
    }

    /// Tells workers to go, and waits until they have.
    fn retire(&self, names: &[String]) {
        let mut state = self.state.lock().unwrap();
        for (_, worker) in names.iter().filter_map(|name| state.workers.get(name)) {
            let _ = writeln!(&*worker, "close");
        }
        while names.iter().any(|name| state.workers.contains_key(name)) {
            state = self.changed.wait(state).unwrap();
        }
    }
}
