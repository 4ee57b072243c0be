//! Who may enter, as it is kept: users with passwords of their own, machine tokens, and what may be used but once.
//!
//! One for the API, the ways to sign in and the command line. What admins do is written down first, as everything else that they do.

mod cache;
mod error;
mod failures;
mod once;
mod password;
mod text;
mod tokens;
mod users;
mod verified;
mod verify;
mod write;

pub use error::AccessError;
pub use failures::BlockRow;
pub use password::{LONGEST_PASSWORD, SHORTEST_PASSWORD};
pub use tokens::{By, MadeToken, NewToken, TokenRow};
pub use users::UserRow;
pub use verify::AuthBackendError;

use cache::Remembered;
use faregate_core::model::{Account, MachineToken};
use faregate_core::ports::{Accounts, Host};
use password::Hashing;
use std::sync::Arc;
use verified::Verified;

/// What a machine token's text begins with.
pub const TOKEN_PREFIX: &str = "fgt_";

/// Accounts and tokens.
pub struct Access {
    records: Arc<dyn Accounts>,
    host: Arc<dyn Host>,
    hashing: Hashing,
    accounts: Remembered<Account>,
    tokens: Remembered<MachineToken>,
    verified: Verified,
}

impl Access {
    /// Kept in these records.
    pub fn new(records: Arc<dyn Accounts>, host: Arc<dyn Host>) -> Self {
        let (accounts, tokens) = (Remembered::default(), Remembered::default());
        let verified = Verified::new(&std::array::from_fn(|_| host.random()));
        Access { records, host, hashing: Hashing::default(), accounts, tokens, verified }
    }
}
