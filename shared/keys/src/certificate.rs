//! A cluster's own certificate.

use faregate_core::model::{Certificate, ClusterName, Ms};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use time::OffsetDateTime;

/// Makes a cluster's certificate: ECDSA P-256, CN and SAN `dask-internal`, SAN the cluster's name, at once authority, server
/// and client certificate. Valid from a day before `now` for ten years.
///
/// Draws randomness; the gateway calls it through its host port.
pub fn issue_certificate(name: &ClusterName, now: Ms) -> Result<Certificate, rcgen::Error> {
    let at = |days: i64| {
        OffsetDateTime::from_unix_timestamp(now / 1000 + days * 86_400).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    let mut params = CertificateParams::new(vec!["dask-internal".to_owned(), name.to_string()])?;
    params.distinguished_name.push(DnType::CommonName, "dask-internal");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::KeyEncipherment];
    params.not_before = at(-1);
    params.not_after = at(3650);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let cert = params.self_signed(&key)?;
    Ok(Certificate { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
}
