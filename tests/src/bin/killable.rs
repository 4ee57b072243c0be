//! `faregate`, except that `serve` kills itself where the environment says (see [`faregate_tests::killing`]), and that it is in
//! more of a hurry: the durations that no setting shortens, so that what is given up after a lost call is given up soon.

use faregate_cli::{cli, serve};
use faregate_tests::killing::ports::wrap;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main_with(|mut config| {
        let policy = &mut config.policy;
        policy.launch_call_ms = 500;
        policy.launch_retry_ms = 200;
        policy.launch_list_ms = 200;
        policy.launch_window_ms = 10_000;
        policy.max_call_ms = 300;
        policy.visibility_ms = 200;
        policy.check_ms = 300;
        policy.stop_retry_ms = 1_000;
        policy.start_backoff_ms = 100;
        serve::run_with(config, wrap)
    })
}
