//! How people sign in, out of the Settings and the secret.

use crate::{Settings, SignInSecret};
use faregate::access::Access;
use faregate::api::auth::{Auth, Config};
use faregate::model::KeyRing;
use serde_json::json;
use std::sync::Arc;

/// Nobody is let in by accident: without a way to sign in there is no API.
pub fn sign_in(
    settings: &Settings,
    secret: SignInSecret,
    ring: &KeyRing,
    access: &Arc<Access>,
) -> Result<Auth, String> {
    config(settings, secret)?.open(ring, access).map_err(|e| e.to_string())
}

fn config(settings: &Settings, secret: SignInSecret) -> Result<Config, String> {
    let wrong = |problem: String| format!("`FAREGATE_CONFIG`: {problem}");
    if settings.sign_in.is_empty() {
        return Err("no way to sign in is configured: set the parameter `SignIn`".to_owned());
    }
    let mut auth = settings.auth.clone();
    if auth.contains_key("methods") {
        return Err(wrong("`auth.methods` is given by the parameter `SignIn`".to_owned()));
    }
    auth.insert("methods".to_owned(), json!(settings.sign_in));
    if settings.shared_password {
        let password = secret.password.ok_or("the secret of sign-in has no `password`")?;
        auth.insert("basic".to_owned(), json!({"password": password}));
    }
    Config::read(&auth.into()).map_err(|e| wrong(e.to_string()))
}
