//! The process launcher: what every launcher must do, and what only processes can go wrong in.
#![allow(clippy::unwrap_used)]

mod crashes;
mod files;
mod identities;
mod removal;
mod restarts;
mod sessions;

/// Supervises, and is killed.
const PROGRAM: &str = env!("CARGO_BIN_EXE_faregate-test-launcher");

mod suite {
    use faregate_tests::launcher_suite::local::Local;
    faregate_tests::launcher_suite!(Local::open(super::PROGRAM).await);
}
