//! Logs as JSON lines, which CloudWatch Logs Insights reads. `FAREGATE_LOG` sets how much the gateway's own code says; libraries only
//! warn, at any level: they do not know what is secret.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. Called once, first thing.
pub fn init() {
    let level = crate::settings::process("FAREGATE_LOG").and_then(|level| level.parse().ok());
    let ours = level.unwrap_or(LevelFilter::INFO);
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("faregate", ours);
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_ansi(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
}
