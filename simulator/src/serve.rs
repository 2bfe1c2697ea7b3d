//! Serves a simulator: as a router, over HTTP, over HTTPS.
//!
//! Called by the tests, in-process, and by the binary, on a socket.

use axum::middleware::map_request;
use tokio::net::TcpListener;

use crate::tls::{self, Tls, TlsListener};
use crate::{Simulator, http};

impl Simulator {
    /// The Platform API, the AppLink API and the control API, on one port.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Serves [`Self::router`] until the future is dropped.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// Serves [`Self::router`] over HTTPS until the future is dropped.
    pub async fn serve_tls(&self, listener: TcpListener, tls: &Tls) -> std::io::Result<()> {
        let router = self.router().layer(map_request(tls::by_https));
        axum::serve(TlsListener::new(listener, tls), router).await
    }
}
