//! A Python program that acts as a user, through the official client, while the test acts on the machine.
//!
//! The two speak in lines: the program says something and may wait for an answer (`scripts/story.py`).

use crate::server::{PATIENCE, Server};
use faregate_cli::python::PythonEnv;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// The program under way. Dropped, it is killed.
pub struct Script {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Script {
    /// Starts `scripts/<name>.py` against a gateway; `arguments` follow its address.
    pub fn start(server: &Server, python: &PythonEnv, name: &str, arguments: &[&str]) -> Script {
        Script::start_with(server, python, name, arguments, &[])
    }

    /// The same, with more environment variables.
    pub fn start_with(
        server: &Server,
        python: &PythonEnv,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &Path)],
    ) -> Script {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name).with_extension("py");
        Script::at(&server.address, python, &script, arguments, environment)
    }

    /// Starts any program that speaks so, against a gateway at this address.
    pub fn at(
        address: &str,
        python: &PythonEnv,
        script: &Path,
        arguments: &[&str],
        environment: &[(&str, &Path)],
    ) -> Script {
        let mut child = Command::new(python.dir().join("bin/python"))
            .arg("-u")
            .arg(script)
            .arg(address)
            .args(arguments)
            .env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let stdin = child.stdin.take().unwrap();
        Script { child, stdin, lines, heard: Vec::new() }
    }

    /// Waits for a line `<what>` or `<what> <rest>`; the rest.
    pub fn hears(&mut self, what: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let rest = line.strip_prefix(what).map(str::trim).map(str::to_owned);
                    self.heard.push(line);
                    if let Some(rest) = rest {
                        return rest;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("it never said `{what}`, only:\n{}", self.heard.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended before it said `{what}`; it said:\n{}", self.heard.join("\n"))
                }
            }
        }
    }

    /// What it has said so far, and we have waited for.
    pub fn heard(&self) -> &[String] {
        &self.heard
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        writeln!(self.stdin, "go on").unwrap();
    }

    /// Says a line to it.
    pub fn says(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// Waits for its good end.
    pub fn ends_well(mut self) {
        self.hears("done");
        assert!(self.child.wait().unwrap().success(), "it said:\n{}", self.heard.join("\n"));
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
