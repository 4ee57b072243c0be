//! How people sign in, out of the Settings and the secret.

use crate::{Settings, SignInSecret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faregate_api::settings::SignIn;
use faregate_auth::access::Access;
use faregate_auth::{Auth, Config};
use faregate_keys::KeyRing;
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
    let shared_password = match settings.shared_password {
        true => Some(secret.password.ok_or("the secret of sign-in has no `password`")?),
        false => None,
    };
    let beside = SignIn { shared_password, jupyterhub_api_token: secret.jupyterhub_api_token };
    let mut config = settings.config.sign_in(&settings.sign_in, &beside)?;
    if settings.sign_in.iter().any(|method| method == "kerberos") {
        let keytab = secret.keytab.ok_or("the secret of sign-in has no `keytab`")?;
        let keytab = STANDARD.decode(keytab.trim()).map_err(|_| "`keytab` in the secret of sign-in is no base64")?;
        config.tables.kerberos.keytab_bytes = Some(keytab);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;
    use serde_json::{Value, json};

    fn read(sign_in: &str, shared: &str, auth: Value, secret: SignInSecret) -> Result<Config, String> {
        let lookup = |name: &str| match name {
            "FAREGATE_CONFIG" => Some(json!({"auth": auth}).to_string()),
            "FAREGATE_SIGN_IN" => Some(sign_in.to_owned()),
            "FAREGATE_SHARED_PASSWORD" => Some(shared.to_owned()),
            "FAREGATE_CLIENT_NETWORKS" => None,
            "AWS_REGION" => Some("eu-central-1".to_owned()),
            _ => Some("x".to_owned()),
        };
        config(&Settings::read(&Environment(&lookup)).unwrap(), secret)
    }

    fn secret() -> SignInSecret {
        let text = |text: &str| Some(text.to_owned());
        SignInSecret { password: text("p"), jupyterhub_api_token: text("t"), keytab: text("BQI=\n") }
    }

    #[test]
    fn nobody_is_let_in_where_nothing_is_configured() {
        let error = read("", "false", json!({}), secret()).unwrap_err();
        assert_eq!(error, "no way to sign in is configured: set the parameter `SignIn`");
    }

    #[test]
    fn secrets_come_out_of_the_secret() {
        let auth = json!({"jupyterhub": {"api_url": "https://hub.example/hub/api"}});
        let config = read("jupyterhub,kerberos,basic", "true", auth, secret()).unwrap();
        assert_eq!(config.methods, ["jupyterhub", "kerberos", "basic"]);
        assert_eq!(config.tables.basic.password.as_deref(), Some("p"));
        assert_eq!(config.tables.jupyterhub.api_token.as_deref(), Some("t"));
        assert_eq!(config.tables.kerberos.keytab_bytes.as_deref(), Some(&[5, 2][..]));
        let own = read("basic", "false", json!({"admins": ["root"]}), secret()).unwrap();
        assert!(own.admins.contains("root"));
        assert_eq!(own.tables.basic.password, None, "the secret always has one: it counts where it is asked for");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let jwt = json!({"jwt": {"issuer": "https://a.example"}});
        for (sign_in, shared, auth, secret, says) in [
            ("jwt", "false", jwt, secret(), "`auth.jwt.audience`"),
            ("basic", "false", json!({"methods": ["basic"]}), secret(), "the parameter `SignIn`"),
            ("basic", "true", json!({}), SignInSecret::default(), "no `password`"),
            ("kerberos", "false", json!({}), SignInSecret::default(), "no `keytab`"),
            ("tokens", "true", json!({}), secret(), "does not name `basic`"),
            ("basic", "true", json!({"admins": ["root"]}), secret(), "`auth.admins` cannot be named"),
            ("magic", "false", json!({}), secret(), "`auth.methods.magic` is not known"),
        ] {
            let error = read(sign_in, shared, auth, secret).unwrap_err();
            assert!(error.contains(says), "{sign_in}: {error}");
        }
    }
}
