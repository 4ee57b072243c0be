//! A cluster's certificate, and its key as it is kept. What makes and opens them is in the crate `faregate-keys`.

use serde::{Deserialize, Serialize};

/// A self-signed certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key (PKCS #8).
    pub key_pem: String,
}

/// A secret sealed with AES-256-GCM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The ring key that seals it.
    pub key_id: String,
    /// Nonce (12 bytes), ciphertext, tag (16 bytes); base64.
    pub data: String,
}
