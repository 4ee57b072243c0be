//! A cluster's credentials: one object in S3, in the form of an ECS environment file.
//!
//! One `NAME=value` a line; Fargate takes the value as it is, quotes and blanks included, and drops lines without one (Amazon
//! ECS developer guide, "Pass environment variables to an Amazon ECS container"). PEM is more than a line: it is base64 again,
//! and the tasks' first lines of Python make files of it.

use crate::Settings;
use aws_sdk_s3::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faregate_core::chain;
use faregate_core::model::ClusterName;
use faregate_core::ports::{Credentials, LauncherError};

/// The object's key. Fargate insists on the ending.
pub(crate) fn key(cluster: &ClusterName) -> String {
    format!("clusters/{cluster}.env")
}

/// The object's ARN, as RunTask wants it.
pub(crate) fn arn(settings: &Settings, cluster: &ClusterName) -> String {
    format!("arn:{}:s3:::{}/{}", settings.partition(), settings.bucket, key(cluster))
}

/// The object's content.
fn content(credentials: &Credentials) -> String {
    let lines = [
        ("DASK_GATEWAY_API_TOKEN", credentials.token.clone()),
        ("FAREGATE_TLS_CERT", STANDARD.encode(&credentials.tls_cert)),
        ("FAREGATE_TLS_KEY", STANDARD.encode(&credentials.tls_key)),
    ];
    lines.map(|(name, value)| format!("{name}={value}\n")).concat()
}

/// Writes the object. Encryption is the bucket's default.
pub(crate) async fn put(s3: &Client, settings: &Settings, credentials: &Credentials) -> Result<(), LauncherError> {
    let put = s3.put_object().bucket(&settings.bucket).key(key(&credentials.cluster));
    let done = put.body(content(credentials).into_bytes().into()).send().await;
    done.map(drop).map_err(|error| LauncherError(chain(&error)))
}

/// Deletes the object; none there is fine.
pub(crate) async fn delete(s3: &Client, settings: &Settings, cluster: &ClusterName) -> Result<(), LauncherError> {
    let done = s3.delete_object().bucket(&settings.bucket).key(key(cluster)).send().await;
    done.map(drop).map_err(|error| LauncherError(chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_one_line_and_has_a_value() {
        let cluster: ClusterName = "0".repeat(32).parse().unwrap();
        let pem = "-----BEGIN X-----\nabc+/=\n-----END X-----\n";
        let credentials = Credentials {
            cluster: cluster.clone(),
            user: "alice".into(),
            tls_cert: pem.into(),
            tls_key: pem.into(),
            token: "k1-secret".into(),
        };
        let text = content(&credentials);
        let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_once('=').unwrap()).collect();
        assert_eq!(lines[0], ("DASK_GATEWAY_API_TOKEN", "k1-secret"));
        assert_eq!(lines.len(), 3);
        assert_eq!(STANDARD.decode(lines[2].1).unwrap(), pem.as_bytes());
        let arn = arn(&Settings::example(), &cluster);
        assert_eq!(arn, format!("arn:aws:s3:::dask-environments/clusters/{cluster}.env"));
    }
}
