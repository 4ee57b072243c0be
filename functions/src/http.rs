//! The way to AWS's services: one HTTP client for all clients of the SDK.
//!
//! The SDK's own client parses the machine's 140 or so root certificates at every cold start, which takes longer than all else a function
//! does until its first answer, and brings HTTP/2, which these services are not asked in. Here the roots are Mozilla's, compiled in ready
//! for use. The SDK's own would take a trust store of ours, but only as PEM, which it parses as it parses the machine's, and it has HTTP/2
//! with any kind of TLS.

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector as Tcp, capture_connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs::default_provider;
use std::io;
use std::time::Duration;

/// A connection is given up after this time.
const CONNECT: Duration = Duration::from_secs(3);

/// HTTP/1.1 over TLS, or in the clear where an endpoint says so. Connections are kept.
#[derive(Clone, Debug)]
struct Https(Client<HttpsConnector<Tcp>, SdkBody>);

/// The SDK's client. Nothing is connected before the first request.
pub fn client() -> Result<SharedHttpClient, rustls::Error> {
    Ok(over(HttpsConnectorBuilder::new().with_provider_and_webpki_roots(default_provider())?))
}

/// The same for a call that is worth no crate of the SDK.
pub fn plain() -> Result<Client<HttpsConnector<Tcp>, SdkBody>, rustls::Error> {
    Ok(https(HttpsConnectorBuilder::new().with_provider_and_webpki_roots(default_provider())?))
}

fn over(tls: HttpsConnectorBuilder<WantsSchemes>) -> SharedHttpClient {
    let https = SharedHttpConnector::new(Https(https(tls)));
    http_client_fn(move |_, _| https.clone())
}

fn https(tls: HttpsConnectorBuilder<WantsSchemes>) -> Client<HttpsConnector<Tcp>, SdkBody> {
    let mut tcp = Tcp::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

impl HttpConnector for Https {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(failed)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// By this the SDK gives up a connection over which it was answered badly.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connection) = connection.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// What it says of an error is what the SDK tries again by: what went wrong on the way may go well the next time.
fn failed(error: Error) -> ConnectorError {
    let first: &(dyn std::error::Error + 'static) = &error;
    let on_the_way = std::iter::successors(Some(first), |error| error.source()).any(|error| {
        let broken = |error: &hyper::Error| error.is_closed() || error.is_canceled() || error.is_incomplete_message();
        error.is::<io::Error>() || error.downcast_ref().is_some_and(broken)
    });
    match on_the_way || error.is_connect() {
        true => ConnectorError::io(error.into()),
        false => ConnectorError::other(error.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_config::retry::RetryConfig;
    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_secretsmanager::config::Credentials;
    use aws_sdk_secretsmanager::{Client, Config};
    use aws_smithy_async::rt::sleep::TokioSleep;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use std::sync::Arc;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    const SECRET: &str = r#"{"SecretString": "s"}"#;

    fn secrets(endpoint: String, http: SharedHttpClient) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("x", "x", None, None, "test"))
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(10)))
            .sleep_impl(TokioSleep::new())
            .http_client(http)
            .build();
        Client::from_conf(config)
    }

    async fn asked<C: AsyncRead + Unpin>(connection: &mut C) {
        let mut read = Vec::new();
        while !read.ends_with(br#"{"SecretId":"ring"}"#) {
            assert!(connection.read_buf(&mut read).await.unwrap() > 0, "{}", String::from_utf8_lossy(&read));
        }
    }

    async fn answer<C: AsyncWrite + Unpin>(connection: &mut C, status: &str, body: &str) {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\n");
        let whole = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        connection.write_all(whole.as_bytes()).await.unwrap();
    }

    /// What goes wrong on the way goes well the next time: the SDK asks again.
    #[tokio::test]
    async fn connections_that_break_are_made_anew_and_good_ones_are_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let secrets = secrets(format!("http://{}", listener.local_addr().unwrap()), client().unwrap());
        let served = tokio::spawn(async move {
            // closed before it is asked; closed while it is asked; broken off in the middle of its answer
            drop(listener.accept().await.unwrap());
            let (mut connection, _) = listener.accept().await.unwrap();
            asked(&mut connection).await;
            drop(connection);
            let (mut connection, _) = listener.accept().await.unwrap();
            asked(&mut connection).await;
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-len").await.unwrap();
            drop(connection);
            // over one that answers badly nobody is asked again
            let (mut connection, _) = listener.accept().await.unwrap();
            asked(&mut connection).await;
            answer(&mut connection, "500 Internal Server Error", "{}").await;
            let (mut connection, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                asked(&mut connection).await;
                answer(&mut connection, "200 OK", SECRET).await;
            }
        });
        for _ in 0..2 {
            let read = secrets.get_secret_value().secret_id("ring").send().await.unwrap();
            assert_eq!(read.secret_string(), Some("s"));
        }
        served.await.unwrap();
    }

    /// A service with a certificate of its own making is spoken to by who knows it, and by nobody who has AWS's roots only.
    #[tokio::test]
    async fn a_service_must_have_a_certificate_that_is_known() {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let versions = rustls::DEFAULT_VERSIONS;
        let server = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let server = server.with_protocol_versions(versions).unwrap().with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(server.with_single_cert(vec![own.cert.der().clone()], key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                // whoever does not know it goes away
                if let Ok(mut connection) = acceptor.accept(connection).await {
                    asked(&mut connection).await;
                    answer(&mut connection, "200 OK", SECRET).await;
                }
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let known = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let known = known.with_protocol_versions(versions).unwrap().with_root_certificates(roots).with_no_client_auth();
        let knows = secrets(endpoint.clone(), over(HttpsConnectorBuilder::new().with_tls_config(known)));
        let read = knows.get_secret_value().secret_id("ring").send().await.unwrap();
        assert_eq!(read.secret_string(), Some("s"));

        let knows_aws = secrets(endpoint, client().unwrap());
        let error = knows_aws.get_secret_value().secret_id("ring").send().await.unwrap_err();
        let error = aws_sdk_secretsmanager::error::DisplayErrorContext(error).to_string();
        assert!(error.contains("UnknownIssuer"), "{error}");
    }
}
