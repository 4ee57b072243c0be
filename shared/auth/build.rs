//! Lists the ways to sign in: one for each file or folder of `src/methods`, whose `mod.rs` makes the registry of the list.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/methods");
    let mut names = Vec::new();
    for entry in fs::read_dir("src/methods")? {
        let path = entry?.path();
        let is_rust = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
        if is_rust && let Some(name) = name_of(&path).filter(|name| *name != "mod") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup(); // a file may have a folder of its own beside it
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("methods.rs"), format!("registry! {{ {} }}\n", names.join(", ")))
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()
}
