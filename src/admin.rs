//! Serves `/healthz`, `/readyz` and `/metrics`.
//!
//! Read-only. `main` starts it before anything else, so that a standby replica can report what it is waiting for.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::liveness::Liveness;
use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// The IPv6 wildcard, which also accepts IPv4 connections.
pub const DEFAULT_ADDR: &str = "[::]:8080";

/// Binds `addr`; the returned future serves forever.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(
    addr: SocketAddr,
    metrics: Metrics,
    ready: watch::Receiver<Readiness>,
    liveness: Liveness,
) -> Result<impl Future<Output = Result<()>>> {
    let listener = bind(addr, async |addr| TcpListener::bind(addr).await).await?;
    let bound = listener.local_addr()?;
    tracing::info!(addr = %bound, "serving admin endpoints on http://{bound}");
    Ok(async move { axum::serve(listener, router(metrics, ready, liveness)).await })
}

/// Falls back from `[::]` to `0.0.0.0` on a machine without IPv6.
async fn bind<T>(addr: SocketAddr, bind: impl AsyncFn(SocketAddr) -> Result<T>) -> Result<T> {
    let unavailable = |error: &Error| matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied);
    match bind(addr).await {
        Err(error) if addr.is_ipv6() && addr.ip().is_unspecified() && !unavailable(&error) => {
            bind((Ipv4Addr::UNSPECIFIED, addr.port()).into()).await.map_err(|_| error)
        }
        result => result,
    }
}

fn router(metrics: Metrics, ready: watch::Receiver<Readiness>, liveness: Liveness) -> Router {
    let is_alive = move || {
        let stalled = liveness.stalled();
        std::future::ready(match stalled.is_empty() {
            true => (StatusCode::OK, "ok\n".to_owned()),
            false => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", stalled.join("\n"))),
        })
    };
    let is_ready = move || {
        let readiness = ready.borrow().clone();
        let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        std::future::ready((code, readiness.to_string()))
    };
    let text = [(http::header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Router::new()
        .route("/healthz", get(is_alive))
        .route("/readyz", get(is_ready))
        .route("/metrics", get(move || std::future::ready((text, metrics.text()))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower::ServiceExt;

    use super::*;

    /// Binds `addr` on a machine where every IPv6 bind fails with `why`.
    async fn without_ipv6(addr: &str, why: ErrorKind) -> Result<SocketAddr> {
        let only_ipv4 = async |addr: SocketAddr| if addr.is_ipv4() { Ok(addr) } else { Err(why.into()) };
        bind(addr.parse().expect("an address"), only_ipv4).await
    }

    #[tokio::test(start_paused = true)]
    async fn healthz_names_what_stands_still() {
        let liveness = Liveness::default();
        let router = router(Metrics::default(), watch::channel(Readiness::default()).1, liveness.clone());
        let ask = async || {
            let request = http::Request::get("/healthz").body(axum::body::Body::empty()).expect("a request");
            let (parts, body) = router.clone().oneshot(request).await.expect("an answer").into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
            (parts.status.as_u16(), String::from_utf8_lossy(&body).into_owned())
        };
        let pulse = liveness.pulse("watch of Secrets in all namespaces", Duration::from_secs(60));
        assert_eq!(ask().await, (200, "ok\n".to_owned()));
        tokio::time::advance(Duration::from_secs(90)).await;
        let said = "the watch of Secrets in all namespaces stands still: 30 s overdue\n".to_owned();
        assert_eq!(ask().await, (500, said));
        pulse.beat(Duration::from_secs(60));
        assert_eq!(ask().await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn wildcard_falls_back_to_ipv4_without_ipv6() {
        let bound = without_ipv6(DEFAULT_ADDR, ErrorKind::Unsupported).await.expect("bound");
        assert_eq!(bound.to_string(), "0.0.0.0:8080");
        for (addr, why) in [
            ("[::]:8080", ErrorKind::AddrInUse),
            ("[::]:80", ErrorKind::PermissionDenied),
            ("[::1]:8080", ErrorKind::Unsupported),
            ("[2001:db8::1]:8080", ErrorKind::AddrNotAvailable),
        ] {
            assert_eq!(without_ipv6(addr, why).await.expect_err("not bound").kind(), why, "{addr}");
        }
    }

    #[tokio::test]
    async fn wildcard_accepts_ipv4_and_ipv6() {
        let listener = bind("[::]:0".parse().expect("an address"), async |addr| TcpListener::bind(addr).await).await;
        let listener = listener.expect("a port");
        let bound = listener.local_addr().expect("an address");
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, bound.port())).await.expect("by IPv4");
        if bound.is_ipv6() {
            tokio::net::TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, bound.port())).await.expect("by IPv6");
        }
    }
}
