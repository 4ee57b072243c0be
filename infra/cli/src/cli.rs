//! The command line.

use crate::config::{Config, ConfigError, document, parse_address};
use crate::paths::{self, given};
use crate::{admin, demo, logs, serve};
use clap::{Args, Parser, Subcommand};
use faregate_processes::{measure, remove, supervise};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const ABOUT: &str = "A Dask Gateway on one machine";

const LONG_ABOUT: &str = "\
A Dask Gateway on one machine.

Users keep the official `dask-gateway` client: they ask for clusters, scale them, compute on them, and watch their \
dashboards, all through one port. Schedulers and workers run as processes of this machine, each cluster in sessions and \
a directory of its own.

Records are kept on disk: a gateway that was killed finds its clusters when it is started again, and clients that \
compute do not notice.";

const MANUAL: &str = "\
Examples:
  faregate demo
      Try everything, see what it takes, leave nothing behind.
  faregate serve
      Serve at http://127.0.0.1:8000, for yourself on this machine.
  faregate config > faregate.toml
  faregate serve --config faregate.toml
      Write a file of all settings, change it, serve as it says.
  faregate admin limits set user:alice clusters=2
      Give alice two clusters at most; `faregate admin --help` says more.

A first session, in Python:
  from dask_gateway import Gateway, BasicAuth
  gateway = Gateway(\"http://127.0.0.1:8000\", auth=BasicAuth(\"alice\"))
  cluster = gateway.new_cluster()
  cluster.scale(2)
  client = cluster.get_client()

Files:
  ~/.local/share/faregate/     data directory (mode 0700), of which:
    store.sqlite               records of clusters, tasks, limits
    keys.json                  the key ring: makes tokens, seals keys
    clusters/<name>/           files and logs of one cluster
    trash/                     files of clusters that are being removed
    reserve                    room that is held back for a full disk
    proxy.log                  what the proxy says
    homes/<uid>/               as root: home directories of tasks
  ~/.cache/faregate/python-*/  Python environments made by `serve`, `demo`
  As root: /var/lib/faregate and /var/cache/faregate.

Environment:
  RUST_LOG                     what is logged: `debug`, `warn,faregate=info`
  FAREGATE_CONFIG              the same as `serve --config`; likewise
                               FAREGATE_ADDRESS, FAREGATE_DATA_DIR and
                               FAREGATE_PYTHON
  FAREGATE_CACHE_DIR           instead of ~/.cache/faregate

Exit codes:
  0  done; or the gateway was told to stop, and did
  1  it failed; standard error says why
  2  the command line, the configuration or a limit is wrong";

#[derive(Debug, Parser)]
#[command(name = "faregate", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = MANUAL, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve for good
    #[command(after_help = SERVE_MANUAL)]
    Serve(Serve),
    /// Run a whole session through the official client, and show what it takes
    ///
    /// Makes a Python environment (once; kept for next time), starts a gateway on a free port, asks for a cluster, scales it,
    /// computes, adapts, opens the dashboard, shuts everything down, and prints what it measured. Leaves nothing running.
    Demo(Demo),
    /// Print the configuration: every setting, what it means and its default
    Config,
    /// Administer a gateway: limits, freezes, everyone's clusters, usage, audit
    #[command(after_help = admin::MANUAL)]
    Admin(admin::AdminArgs),
    /// Run the proxy (started by `serve`)
    #[command(hide = true)]
    Proxy {
        /// What to run: a file that `serve` wrote
        #[arg(long, value_name = "FILE")]
        spec: PathBuf,
    },
    /// Empty a directory of files that are to go (started by `serve`)
    #[command(hide = true)]
    Remove {
        /// The directory
        directory: PathBuf,
    },
    /// Measure the room that directories take (started by `serve`)
    #[command(hide = true)]
    Measure {
        /// The directories
        directories: Vec<PathBuf>,
    },
    /// Watch over one task (started by `serve`)
    #[command(hide = true)]
    Task {
        /// How many files the task may have open
        #[arg(long, value_name = "N")]
        open_files: Option<u64>,
        /// The task's directory
        directory: PathBuf,
    },
}

const SERVE_MANUAL: &str = "\
Once it is ready it prints one line to standard output, which names the address. Logs go to standard error.

Without a way to sign in (`[auth]`) only processes of your own system user, and of root, are let in, under any name they \
give, and only a loopback address is served.

Started as root it serves several people: tasks run under a uid of each user's own, or as the user's account. Started by \
anybody else it serves one person, and confines tasks to their clusters' files.

SIGTERM or Ctrl-C stops all clusters and the proxy, and waits for them; a second one waits no longer. With \
`stop_clusters_on_shutdown = false` both keep running, and the next `serve` on the same data directory takes them over, \
as it does after a crash.";

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen: API, dashboards and scheduler relay; port 0 picks a free one [default: 127.0.0.1:8000]
    #[arg(long, env = "FAREGATE_ADDRESS", value_name = "HOST:PORT", value_parser = GivenAddress::parse)]
    address: Option<GivenAddress>,
    /// Directory of records, keys, logs and cluster files [default: ~/.local/share/faregate; as root /var/lib/faregate]
    #[arg(long, env = "FAREGATE_DATA_DIR", value_name = "DIR", value_parser = paths::parser())]
    data_dir: Option<PathBuf>,
    /// Configuration file; `faregate config` prints one with all defaults
    #[arg(long, env = "FAREGATE_CONFIG", value_name = "FILE", value_parser = paths::parser())]
    config: Option<PathBuf>,
    /// Python environment of schedulers and workers, with bin/dask [default: one that is made at the first start]
    #[arg(long, env = "FAREGATE_PYTHON", value_name = "DIR", value_parser = paths::parser())]
    python: Option<PathBuf>,
}

