//! Who has which clusters, as everybody in a storm can see it without asking: looked up for all of them together.

use super::Host;
use faregate_core::model::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// Clusters at once on a page.
const PAGE: usize = 100;

/// Clusters by user, and whether each runs.
type Clusters = BTreeMap<String, Vec<(String, bool)>>;

/// The board. Dropped, nobody writes on it any more.
pub struct Board {
    clusters: Arc<Mutex<Clusters>>,
    writing: JoinHandle<()>,
}

impl Drop for Board {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

impl Board {
    /// Puts one up.
    pub fn new(host: &Host) -> Board {
        let clusters = Arc::new(Mutex::new(Clusters::new()));
        Board { writing: tokio::spawn(write(host.clone(), clusters.clone())), clusters }
    }

    /// A user's clusters: all that want to run, and those of them that do.
    pub fn of(&self, user: &str) -> (Vec<String>, Vec<String>) {
        let clusters = self.clusters.lock().unwrap();
        let theirs = clusters.get(user).map(Vec::as_slice).unwrap_or_default();
        let running = theirs.iter().filter(|(_, runs)| *runs).map(|(name, _)| name.clone());
        (theirs.iter().map(|(name, _)| name.clone()).collect(), running.collect())
    }
}

async fn write(host: Host, board: Arc<Mutex<Clusters>>) {
    loop {
        let (mut clusters, mut cursor) = (Clusters::new(), None);
        loop {
            let page = host.store.active(cursor.as_deref(), PAGE).await.unwrap();
            for cluster in page.items.into_iter().map(|row| row.cluster).filter(|cluster| cluster.status.is_active()) {
                let entry = (cluster.name.to_string(), cluster.status == Status::Running);
                clusters.entry(cluster.user).or_default().push(entry);
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        *board.lock().unwrap() = clusters;
        tokio::time::sleep(host.pace / 5).await;
    }
}
