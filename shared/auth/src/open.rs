//! From the configuration to the methods it names.

use crate::access::Access;
use crate::methods::{
    JupyterHub, Jwt, KerberosError, Once, OwnProcesses, Passwords, PeerAccounts, SharedPassword, SystemAccounts, Tokens,
};
use crate::{Auth, AuthConfigError, Config, Method, Web};
use async_trait::async_trait;
use faregate_core::model::Ms;
use faregate_core::ports::StoreError;
use faregate_keys::{KeyRing, KeyRingError};
use std::sync::Arc;

/// A configuration that reads well, and cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A value that cannot be.
    #[error(transparent)]
    AuthConfigError(#[from] AuthConfigError),
    /// No way in by Kerberos.
    #[error(transparent)]
    Kerberos(#[from] KerberosError),
    /// No sessions.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

#[async_trait]
impl Once for Access {
    async fn first_time(&self, what: &str, until: Ms) -> Result<bool, StoreError> {
        self.use_once(what, until).await
    }
}

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
        Ok(self.with(ring, self.methods_with(access, Some(accounts))?)?.with_access(access))
    }

    /// The methods alone, in order.
    pub fn methods(&self, access: &Arc<Access>) -> Result<Vec<Box<dyn Method>>, OpenError> {
        self.methods_with(access, None)
    }

    fn methods_with(
        &self,
        access: &Arc<Access>,
        accounts: Option<Arc<dyn SystemAccounts>>,
    ) -> Result<Vec<Box<dyn Method>>, OpenError> {
        let web = Arc::new(Web::default());
        self.methods.iter().map(|name| self.method(name, access, &web, accounts.as_ref())).collect()
    }

    /// Processes of this system user come in, under any name they give: where nobody signs in.
    pub fn open_to_own(&self, ring: &KeyRing, uid: u32) -> Result<Auth, OpenError> {
        self.with(ring, vec![Box::new(OwnProcesses { uid })])
    }

    fn with(&self, ring: &KeyRing, methods: Vec<Box<dyn Method>>) -> Result<Auth, OpenError> {
        Ok(Auth::new(ring, methods, self.admins.clone())?.with_groups(self.groups.clone()))
    }

    fn method(
        &self,
        name: &str,
        access: &Arc<Access>,
        web: &Arc<Web>,
        accounts: Option<&Arc<dyn SystemAccounts>>,
    ) -> Result<Box<dyn Method>, OpenError> {
        Ok(match name {
            "peer" => match accounts {
                Some(accounts) => Box::new(PeerAccounts { accounts: accounts.clone() }),
                None => {
                    let problem =
                        "names `peer`, which is for one machine: here nobody's process is known by its connection";
                    return Err(
                        AuthConfigError::Invalid { field: "auth.methods".into(), problem: problem.into() }.into()
                    );
                }
            },
            "jwt" => Box::new(Jwt::new(self.jwt.clone(), web.clone())?),
            "jupyterhub" => Box::new(JupyterHub::new(self.jupyterhub.clone(), web.clone())?),
            "kerberos" => match &self.keytab {
                Some(keytab) => Box::new(self.kerberos.with_keytab(keytab, access.clone())?),
                None => Box::new(self.kerberos.open(access.clone())?),
            },
            "tokens" => Box::new(Tokens { access: access.clone() }),
            _ => match &self.basic.password {
                Some(password) => Box::new(SharedPassword { password: Some(password.clone()) }),
                None => Box::new(Passwords { access: access.clone() }),
            },
        })
    }
}
