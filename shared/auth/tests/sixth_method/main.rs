//! A way to sign in is one file and one line: a patch adds a sixth to a copy of this crate, which compiles with both and not with one.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

const PATCH: &str = include_str!("sixth_method.patch");
const FILE: &str = "src/methods/sixth.rs";
const LINE: &str = "src/methods/mod.rs";

/// This crate's sources in a workspace of their own, whose other crates are those of this one.
struct Copy {
    dir: tempfile::TempDir,
    target: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.ancestors().nth(2).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let (_, rest) = manifest.split_once("\ndefault-members").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [\"shared/auth\"]\n{rest}");
        let elsewhere = format!("path = \"{}/", root.display());
        fs::write(dir.path().join("Cargo.toml"), manifest.replace("path = \"", &elsewhere)).unwrap();
        fs::copy(root.join("Cargo.lock"), dir.path().join("Cargo.lock")).unwrap();
        let copy = Copy { target: own_target(), dir };
        copy_all(&own.join("src"), &copy.auth().join("src"));
        for file in ["Cargo.toml", "build.rs"] {
            fs::copy(own.join(file), copy.auth().join(file)).unwrap();
        }
        copy
    }

    fn auth(&self) -> PathBuf {
        self.dir.path().join("shared/auth")
    }

    /// Applies the part of the patch that is about this file.
    fn apply(&self, file: &str) {
        let begins = format!("diff --git a/{file} ");
        let at = PATCH.find(&begins).unwrap();
        let part = &PATCH[at..];
        let part = part[1..].find("\ndiff --git ").map_or(part, |end| &part[..end + 2]);
        let patch =
            Command::new("patch").args(["-p1", "--fuzz=0"]).current_dir(self.auth()).stdin(Stdio::piped()).spawn();
        let mut patch = patch.unwrap();
        patch.stdin.take().unwrap().write_all(part.as_bytes()).unwrap();
        assert!(patch.wait().unwrap().success(), "{file}");
    }

    /// What the compiler says: one line an error.
    fn check(&self) -> Result<(), Vec<String>> {
        let output = Command::new(env!("CARGO"))
            .args(["check", "--offline", "--quiet", "--package", "faregate-auth", "--message-format", "short"])
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let errors: Vec<String> = said.lines().filter(|line| line.contains("error[")).map(str::to_owned).collect();
        match output.status.success() {
            true => Ok(()),
            false if errors.is_empty() => panic!("no error of the compiler's: {said}"),
            false => Err(errors),
        }
    }
}

/// Where this test was compiled to, so that nothing but this crate is compiled for it each time.
fn own_target() -> PathBuf {
    let exe = env::current_exe().unwrap();
    exe.ancestors().nth(3).unwrap().to_owned()
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

#[test]
fn a_way_to_sign_in_is_one_file_and_one_line() {
    let both = Copy::new();
    both.apply(FILE);
    both.apply(LINE);
    assert_eq!(both.check(), Ok(()));

    let without_line = Copy::new();
    without_line.apply(FILE);
    let errors = without_line.check().unwrap_err();
    assert!(errors.iter().all(|error| error.contains("error[E0433]") && error.contains("`sixth`")), "{errors:#?}");

    let without_file = Copy::new();
    without_file.apply(LINE);
    let errors = without_file.check().unwrap_err();
    assert!(errors.iter().all(|error| error.contains("error[E0583]") && error.contains("`sixth`")), "{errors:#?}");
}
