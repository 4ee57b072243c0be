//! Paths as people write them, also where no shell has read them: in a file, or in a service's environment.

use clap::builder::{OsStringValueParser, TypedValueParser};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How a path begins that is in the home directory.
const HOME: [&str; 3] = ["~", "$HOME", "${HOME}"];

/// The path with `~`, `$HOME` or `${HOME}` at its beginning replaced by the home directory. The error ends a sentence that begins with
/// what the path is for.
pub fn expand(path: &OsStr) -> Result<PathBuf, String> {
    expand_in(path, variable("HOME"))
}

fn expand_in(path: &OsStr, home: Option<PathBuf>) -> Result<PathBuf, String> {
    let bytes = path.as_bytes();
    for begin in HOME {
        let Some(rest) = bytes.strip_prefix(begin.as_bytes()) else { continue };
        if !(rest.is_empty() || rest.starts_with(b"/")) {
            continue;
        }
        let home = home.ok_or_else(|| format!("begins with `{begin}`, and `HOME` is not set"))?;
        let rest: Vec<u8> = rest.iter().copied().skip_while(|byte| *byte == b'/').collect();
        return Ok(if rest.is_empty() { home } else { home.join(OsString::from_vec(rest)) });
    }
    if bytes.starts_with(b"~") {
        let shown = Path::new(path).display();
        return Err(format!("begins with `~`, which stands for the home directory alone (`~/…`), not `{shown}`"));
    }
    Ok(path.into())
}

/// A variable of the environment that holds a path; one that is empty counts as unset.
pub fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Reads a path of the command line or of its environment. What is empty is nothing: see [`given`].
pub fn parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| expand(&path))
}

/// What was read, unless it was empty: an environment file may set a variable to nothing.
pub fn given(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_directory_has_three_spellings() {
        let home = || Some(PathBuf::from("/home/ada"));
        for (path, expanded) in [
            ("~", "/home/ada"),
            ("~/data", "/home/ada/data"),
            ("~//data/", "/home/ada/data/"),
            ("$HOME/data", "/home/ada/data"),
            ("${HOME}", "/home/ada"),
            ("/a/~/b", "/a/~/b"),
            ("a~", "a~"),
            ("$HOMER/a", "$HOMER/a"),
            ("./~", "./~"),
        ] {
            assert_eq!(expand_in(OsStr::new(path), home()), Ok(PathBuf::from(expanded)), "{path}");
        }
        assert!(expand_in(OsStr::new("~bob/data"), home()).unwrap_err().contains("the home directory alone"));
        assert_eq!(expand_in(OsStr::new("~/a"), None).unwrap_err(), "begins with `~`, and `HOME` is not set");
        let odd = OsStr::from_bytes(b"$HOME/\xff");
        assert_eq!(expand_in(odd, home()).unwrap().as_os_str().as_bytes(), b"/home/ada/\xff");
    }
}
