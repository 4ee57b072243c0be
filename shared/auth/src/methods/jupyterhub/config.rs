//! `[auth.jupyterhub]`.

use super::hub::authorization;
use crate::{AuthConfigError, web};
use http::Uri;
use serde::Deserialize;

/// Which hub, and what a token needs there.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The hub's API: `https://hub.example/hub/api`.
    pub api_url: String,
    /// The gateway's own token at the hub: it reads the groups of those whose own tokens may not. None = they have none then.
    pub api_token: Option<String>,
    /// The gateway's name as a service of the hub: tokens must have the scope to access it. None = any token of the hub will do.
    pub service_name: Option<String>,
}

impl Config {
    /// Can the hub be asked?
    pub fn check(&self) -> Result<(), AuthConfigError> {
        self.user_url()?;
        if let Some(token) = &self.api_token {
            authorization(token).ok_or_else(|| wrong("api_token", "is no token of a JupyterHub"))?;
        }
        if self.service_name.as_ref().is_some_and(String::is_empty) {
            return Err(wrong(
                "service_name",
                "must be a service's name; leave it out where any token of the hub will do",
            ));
        }
        Ok(())
    }

    /// Where the hub says whose a token is.
    pub(super) fn user_url(&self) -> Result<Uri, AuthConfigError> {
        let url = format!("{}/user", self.api_url.trim_end_matches('/'));
        let both = web::address(&self.api_url).and_then(|_| web::address(&url));
        both.map_err(|problem| wrong("api_url", problem))
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("api_url", &self.api_url).field("service_name", &self.service_name).finish()
    }
}

fn wrong(field: &str, problem: &str) -> AuthConfigError {
    AuthConfigError::invalid(format!("auth.jupyterhub.{field}"), problem)
}
