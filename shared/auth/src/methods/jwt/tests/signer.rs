//! Private keys to sign with, well or badly.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub struct Signer {
    pub kid: String,
    kind: Kind,
}

enum Kind {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    pub fn ec(kid: &str) -> Signer {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Signer { kid: kid.into(), kind: Kind::Ec(pair) }
    }

    pub fn ed(kid: &str) -> Signer {
        Signer { kid: kid.into(), kind: Kind::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    pub fn rsa(kid: &str) -> Signer {
        Signer { kid: kid.into(), kind: Kind::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())) }
    }

    pub fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Ec(_) => "ES256",
            Kind::Ed(_) => "EdDSA",
            Kind::Rsa(_) => "RS256",
        }
    }

    /// As the issuer publishes it.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.kind {
            Kind::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Kind::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
            Kind::Rsa(_) => {
                // a sequence (4 bytes) of the modulus (4, a zero, 256) and the exponent (2, 3)
                let der = self.public();
                assert_eq!(der.len(), 270);
                json!({"kty": "RSA", "n": b64(&der[9..265]), "e": b64(&der[267..])})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public key, in its own encoding.
    pub fn public(&self) -> &[u8] {
        match &self.kind {
            Kind::Ec(pair) => pair.public_key().as_ref(),
            Kind::Ed(pair) => pair.public_key().as_ref(),
            Kind::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "kid": self.kid, "typ": "JWT"})
    }

    pub fn token(&self, claims: &Value) -> String {
        self.signed(&self.header(), claims)
    }

    /// Signs whatever the header says.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", b64(&signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.kind {
            Kind::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Kind::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

pub fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()))
}

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
