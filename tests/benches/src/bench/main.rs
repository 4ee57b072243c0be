//! Compares the gateway with the official `dask-gateway-server`: both run side by side on loopback, and what each takes for the same
//! work is measured in the same run, in turns. Prints the medians and how many times better ours is.
//!
//! `cargo run --release -p faregate-benches --bin bench`

mod anatomy;
mod clusters;
mod end;
mod failure;
mod gateway;
mod http;
mod issuer;
mod load;
mod processes;
mod relay;
mod rest;
mod setup;
mod stand_in;
mod start;
mod table;

use clap::{Parser, Subcommand, ValueEnum};
use failure::{Context, Failure, Outcome};
use gateway::{Gateway, Kind, Schedulers};
use setup::Setup;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use table::Row;
use tokio::signal::unix::{SignalKind, signal};

/// Compare Faregate with the official dask-gateway-server, side by side on this machine
///
/// Sets up a Python environment with the official server (kept for next time) and a release build of `faregate`, measures both in
/// turns, and prints medians, ratios, and which aims are met. Takes several minutes; everything is on 127.0.0.1, and nothing is left
/// behind.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Few and short rounds: shows that it works, and little else
    #[arg(long)]
    quick: bool,
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,…", default_values = ["rest", "relay", "idle", "start"])]
    only: Vec<Part>,
    /// Measure only these gateways
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GATEWAY,…", default_values = ["official", "ours"])]
    gateways: Vec<Kind>,
    /// Of the REST calls, only those with this in their names
    #[arg(long, value_name = "TEXT", default_value = "")]
    calls: String,
    /// Seconds for which a REST call is repeated in a round, instead of 2, or 0.5 with --quick
    #[arg(long, value_name = "SECONDS")]
    window: Option<f64>,
    /// Rounds, instead of 5, or 2 with --quick
    #[arg(long)]
    rounds: Option<usize>,
    /// Binary of ours [default: one that is built now]
    #[arg(long, value_name = "FILE")]
    faregate: Option<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        help = "Python environment with dask-gateway-server[local], dask-gateway and dask [default: one that is made the first time]"
    )]
    python: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// REST calls
    Rest,
    /// Bytes and connections through the relay
    Relay,
    /// Idle connections
    Idle,
    /// Start of real clusters
    Start,
    /// End of real clusters
    End,
    /// What a start is made of, of ours alone
    Anatomy,
}

