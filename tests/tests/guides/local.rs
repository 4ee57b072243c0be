//! The commands of one machine, as they stand in the guides, in a shell. Short forms: the binary of the tests in place of a release build,
//! a free port, a data directory and a home of the test's own.

use crate::documents::{Block, guide, guides};
use faregate_processes::identity::{UidRange, release};
use faregate_tests::python;
use faregate_tests::server::{PATIENCE, binary, passable_dir};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use tempfile::TempDir;

const PASSWORD: &str = "a password of hers";

/// A home in which `faregate` is installed. Dropped, what was started in it is killed.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        let home = passable_dir("faregate-guides-");
        std::fs::create_dir(home.path().join("bin")).unwrap();
        symlink(binary(), home.path().join("bin/faregate")).unwrap();
        Home(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A line of a guide, as a shell reads it.
    fn shell(&self, line: &str) -> Command {
        let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", line]).current_dir(self.path()).env("PATH", path);
        command.env("HOME", self.path()).env("FAREGATE_DATA_DIR", self.path().join("data"));
        command.env("FAREGATE_ADDRESS", "127.0.0.1:0");
        command.env("FAREGATE_PYTHON", python::dask(python::DASK_VERSIONS[0]).dir());
        command.env("DASK_GATEWAY__HTTP_CLIENT__PROXY", "False").env("no_proxy", "127.0.0.1");
        command
    }

    /// Runs the line with this on standard input: what it prints. Panics if it fails.
    fn run(&self, line: &str, input: &str) -> String {
        let mut command = self.shell(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // who reads nothing may have ended already
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`{line}` fails:\n{said}{errors}");
        said.into_owned()
    }

    /// `faregate serve …`, until it is ready.
    fn serve(&self, line: &str) -> Gateway {
        let log = std::fs::File::create(self.path().join("gateway.log")).unwrap();
        let mut command = self.shell(&format!("exec {line}"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (send, ready) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(send.send(line))));
        let said = ready.recv_timeout(PATIENCE).unwrap_or_default();
        let Some(address) = said.strip_prefix("faregate is ready at ") else {
            let log = std::fs::read_to_string(self.path().join("gateway.log")).unwrap_or_default();
            panic!("`{line}` is not ready:\n{said}{log}");
        };
        Gateway { address: address.to_owned(), child }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        faregate_cli::demo::leftovers::kill(self.path());
        // nothing of it is left: others may have its users' uids
        if let Ok(data_dir) = self.path().join("data").canonicalize() {
            let _ = release(&data_dir, &UidRange::default());
        }
    }
}

struct Gateway {
    address: String,
    child: Child,
}

impl Gateway {
    fn stop(mut self) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn the_demo() {
    let line = guide("README.md").commands_below("## Try it").remove(0);
    let short = line.replace("cargo run --release -- ", "faregate ");
    assert_ne!(short, line);
    let home = Home::new();
    let said = home.run(&short, "");
    assert!(said.contains("nothing is left"), "{said}");
}

#[test]
fn the_first_session() {
    let (home, readme) = (Home::new(), guide("README.md"));
    let commands = readme.commands_below("## A first session");
    assert_eq!(commands[1..], ["faregate serve"]);
    let gateway = home.serve(&commands[1]);
    let program = readme.block("## A first session", "python").replace("http://127.0.0.1:8000", &gateway.address);
    assert!(program.contains(&gateway.address), "{program}");
    std::fs::write(home.path().join("session.py"), program).unwrap();
    let said = home.run("\"$FAREGATE_PYTHON\"/bin/python session.py", "");
    assert!(said.contains("/clusters/"), "{said}");
    gateway.stop();
}

#[test]
fn a_configured_gateway_and_its_administration() {
    let (home, configuration) = (Home::new(), guide("docs/one-machine.md"));
    std::fs::write(home.path().join("faregate.toml"), configuration.block("## Configure it", "toml")).unwrap();
    let gateway = home.serve(&configuration.commands_below("## Configure it")[0]);
    let connect = format!(
        "from dask_gateway import BasicAuth, Gateway\n\
         gateway = Gateway('{}', auth=BasicAuth('alice', 'shared by those who may enter'))\n",
        gateway.address
    );
    let options = guide("docs/users.md").block("## Options and size", "python");
    std::fs::write(home.path().join("options.py"), format!("{connect}{options}cluster.shutdown()\n")).unwrap();
    home.run("\"$FAREGATE_PYTHON\"/bin/python options.py", "");
    for line in guide("docs/quotas-and-budgets.md").commands_below("## Commands") {
        home.run(&line, "");
    }
    gateway.stop();
}

#[test]
fn passwords_and_machine_tokens() {
    let home = Home::new();
    std::fs::write(home.path().join("faregate.toml"), "[auth]\nmethods = ['tokens', 'basic']\n").unwrap();
    let gateway = home.serve("faregate serve --config faregate.toml");
    let commands = guide("docs/sign-in.md").commands_below("## Passwords of one's own");
    let (add, rest) = commands.split_first().unwrap();
    home.run(add, PASSWORD);
    for line in guide("docs/users.md").commands_below("## Machine tokens") {
        let here = line.replace("https://gateway.example", &gateway.address);
        let said = home.run(&here.replace("-u alice ", &format!("-sS -u 'alice:{PASSWORD}' ")), "");
        assert!(said.contains("\"fgt_"), "{said}");
    }
    for line in rest {
        home.run(line, PASSWORD);
    }
    gateway.stop();
}

#[test]
fn the_settings_of_a_deployment() {
    let (home, aws) = (Home::new(), guide("docs/aws.md"));
    std::fs::write(home.path().join("parameters.yaml"), aws.block("## Deploy", "yaml")).unwrap();
    let commands = aws.commands_below("## Deploy");
    home.run(commands.iter().find(|line| line.starts_with("faregate ")).unwrap(), "");
}

/// What running text says of the command line is held against its own parser: it reads all arguments before it shows the help.
#[test]
fn commands_in_running_text_are_ones_that_there_are() {
    let home = Home::new();
    for guide in guides() {
        for span in guide.spans().iter().filter(|span| span.starts_with("faregate ") && !span.contains('…')) {
            let line = span.replace(['<', '>'], "");
            home.run(&format!("{line} --help"), "");
        }
    }
}

/// Every configuration in a guide is one that `faregate` takes. One that names ways to sign in needs their tables, which stand further below.
#[test]
fn configurations_of_the_guides_are_read() {
    let home = Home::new();
    for guide in guides() {
        let blocks: Vec<Block> = guide.blocks().into_iter().filter(|block| block.info == "toml").collect();
        for block in &blocks {
            let mut text = block.text.clone();
            if text.starts_with("[auth]") {
                let tables = blocks.iter().filter(|other| other.text.starts_with("[auth."));
                let absent = |other: &&Block| !block.text.contains(other.text.lines().next().unwrap_or_default());
                tables.filter(absent).for_each(|other| text += &other.text);
            }
            let file = home.path().join("some.toml");
            std::fs::write(&file, &text).unwrap();
            if let Err(error) = faregate_cli::config::Config::load(&file) {
                panic!("{}, {}: {error}", guide.path, block.heading);
            }
        }
    }
}
