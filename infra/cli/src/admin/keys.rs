//! The command about the key ring.

use super::{AdminError, Hands, Outcome};
use crate::serve::{fingerprints, read_key_ring, write_key_ring};
use clap::Subcommand;
use faregate_gateway::ServiceError;
use faregate_gateway::admin::Act;
use faregate_keys::KeyRing;
use faregate_machine::random;
use faregate_sqlite::SqliteStore;

/// What to do about the keys.
#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Add a key, which makes and seals from the gateway's next start on; the others go on verifying and opening
    Rotate {
        /// Why, for the audit record
        #[arg(long)]
        why: Option<String>,
    },
}

pub(super) async fn keys(hands: &Hands, who: &str, action: KeysAction) -> Result<Outcome, AdminError> {
    let KeysAction::Rotate { why } = action;
    let dir = hands.data_dir.as_ref().ok_or(AdminError::NoKeys)?;
    let ring = match read_key_ring(dir)? {
        Some(ring) => ring.rotated(&random()),
        // lost: from now on the records go with this one
        None => KeyRing::from_random(&random()),
    };
    let ids = ring.keys.iter().map(|key| key.id.clone()).collect();
    hands.admin.rotates_keys(&Act::new(who, why.as_deref())?, &ring).await?;
    write_key_ring(dir, &ring)?;
    SqliteStore::open(&dir.join("store.sqlite"))?
        .put_known_keys(&fingerprints(&ring))
        .await
        .map_err(ServiceError::from)?;
    Ok(Outcome::Keys(ids))
}
