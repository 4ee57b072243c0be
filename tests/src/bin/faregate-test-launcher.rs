//! What tests of the process launcher run as processes of their own: a supervisor, and a launcher to be killed, and something
//! that listens.
#![allow(clippy::unwrap_used)]

use faregate_processes::{measure, remove, supervise};
use faregate_tests::launcher_suite::local::{launch_and_wait_for_the_end, settings};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["task", dir] => supervise(Path::new(dir)),
        ["measure", ref dirs @ ..] => measure(&dirs.iter().map(Into::into).collect::<Vec<_>>()),
        ["remove", dir] => remove(Path::new(dir)),
        ["launch", dir, supervisor, launch] => {
            let supervisor: Vec<String> = serde_json::from_str(supervisor).unwrap();
            let settings = settings(Path::new(dir), supervisor.iter().map(Into::into).collect());
            launch_and_wait_for_the_end(settings, &serde_json::from_str(launch).unwrap());
            ExitCode::SUCCESS
        }
        ["listen"] => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            println!("port={}", listener.local_addr().unwrap().port());
            listener.accept().unwrap();
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}
