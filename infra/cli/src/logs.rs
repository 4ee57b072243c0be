//! Logs: on standard error, as JSON lines when nobody watches, for people when it is a terminal. `RUST_LOG` sets what is said.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use tracing_subscriber::EnvFilter;

/// What is said without `RUST_LOG`.
const DEFAULT: &str = "info";

/// Starts logging. Called once, first thing. Where a line cannot be written (the disk is full, the reader has gone) it is lost.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    // by default a failed write is reported on standard error itself, which fails too, and panics: in whatever wanted to say something
    let to_stderr =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        to_stderr.init();
    } else {
        to_stderr.json().flatten_event(true).with_ansi(false).init();
    }
}

/// How long a log is, in bytes.
pub fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |log| log.len())
}

/// The last lines of a log from a place on, for an error that they explain.
pub fn last_lines(path: &Path, from: u64, count: usize) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut log| {
        log.seek(SeekFrom::Start(from.min(length(path))))?;
        log.read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return format!("`{}` cannot be read: {error}", path.display());
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
