//! Puts the service together, and takes it apart when it is told to.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use clap::Parser;
use faregate_dynamodb::{DynamoStore, TableRoutes};
use faregate_fargate_proxy::cache::CachedRoutes;
use faregate_fargate_proxy::once::TableOnce;
use faregate_fargate_proxy::{Settings, keys};
use faregate_proxy::{ConfigError, Listeners, MemoryKeys, Outside, ProxyConfig};
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Why the proxy did not serve.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("cannot listen at port {0}")]
    Listen(u16, #[source] io::Error),
    #[error("signals cannot be caught")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

// One thread: with more, those that have nothing to do are woken by every event of a busy relay.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    tracing_subscriber::fmt().json().with_env_filter(settings.log_filter()).init();
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, source, "proxy failed");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let sdk = aws().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let read = async || keys::read(&secrets, &settings.secret).await;
    let ring = tokio::select! {
        ring = keys::first(read) => ring,
        _ = terminate.recv() => return Ok(()),
    };
    let keys = MemoryKeys::new(ring);
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let table = TableRoutes::new(dynamodb.clone(), &settings.table);
    // The load balancer counts the proxy in as soon as it listens: it must be able to serve by then.
    let listeners = Listeners {
        public: listen("dashboards", settings.dashboards_port).await?,
        relay: Some(listen("relay", settings.relay_port).await?),
        internal: None,
    };
    let config = ProxyConfig { sign_in: settings.dashboard_sign_in, ..ProxyConfig::new(settings.api(), keys.clone()) };
    let once = Arc::new(TableOnce::new(DynamoStore::new(|| dynamodb, &settings.table)));
    let outside = Outside { routes: Arc::new(CachedRoutes::new(table)), once };
    let remaining = tokio::select! {
        remaining = faregate_proxy::run(config, listeners, outside, told(&mut terminate)) => remaining?,
        () = keys::refresh(&keys, read) => return Ok(()),
    };
    tracing::info!("shutdown: new connections are refused, open ones may end by themselves");
    tokio::select! {
        () = remaining.ended() => tracing::info!("shutdown: the last connection has ended"),
        () = told(&mut terminate) => tracing::info!("shutdown: open connections are cut"),
    }
    Ok(())
}

/// Credentials are the task's own, the region its own. A read that takes longer than this is given up: a connection waits for it.
async fn aws() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(8))
        .build();
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await
}

async fn told(terminate: &mut Signal) {
    terminate.recv().await;
}

async fn listen(what: &str, port: u16) -> Result<TcpListener, ServeError> {
    let failed = |error| ServeError::Listen(port, error);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%address, what, "proxy listening");
    Ok(listener)
}
