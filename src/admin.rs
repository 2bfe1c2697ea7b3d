//! `/healthz`, `/readyz` and `/metrics`.
//!
//! Tells, and takes nothing in. `main` starts it first, so that a waiting operator can be asked why it waits.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// Binds `addr` and serves there for ever.
///
/// # Errors
/// Where the address cannot be bound.
pub async fn serve(
    addr: SocketAddr,
    metrics: Metrics,
    ready: watch::Receiver<Readiness>,
) -> std::io::Result<impl Future<Output = std::io::Result<()>>> {
    let listener = TcpListener::bind(addr).await?;
    let bound = listener.local_addr()?;
    tracing::info!(addr = %bound, "admin endpoints on http://{bound}");
    Ok(async move { axum::serve(listener, router(metrics, ready)).await })
}

fn router(metrics: Metrics, ready: watch::Receiver<Readiness>) -> Router {
    let is_ready = move || {
        let readiness = ready.borrow().clone();
        let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        std::future::ready((code, readiness.to_string()))
    };
    let text = [(http::header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Router::new()
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .route("/readyz", get(is_ready))
        .route("/metrics", get(move || std::future::ready((text, metrics.text()))))
}
