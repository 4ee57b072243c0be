//! A password is never an argument: those are seen by everybody on the machine.

use super::AdminError;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Write};

/// More than any password has, in bytes.
const LONGEST: u64 = 64 * 1_024;

/// A new password: the first line of standard input, or, from a terminal, what is typed twice and not shown.
pub(super) fn ask(user: &str) -> Result<String, AdminError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return line(stdin.lock());
    }
    let shown = user.escape_debug();
    let first = hidden(&format!("Password for {shown}: "))?;
    let second = hidden("Once more: ")?;
    if first == second { Ok(first) } else { Err(AdminError::Differ) }
}

fn hidden(prompt: &str) -> Result<String, AdminError> {
    let mut err = io::stderr();
    err.write_all(prompt.as_bytes()).and_then(|()| err.flush()).map_err(AdminError::Terminal)?;
    let _unseen = Unseen::begin().map_err(|error| AdminError::Terminal(error.into()))?;
    line(io::stdin().lock())
}

/// One line, without its end.
fn line(input: impl BufRead) -> Result<String, AdminError> {
    let mut line = String::new();
    input.take(LONGEST).read_line(&mut line).map_err(AdminError::Input)?;
    let end = line.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).len());
    line.truncate(end.unwrap_or(line.len()));
    Ok(line)
}

/// While it is held the terminal shows nothing that is typed, but the end of the line.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Flush, &modes)?;
        Ok(Unseen(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // should that fail there is nobody to tell, and nothing else to be tried
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_stands_before_its_end() {
        for (input, password) in [
            ("secret\n", "secret"),
            ("secret\r\nmore\n", "secret"),
            ("secret", "secret"),
            (" se cret \n", " se cret "),
            ("secret\r", "secret\r"),
            ("", ""),
        ] {
            assert_eq!(line(input.as_bytes()).unwrap(), password);
        }
        assert!(line(&b"\xff\n"[..]).is_err());
    }
}
