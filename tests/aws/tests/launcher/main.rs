//! The launcher on ECS: the suite of every launcher, and what only Fargate can do to one.
#![allow(clippy::unwrap_used)]

mod answers;
mod endings;
mod fargate;
mod lists;
mod requests;
mod start;

/// The other tests run on an ECS that takes filters together.
mod suite {
    use super::fargate::Fargate;
    faregate_tests::launcher_suite!(Fargate::with_strict_filters().await);
}
