//! An issuer of JWTs: a key, and a server that tells everybody its public half.

use crate::failure::{Context, Outcome};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

/// For whom its tokens are.
pub const AUDIENCE: &str = "bench";

/// The issuer. Its server ends with the process.
pub struct Issuer {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    key: EncodingKey,
}

impl Issuer {
    /// Starts one.
    pub fn start() -> Outcome<Issuer> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context(|| "no key can be made".to_owned())?;
        let (x, y) = key.der_bytes()[1..].split_at(32);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "bench", "x": part(x), "y": part(y)}]});
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(|| "there is no free port".to_owned())?;
        let address = listener.local_addr().context(|| "the port has no number".to_owned())?;
        let body = keys.to_string();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|caller| drop(answer(caller, &body))));
        Ok(Issuer { url: format!("http://{address}"), key: EncodingKey::from_ec_der(&key.serialize_der()) })
    }

    /// A token of a user's, good for a day.
    pub fn token(&self, user: &str) -> Outcome<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = json!({"iss": self.url, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + 86_400});
        let header = Header { kid: Some("bench".to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &self.key).context(|| "a token cannot be signed".to_owned())
    }
}

/// The keys, whatever was asked for.
fn answer(caller: TcpStream, body: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(&caller).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    (&caller).write_all(format!("{head}{body}").as_bytes())
}
