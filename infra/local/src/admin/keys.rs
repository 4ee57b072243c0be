//! The command about the key ring.

use super::{AdminError, Hands, Outcome};
use crate::serve::{read_key_ring, write_key_ring};
use clap::Subcommand;
use faregate::gateway::admin::Act;
use faregate::machine::random;

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
    let ring = read_key_ring(dir)?.ok_or(AdminError::NoKeys)?.rotated(&random());
    let ids = ring.keys.iter().map(|key| key.id.clone()).collect();
    hands.admin.rotates_keys(&Act::new(who, why.as_deref())?, &ring).await?;
    write_key_ring(dir, &ring)?;
    Ok(Outcome::Keys(ids))
}
