//! From the configuration to the methods it names.

use super::kerberos::{KerberosError, Once};
use super::{Auth, Config, Method, Passwords, SharedPassword, Tokens, Web, Wrong};
use super::{jupyterhub::JupyterHub, jwt::Jwt};
use crate::access::Access;
use crate::model::{KeyRing, KeyRingError, Ms};
use crate::ports::StoreError;
use async_trait::async_trait;
use std::sync::Arc;

/// A configuration that reads well, and cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A value that cannot be.
    #[error(transparent)]
    Wrong(#[from] Wrong),
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
    /// What it describes. Where no method is configured nobody comes in.
    pub fn open(&self, ring: &KeyRing, access: &Arc<Access>) -> Result<Auth, OpenError> {
        self.with(ring, self.methods(access)?)
    }

    /// The methods alone, in order.
    pub fn methods(&self, access: &Arc<Access>) -> Result<Vec<Box<dyn Method>>, OpenError> {
        let web = Arc::new(Web::default());
        self.methods.iter().map(|name| self.method(name, access, &web)).collect()
    }

    /// Everybody comes in under any name they give: for those whom only their own machine can reach.
    pub fn open_to_all(&self, ring: &KeyRing) -> Result<Auth, OpenError> {
        self.with(ring, vec![Box::new(SharedPassword { password: None })])
    }

    fn with(&self, ring: &KeyRing, methods: Vec<Box<dyn Method>>) -> Result<Auth, OpenError> {
        Ok(Auth::new(ring, methods, self.admins.clone())?.with_groups(self.groups.clone()))
    }

    fn method(&self, name: &str, access: &Arc<Access>, web: &Arc<Web>) -> Result<Box<dyn Method>, OpenError> {
        Ok(match name {
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
