//! The binary `faregate`: see [`faregate_cli::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    faregate_cli::cli::main()
}
