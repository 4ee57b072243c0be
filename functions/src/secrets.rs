//! What is kept in Secrets Manager.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use faregate_keys::KeyRing;
use serde::Deserialize;

/// The key ring.
pub async fn key_ring(client: &Client, secret: &str) -> Result<KeyRing, String> {
    let output = client.get_secret_value().secret_id(secret).send().await;
    let output = output.map_err(|e| unreadable(secret, &DisplayErrorContext(e)))?;
    ring(secret, output.secret_string())
}

/// The key ring, and what sign-in needs, in one call.
pub async fn key_ring_and_sign_in(
    client: &Client,
    key_ring: &str,
    sign_in: &str,
) -> Result<(KeyRing, SignInSecret), String> {
    let call = client.batch_get_secret_value().secret_id_list(key_ring).secret_id_list(sign_in);
    let output = call.send().await.map_err(|e| unreadable(key_ring, &DisplayErrorContext(e)))?;
    both(&output, key_ring, sign_in)
}

fn both(output: &BatchGetSecretValueOutput, key_ring: &str, sign_in: &str) -> Result<(KeyRing, SignInSecret), String> {
    let value = |secret: &str| {
        if let Some(error) = output.errors().iter().find(|error| error.secret_id() == Some(secret)) {
            return Err(unreadable(secret, &error.message().unwrap_or_default()));
        }
        let found = output.secret_values().iter().find(|v| [v.arn(), v.name()].contains(&Some(secret)));
        Ok(found.and_then(|value| value.secret_string()))
    };
    let sign_in_text = value(sign_in)?.unwrap_or_default();
    // the parser's message could show some of it
    let sign_in =
        serde_json::from_str(sign_in_text).map_err(|_| format!("the secret `{sign_in}` is no JSON object of texts"))?;
    Ok((ring(key_ring, value(key_ring)?)?, sign_in))
}

fn unreadable(secret: &str, why: &dyn std::fmt::Display) -> String {
    format!("the secret `{secret}` cannot be read: {why}")
}

fn ring(secret: &str, text: Option<&str>) -> Result<KeyRing, String> {
    let text = text.ok_or_else(|| format!("the secret `{secret}` holds no text"))?;
    KeyRing::from_secret(text).map_err(|e| format!("the secret `{secret}` is no key ring: {e}"))
}

/// What sign-in needs and nobody may read. A secret that is not needed need not be there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct SignInSecret {
    /// What all users share, where they do.
    pub password: Option<String>,
    /// What JupyterHub gave this service.
    pub jupyterhub_api_token: Option<String>,
    /// A Kerberos keytab, base64.
    pub keytab: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::types::{ApiErrorType, SecretValueEntry};

    fn entry(name: &str, text: &str) -> SecretValueEntry {
        SecretValueEntry::builder().arn(format!("arn:{name}")).name(name).secret_string(text).build()
    }

    #[test]
    fn each_secret_is_found_whatever_the_order_and_what_is_wrong_names_it_and_not_its_value() {
        let ring = format!(r#"{{"seed": "{}"}}"#, "s".repeat(64));
        let (ring, sign_in) = (&*ring, r#"{"password": "p"}"#);
        let read = |ring: Option<&str>, sign_in: Option<&str>| {
            let output = BatchGetSecretValueOutput::builder();
            let output = output.set_secret_values(Some(
                [sign_in.map(|text| entry("people", text)), ring.map(|text| entry("ring", text))]
                    .into_iter()
                    .flatten()
                    .collect(),
            ));
            let denied = ApiErrorType::builder().secret_id("arn:people").message("you may not");
            let output = if sign_in.is_none() { output.errors(denied.build()) } else { output };
            both(&output.build(), "ring", "arn:people")
        };
        let (keys, people) = read(Some(ring), Some(sign_in)).unwrap();
        assert_eq!((keys, people.password.as_deref()), (KeyRing::from_secret(ring).unwrap(), Some("p")));
        let error = |ring, sign_in| read(ring, sign_in).err().unwrap();
        assert_eq!(error(Some(ring), None), "the secret `arn:people` cannot be read: you may not");
        assert_eq!(error(None, Some(sign_in)), "the secret `ring` holds no text");
        assert_eq!(error(Some(ring), Some("hunter2")), "the secret `arn:people` is no JSON object of texts");
        let error = error(Some("hunter2"), Some(sign_in));
        assert!(error.starts_with("the secret `ring` is no key ring") && !error.contains("hunter2"), "{error}");
    }
}
