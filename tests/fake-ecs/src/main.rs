//! The fake as a program.

use clap::Parser;
use fake_ecs::{FakeEcs, Settings};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// ECS as AWS behaves, on one machine: tasks are local processes.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A cluster that exists. May be given several times.
    #[arg(long)]
    cluster: Vec<String>,
    /// A directory put before the system's in each task's PATH. May be given several times.
    #[arg(long)]
    path: Vec<PathBuf>,
    /// Where tasks live.
    #[arg(long)]
    dir: PathBuf,
    /// A variable `NAME=value` that each task finds in its environment. May be given several times.
    #[arg(long, value_parser = variable)]
    env: Vec<(String, String)>,
    /// Endpoint that environment files are fetched from.
    #[arg(long)]
    s3: Option<String>,
    /// Endpoint that task state changes are sent to.
    #[arg(long)]
    events: Option<String>,
    /// Endpoint that logs of containers with `awslogs` are sent to.
    #[arg(long)]
    logs: Option<String>,
    /// The region in ARNs.
    #[arg(long, default_value = "eu-west-1")]
    region: String,
    /// The account in ARNs.
    #[arg(long, default_value = "000000000000")]
    account: String,
    /// Start no process: tasks only go through their states.
    #[arg(long)]
    no_processes: bool,
    /// Knobs that differ from their defaults, as JSON.
    #[arg(long)]
    knobs: Option<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let options = Options::parse();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let fake = FakeEcs::start(settings(options)?)?;
    println!("fake-ecs is ready at {}", fake.url());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn settings(options: Options) -> io::Result<Settings> {
    let mut settings = Settings::new(options.dir);
    settings.listen = options.listen;
    settings.clusters = options.cluster;
    settings.path = options.path;
    settings.environment = options.env.into_iter().collect();
    (settings.s3, settings.events, settings.logs) = (options.s3, options.events, options.logs);
    (settings.region, settings.account) = (options.region, options.account);
    settings.run_processes = !options.no_processes;
    if let Some(knobs) = options.knobs {
        settings.knobs = serde_json::from_str(&knobs)?;
    }
    Ok(settings)
}
