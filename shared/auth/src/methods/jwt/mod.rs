//! Tokens that an issuer has signed (RFC 7519): OpenID Connect and its kin.
//!
//! What a token says is looked at first, as that costs nobody anything; then the key is found, and the signature decides.

mod claims;
mod config;
mod issuer;
mod key_set;
mod token;

#[cfg(test)]
mod tests;

pub use config::Config;

use crate::groups::groups;
use crate::registry::{Backends, MethodConfig};
use crate::{AuthConfigError, AuthError, Authenticated, Method, Opened, Peer, Presented, Web, web};
use async_trait::async_trait;
use faregate_core::model::{Ms, Role, user_name};
use http::HeaderValue;
use issuer::Issuer;
use std::sync::Arc;
use token::{Token, looks_like_one};

impl MethodConfig for Config {
    const NAME: &'static str = "jwt";
    const ORDER: u8 = 20;
    const MANUAL: &'static str = r##"
# Tokens of an OIDC issuer, as `Bearer` or as Basic's password.
#
# [auth.jwt]
# issuer = "https://login.example.com/realms/science"
# audience = "faregate"
# user_claim = "preferred_username"
# groups_claim = "groups"
# admin_groups = ["gateway-admins"]
"##;

    fn check(&self, _: &crate::Config) -> Result<(), AuthConfigError> {
        self.check()
    }

    fn open(&self, backends: &Backends<'_>) -> Opened {
        Ok(Box::new(Jwt::new(self.clone(), backends.web.clone())?))
    }
}

/// Lets in whoever has a good token: as `Bearer`, or as the password of Basic.
pub struct Jwt {
    config: Config,
    issuer: Arc<Issuer>,
}

impl Jwt {
    /// Keys are fetched for the first token.
    pub fn new(config: Config, web: Arc<Web>) -> Result<Self, AuthConfigError> {
        config.check()?;
        let jwks_url = config.jwks_url.as_deref().and_then(|url| web::address(url).ok());
        let issuer = Arc::new(Issuer::new(config.issuer.clone(), jwks_url, web));
        Ok(Jwt { config, issuer })
    }
}

#[async_trait]
impl Method for Jwt {
    fn name(&self) -> &'static str {
        Config::NAME
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("Bearer realm=\"faregate\""))
    }

    fn accepts(&self, presented: &Presented, _: &Peer) -> bool {
        presented.token().is_some_and(|(token, _)| looks_like_one(token))
    }

    async fn authenticate(&self, presented: &Presented, _: &Peer, now: Ms) -> Result<Authenticated, AuthError> {
        let (text, claimed) = presented.token().ok_or(AuthError::denied("no token"))?;
        let token = Token::read(text, &self.config.algorithms)?;
        claims::check(&token.claims, &self.config, now)?;
        let user = claims::user(&token.claims, &self.config)?;
        if claimed.is_some_and(|claimed| user_name(claimed).as_ref() != Ok(&user)) {
            return Err(AuthError::denied("the token is another user's than the name beside it"));
        }
        let named = claims::groups(&token.claims, &self.config)?;
        let key = self.issuer.key(token.kid.as_deref(), token.algorithm, now).await?;
        token.verify(&key)?;
        let mut entered = Authenticated::user(user, Config::NAME);
        if named.iter().any(|group| self.config.admin_groups.contains(group)) {
            entered.who.role = Role::Admin;
        }
        entered.who.groups = groups(&entered.who.name, named);
        Ok(entered)
    }
}
