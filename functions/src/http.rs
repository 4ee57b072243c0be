//! The way to AWS's services: one HTTP client for all clients of the SDK.
//!
//! The SDK's own client parses the machine's 140 or so root certificates at every cold start, which takes longer than all else a function
//! does until its first answer, and brings HTTP/2, which these services are not asked in. Here the roots are Mozilla's, compiled in ready
//! for use.

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
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

/// The client. Nothing is connected before the first request.
pub fn client() -> Result<SharedHttpClient, rustls::Error> {
    let mut tcp = Tcp::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(default_provider())?;
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    let https = SharedHttpConnector::new(Https(client));
    Ok(http_client_fn(move |_, _| https.clone()))
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
