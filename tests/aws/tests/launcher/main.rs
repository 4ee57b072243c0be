//! The launcher on ECS: the suite of every launcher, and what only Fargate can do to one.
#![allow(clippy::unwrap_used)]

mod answers;
mod endings;
mod fargate;
mod requests;
mod start;

mod suite {
    use super::fargate::Fargate;
    faregate_tests::launcher_suite!(Fargate::start().await);
}