#[derive(Subcommand)]
enum Role {
    /// A scheduler's stand-in (started by the gateways)
    #[command(hide = true)]
    StandIn {
        /// Where to report
        dir: PathBuf,
        /// What a scheduler is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

/// How much of everything.
pub struct Scale {
    /// Which gateways, in the order of their turns.
    pub kinds: Vec<Kind>,
    /// What the names of REST calls must contain.
    pub calls: String,
    /// Rounds.
    pub rounds: usize,
    /// How long one kind of REST call is repeated.
    pub window: Duration,
    /// Clusters created in one round.
    pub creates: usize,
    /// Bytes relayed in each direction in one round.
    pub relay_bytes: u64,
    /// New connections in one round.
    pub connections: usize,
    /// Idle connections.
    pub idle: usize,
}

impl Scale {
    fn new(arguments: &Arguments) -> Scale {
        let kinds = arguments.gateways.clone();
        let full = Scale {
            kinds: kinds.clone(),
            calls: String::new(),
            rounds: 5,
            window: Duration::from_secs(2),
            creates: 32,
            relay_bytes: 4 << 30,
            connections: 2400,
            idle: 1000,
        };
        let quick = Scale {
            kinds,
            calls: String::new(),
            rounds: 2,
            window: Duration::from_millis(500),
            creates: 12,
            relay_bytes: 1 << 30,
            connections: 800,
            idle: 500,
        };
        let scale = if arguments.quick { quick } else { full };
        let window = arguments.window.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.1, 60.0)));
        Scale {
            calls: arguments.calls.clone(),
            rounds: arguments.rounds.unwrap_or(scale.rounds).clamp(1, 50),
            window: window.unwrap_or(scale.window),
            ..scale
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.role {
        Some(Role::StandIn { dir, .. }) => {
            setup::raise_descriptor_limit();
            runtime(1).and_then(|runtime| runtime.block_on(stand_in::run(dir)))
        }
        None => compare(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn runtime(threads: usize) -> Outcome<tokio::runtime::Runtime> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build().context(|| "no runtime".to_owned())
}

/// Measures part after part. What a part has measured is printed at its end, however it ends, and the others are measured all the same.
fn compare(arguments: &Arguments) -> Outcome<()> {
    let setup = Setup::make(arguments.faregate.as_deref(), arguments.python.as_deref())?;
    let scale = Scale::new(arguments);
    let runtime = runtime(2)?;
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for &part in &arguments.only {
        let mut rows = Vec::new();
        let outcome = runtime.block_on(until_told_to_stop(measure(part, &setup, &scale, &mut rows)));
        rows.retain(Row::has_values);
        if !rows.is_empty() {
            println!("{}", table::render(&rows));
        }
        for row in rows.iter().filter(|row| row.better == table::Better::Less) {
            if let Some((median, low, high)) = row.pairs() {
                let what = &row.what;
                println!("{what}: ours takes {median:.3} times as long (median of pairs; 95 %: {low:.3} to {high:.3})");
            }
        }
        all.append(&mut rows);
        match outcome {
            Ok(Ended::Measured) => {}
            Ok(Ended::Stopped) => return Err(Failure::new(format!("stopped while {part:?} was measured"))),
            Err(failure) => {
                eprintln!("bench: {part:?} failed: {failure}");
                failed.push(format!("{part:?}"));
            }
        }
    }
    let aims = || all.iter().filter(|row| row.aim.is_some());
    println!("{} of {} aims met", aims().filter(|row| row.verdict() == "met").count(), aims().count());
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(format!("failed: {}", failed.join(", ")))) }
}

/// How a part ended that did not fail.
enum Ended {
    Measured,
    /// By SIGTERM or Ctrl-C.
    Stopped,
}

async fn until_told_to_stop(measuring: impl Future<Output = Outcome<()>>) -> Outcome<Ended> {
    let mut terminated = signal(SignalKind::terminate()).context(|| "no signals".to_owned())?;
    tokio::select! {
        outcome = measuring => outcome.map(|()| Ended::Measured),
        _ = tokio::signal::ctrl_c() => Ok(Ended::Stopped),
        _ = terminated.recv() => Ok(Ended::Stopped),
    }
}

/// Measures one part. Its rows get each value as it is measured, also when the part fails later.
async fn measure(part: Part, setup: &Setup, scale: &Scale, rows: &mut Vec<Row>) -> Outcome<()> {
    match part {
        Part::Rest | Part::Relay => {
            let mut gateways = Vec::new();
            for &kind in &scale.kinds {
                step(&format!("starting {kind:?}"));
                gateways.push(Gateway::start(setup, kind, Schedulers::StandIns).await?);
            }
            if part == Part::Rest {
                rest::measure(&gateways, &setup.issuer, scale, rows).await?;
            } else {
                relay::measure(&gateways, scale, rows).await?;
            }
            for gateway in gateways {
                gateway.stop().await?;
            }
            Ok(())
        }
        Part::Idle => relay::measure_idle(setup, scale, rows).await,
        Part::Start => start::measure(setup, scale, rows).await,
        Part::End => end::measure(setup, scale, rows).await,
        Part::Anatomy => {
            println!("{}", anatomy::tell(setup).await?);
            Ok(())
        }
    }
}

/// Says what is being done.
pub fn step(what: &str) {
    eprintln!("bench: {what}");
}
