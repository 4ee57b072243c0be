//! Things that are dear to make.

use std::sync::LazyLock;

/// Is made when it is first needed: a client of AWS's services parses what regions there are when it is made, and a cold start has no
/// time for clients that its first event does not need.
pub type Later<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// How it is made.
pub fn later<T>(make: impl FnOnce() -> T + Send + 'static) -> Later<T> {
    LazyLock::new(Box::new(make))
}
