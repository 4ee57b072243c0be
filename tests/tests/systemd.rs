//! The units as they are shipped, held against systemd's own tools, and what the gateway tells systemd. `tests/full/run vm` runs them for real.
#![allow(clippy::unwrap_used)]

use faregate_tests::python;
use faregate_tests::server::{PATIENCE, binary};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// No more than this may be open by the reckoning of `systemd-analyze security`, in tenths: 10.0 is a service without any restriction.
const EXPOSURE: u32 = 60;

fn shipped(unit: &str) -> String {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/cli/systemd");
    std::fs::read_to_string(units.join(unit)).unwrap()
}

/// The unit in a directory, with a binary that is there in place of the installed one: systemd looks whether it can be run.
fn with_binary(dir: &Path, unit: &str, installed: &str) -> PathBuf {
    let text = shipped(unit);
    assert!(text.contains(&format!("ExecStart={installed} serve ")), "{text}");
    let path = dir.join("faregate.service");
    std::fs::write(&path, text.replace(installed, binary().to_str().unwrap())).unwrap();
    path
}

fn systemd_analyze(arguments: &[&str], unit: &Path, runtime_dir: &Path) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg(unit).env("XDG_RUNTIME_DIR", runtime_dir).stdin(Stdio::null());
    let output = command.output().expect("these tests need `systemd-analyze` (Debian: apt-get install systemd)");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = tempfile::tempdir().unwrap();
    // a machine need not have manual pages
    for (unit, installed, arguments) in [
        ("faregate.service", "/usr/local/bin/faregate", &["verify", "--man=no"][..]),
        ("user/faregate.service", "%h/.cargo/bin/faregate", &["verify", "--man=no", "--user"][..]),
    ] {
        let path = with_binary(dir.path(), unit, installed);
        let (good, said) = systemd_analyze(arguments, &path, dir.path());
        // a setting that is not known is told, and no error; what is told of other units is not ours
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("faregate")).collect();
        assert!(good && ours.is_empty(), "{unit}: {said}");
    }
}

#[test]
fn the_unit_for_several_people_is_no_more_open_than_it_has_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_binary(dir.path(), "faregate.service", "/usr/local/bin/faregate");
    let threshold = format!("--threshold={EXPOSURE}");
    let (good, said) = systemd_analyze(&["security", "--offline=true", "--no-pager", &threshold], &path, dir.path());
    assert!(good, "{said}");
}

#[test]
fn what_a_restart_must_not_touch_is_kept_by_both_units() {
    for unit in ["faregate.service", "user/faregate.service"] {
        let text = shipped(unit);
        let has = |line: &str| text.lines().any(|other| other == line);
        for line in ["Type=notify", "KillMode=process", "OOMPolicy=continue", "Delegate=yes", "Restart=on-failure"] {
            assert!(has(line), "{unit} lacks `{line}`");
        }
        assert!(
            !text.lines().any(|line| line.starts_with("PrivateTmp=")),
            "{unit}: running tasks would lose their files"
        );
    }
}

#[test]
fn systemd_is_told_when_the_gateway_serves_and_when_it_begins_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let received = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a notification");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut command = Command::new(binary());
    command.args(["serve", "--address", "127.0.0.1:0", "--data-dir"]).arg(dir.path().join("data"));
    command.arg("--python").arg(python::dask(python::DASK_VERSIONS[0]).dir());
    command.env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut gateway = command.spawn().unwrap();
    assert_eq!(received(), "READY=1");
    kill_process(Pid::from_raw(i32::try_from(gateway.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(received(), "STOPPING=1");
    assert!(gateway.wait().unwrap().success());
}
