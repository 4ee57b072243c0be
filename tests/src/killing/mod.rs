//! A gateway that is killed at a chosen call of its store, wakes or launcher, and what shows that nothing came of it.

pub mod gateway;
pub mod http;
pub mod life;
pub mod ports;
pub mod verdict;

use rustix::process::{Signal, getpid, kill_process};
use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// The variable that names the [`Point`] at which the gateway kills itself.
pub const KILL_AT: &str = "KILL_AT";
/// The variable that names the directory of [`PHASE`] and [`TRACE`].
pub const KILL_DIR: &str = "KILL_DIR";
/// The file that says which phase of a cluster's life it is.
pub const PHASE: &str = "phase";
/// The file that every call is written to: `<phase> <call>`.
pub const TRACE: &str = "trace";

/// Where a call is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// It is not made any more.
    Before,
    /// It is made and done, and nobody learns of it.
    After,
}

/// Where a gateway is killed: `scale:launcher.launch:1:after`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// In which phase.
    pub phase: String,
    /// At which call: port and method.
    pub call: String,
    /// At the how manieth of this phase, from 1.
    pub nth: u32,
    /// Before or after.
    pub when: When,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = if self.when == When::Before { "before" } else { "after" };
        write!(f, "{}:{}:{}:{when}", self.phase, self.call, self.nth)
    }
}

impl FromStr for Point {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no `phase:port.method:nth:before` or `…:after`");
        let [phase, call, nth, when] = text.split(':').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let when = match when {
            "before" => When::Before,
            "after" => When::After,
            _ => return Err(wrong()),
        };
        let nth = nth.parse().map_err(|_| wrong())?;
        Ok(Point { phase: phase.to_owned(), call: call.to_owned(), nth, when })
    }
}

/// Counts the calls of one gateway process, and ends it at its point.
pub struct Trap {
    at: Option<Point>,
    phase: PathBuf,
    counted: Mutex<Counted>,
}

struct Counted {
    calls: HashMap<(String, &'static str), u32>,
    trace: File,
}

impl Trap {
    /// As the environment says.
    pub fn from_env() -> Arc<Trap> {
        let dir = PathBuf::from(std::env::var_os(KILL_DIR).expect("KILL_DIR is set"));
        let at = std::env::var(KILL_AT).ok().map(|text| text.parse().unwrap());
        let trace = OpenOptions::new().create(true).append(true).open(dir.join(TRACE)).unwrap();
        let counted = Mutex::new(Counted { calls: HashMap::new(), trace });
        Arc::new(Trap { at, phase: dir.join(PHASE), counted })
    }

    /// Makes a call, or dies at it.
    pub async fn call<T>(&self, call: &'static str, made: impl Future<Output = T>) -> T {
        let (phase, nth) = self.count(call);
        let ends = |when| {
            self.at.as_ref().is_some_and(|at| at.phase == phase && at.call == call && at.nth == nth && at.when == when)
        };
        if ends(When::Before) {
            die();
        }
        let result = made.await;
        if ends(When::After) {
            die();
        }
        result
    }

    fn count(&self, call: &'static str) -> (String, u32) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = std::fs::read_to_string(&self.phase).unwrap();
        writeln!(counted.trace, "{phase} {call}").unwrap();
        let nth = counted.calls.entry((phase.clone(), call)).or_default();
        *nth += 1;
        (phase, *nth)
    }
}

/// As `kill -9` does it: no destructor, no flush, no goodbye.
fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
