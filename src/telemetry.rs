//! Logs: text for people or JSON for machines, on standard error.
//!
//! Nothing secret comes here: what holds one does not print it.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging; `RUST_LOG` chooses what; where it is not set or empty, what is done and what goes wrong,
/// and what kube says only where we do not say it ourselves.
pub fn start(format: LogFormat) {
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|chosen| !chosen.trim().is_empty());
    let filter = chosen.and_then(|chosen| EnvFilter::try_new(chosen).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new("info,kube_runtime=error"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().init(),
    }
}
