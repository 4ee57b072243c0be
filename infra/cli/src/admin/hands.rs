//! What commands are carried out with.

use super::{AdminError, password};
use faregate_auth::access::Access;
use faregate_core::ports::Accounts;
use faregate_gateway::admin::Admin;
use faregate_keys::KeyRing;
use faregate_sqlite::SqliteStore;
use std::path::PathBuf;
use std::sync::Arc;

/// What commands are carried out with.
pub struct Hands {
    /// What admins do.
    pub admin: Admin,
    /// Passwords and machine tokens.
    pub access: Access,
    /// The gateway's key ring, where it is at hand.
    pub ring: Option<KeyRing>,
    /// Its data directory, where it has one.
    pub data_dir: Option<PathBuf>,
    /// The store there, for what found no room in it.
    pub local: Option<Arc<SqliteStore>>,
    /// Where a new password for a user comes from.
    pub password: fn(&str) -> Result<String, AdminError>,
}

impl Hands {
    /// On these records, which are the admin's too. Passwords are asked for.
    pub fn new(admin: Admin, records: Arc<dyn Accounts>, ring: Option<KeyRing>) -> Self {
        let access = Access::new(records, admin.host.clone());
        Hands { admin, access, ring, data_dir: None, local: None, password: password::ask }
    }
}
