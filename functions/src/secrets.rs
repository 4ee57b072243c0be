//! What is kept in Secrets Manager.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use faregate::model::KeyRing;
use serde::Deserialize;

async fn read(client: &Client, secret: &str) -> Result<String, String> {
    let output = client.get_secret_value().secret_id(secret).send().await;
    let output = output.map_err(|e| format!("the secret `{secret}` cannot be read: {}", DisplayErrorContext(e)))?;
    output.secret_string.ok_or_else(|| format!("the secret `{secret}` holds no text"))
}

/// The key ring.
pub async fn key_ring(client: &Client, secret: &str) -> Result<KeyRing, String> {
    let text = read(client, secret).await?;
    KeyRing::from_secret(&text).map_err(|e| format!("the secret `{secret}` is no key ring: {e}"))
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

/// What sign-in needs.
pub async fn sign_in_secret(client: &Client, secret: &str) -> Result<SignInSecret, String> {
    let text = read(client, secret).await?;
    // the parser's message could show some of it
    serde_json::from_str(&text).map_err(|_| format!("the secret `{secret}` is no JSON object of texts"))
}
