//! The binary `faregate`: see [`faregate_local::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    faregate_local::cli::main()
}