/// An address; none where the variable that should hold it is empty.
#[derive(Clone, Copy, Debug)]
struct GivenAddress(Option<SocketAddr>);

impl GivenAddress {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(GivenAddress(None))
        } else {
            parse_address(text).map(|address| GivenAddress(Some(address)))
        }
    }
}

impl Serve {
    /// The file's configuration, and over it what the command line says.
    fn config(self) -> Result<Config, ConfigError> {
        let file = given(self.config);
        let mut config = file.as_deref().map(Config::load).transpose()?.unwrap_or_default();
        let gateway = &mut config.gateway;
        gateway.address = self.address.and_then(|given| given.0).unwrap_or(gateway.address);
        gateway.data_dir = given(self.data_dir).or(gateway.data_dir.take());
        gateway.python = given(self.python).or(gateway.python.take());
        Ok(config)
    }
}

#[derive(Debug, Args)]
struct Demo {
    /// Python environment to use [default: one that is made the first time]
    #[arg(long, env = "FAREGATE_PYTHON", value_name = "DIR", value_parser = paths::parser())]
    python: Option<PathBuf>,
}

/// The whole program, thin: parses, runs, reports.
pub fn main() -> ExitCode {
    main_with(serve::run)
}

/// The same, with another way to serve.
pub fn main_with(serve: impl FnOnce(Config) -> Result<(), serve::ServeError>) -> ExitCode {
    match Cli::parse().command {
        Action::Serve(arguments) => {
            logs::init();
            match arguments.config() {
                Ok(config) => match serve(config) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => failure(&error, error.exit_code()),
                },
                Err(error) => failure(&error, 2),
            }
        }
        Action::Demo(arguments) => report(demo::run(given(arguments.python).as_deref())),
        Action::Config => {
            // a reader that has seen enough is no failure
            let _ = std::io::stdout().write_all(document().as_bytes());
            ExitCode::SUCCESS
        }
        Action::Admin(arguments) => match admin::run(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error, error.exit_code()),
        },
        Action::Proxy { spec } => {
            logs::init();
            report(proxy(&spec))
        }
        Action::Remove { directory } => remove(&directory),
        Action::Measure { directories } => measure(&directories),
        Action::Task { open_files, directory } => {
            if let Some(current) = open_files {
                let limit = Rlimit { current: Some(current), maximum: getrlimit(Resource::Nofile).maximum };
                // refused only where it would be raised: then it is lower already
                let _ = setrlimit(Resource::Nofile, limit);
            }
            supervise(&directory)
        }
    }
}

/// The proxy's process: leaves the session of whoever started it, so that no Ctrl-C of theirs reaches it.
fn proxy(spec: &Path) -> Result<(), ProxyFailure> {
    // an error says that it leads a session, or a group, of its own already
    let _ = rustix::process::setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let mut signals = serve::Signals::listen()?;
        Ok(faregate_proxy::control::serve_from_file(spec, async move { signals.next().await }).await?)
    });
    runtime.shutdown_background();
    served
}

#[derive(Debug, thiserror::Error)]
enum ProxyFailure {
    #[error("the proxy cannot run")]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Serve(#[from] faregate_proxy::control::ServeError),
}

fn report<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error, 1),
    }
}

/// One line for people, whatever logs are.
fn failure(error: &dyn std::error::Error, code: u8) -> ExitCode {
    // with nobody to read it the exit code still tells
    let _ = writeln!(std::io::stderr(), "faregate: {}", faregate_core::chain(error));
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_line_overrides_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("faregate.toml");
        std::fs::write(&file, "address = '127.0.0.1:1'\ndata_dir = '/a'\nidle_timeout = 7").expect("written");
        let words = ["faregate", "serve", "--address", "localhost:2", "--config", file.to_str().expect("UTF-8")];
        let Action::Serve(serve) = Cli::parse_from(words).command else { panic!("serve") };
        let config = serve.config().expect("good");
        assert_eq!(config.gateway.address.port(), 2);
        let words = ["faregate", "serve", "--data-dir", "~/x", "--address", ":3", "--python", "", "--config", ""];
        let Action::Serve(serve) = Cli::parse_from(words).command else { panic!("serve") };
        let open = serve.config().expect("good").gateway;
        assert_eq!(open.address.to_string(), "0.0.0.0:3");
        assert_eq!(open.data_dir, paths::variable("HOME").map(|home| home.join("x")));
        assert_eq!(open.python, None, "what is empty is nothing");
        assert_eq!(config.gateway.data_dir, Some("/a".into()));
        assert_eq!(config.cluster.idle_timeout, 7.0);
    }
}
