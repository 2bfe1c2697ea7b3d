//! Logging to standard error, as text or JSON.
//!
//! Needs no redaction: types that hold secrets do not print them.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain text.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging. `RUST_LOG` sets the filter. By default, hides warnings of kube-rs that the operator logs itself.
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
