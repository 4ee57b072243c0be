//! From the configuration to the methods it names.

use crate::access::Access;
use crate::methods::basic::Basic;
use crate::methods::peer::SystemAccounts;
use crate::registry::{Backends, find};
use crate::{Auth, AuthConfigError, Config, Method, Web};
use faregate_keys::{KeyRing, KeyRingError};
use std::error::Error;
use std::sync::Arc;

/// A configuration that reads well, and cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A value that cannot be.
    #[error(transparent)]
    Config(#[from] AuthConfigError),
    /// A method says why it cannot be used.
    #[error(transparent)]
    Method(Box<dyn Error + Send + Sync>),
    /// No sessions.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

/// A method that its configuration describes, or why there is none.
pub type Opened = Result<Box<dyn Method>, OpenError>;

impl Config {
    /// What it describes, where nobody's processes are known. Where no method is configured nobody comes in.
    pub fn open(&self, ring: &KeyRing, access: &Arc<Access>) -> Result<Auth, OpenError> {
        Ok(self.with(ring, self.methods(access)?)?.with_access(access))
    }

    /// What it describes on a machine whose proxy says whose processes connect.
    pub fn open_here(
        &self,
        ring: &KeyRing,
        access: &Arc<Access>,
        accounts: Arc<dyn SystemAccounts>,
    ) -> Result<Auth, OpenError> {
        Ok(self.with(ring, self.methods_with(access, Some(&accounts))?)?.with_access(access))
    }

    /// The methods alone, in order.
    pub fn methods(&self, access: &Arc<Access>) -> Result<Vec<Box<dyn Method>>, OpenError> {
        self.methods_with(access, None)
    }

    fn methods_with(
        &self,
        access: &Arc<Access>,
        accounts: Option<&Arc<dyn SystemAccounts>>,
    ) -> Result<Vec<Box<dyn Method>>, OpenError> {
        let backends = Backends { access, web: &Arc::new(Web::default()), accounts };
        let open = |name: &String| match find(name) {
            Some(entry) => (entry.open)(self, &backends),
            None => Err(AuthConfigError::unknown_method(name).into()),
        };
        self.methods.iter().map(open).collect()
    }

    /// Processes of this system user come in, under any name they give: where nobody signs in.
    pub fn open_to_own(&self, ring: &KeyRing, uid: u32) -> Result<Auth, OpenError> {
        self.with(ring, vec![Box::new(Basic::own_processes(uid))])
    }

    fn with(&self, ring: &KeyRing, methods: Vec<Box<dyn Method>>) -> Result<Auth, OpenError> {
        Ok(Auth::new(ring, methods, self.admins.clone())?.with_groups(self.groups.clone()))
    }
}
