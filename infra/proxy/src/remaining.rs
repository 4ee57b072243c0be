//! Who is still here.

use std::convert::Infallible;
use tokio::sync::mpsc;

/// What a connection holds as long as it lives.
pub(crate) type Hold = mpsc::Sender<Infallible>;

/// The connections that were open when a proxy stopped accepting: its relays, and requests that were under way.
#[derive(Debug)]
pub struct Remaining(mpsc::Receiver<Infallible>);

impl Remaining {
    pub(crate) fn new() -> (Hold, Self) {
        let (hold, released) = mpsc::channel(1);
        (hold, Remaining(released))
    }

    /// Resolves when the last one has ended.
    pub async fn ended(mut self) {
        // nothing is ever sent
        let _: Option<Infallible> = self.0.recv().await;
    }
}
