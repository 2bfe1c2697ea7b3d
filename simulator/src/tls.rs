//! HTTPS: with a generated certificate or a given one.
//!
//! For tests and trials only: a generated key lives as long as the process, and no public authority signs it. Called by
//! the binary, through `Simulator::serve_tls`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::serve::Listener;
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use http::uri::{Authority, Scheme};
use http::{Uri, header};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::io;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The names that every generated certificate covers.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const DAYS: i64 = 365;

/// The certificate and key to serve HTTPS with.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    authority: Option<String>,
}

/// Why HTTPS cannot be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate could not be generated.
    #[error("cannot make a certificate for these names: {0}")]
    Make(#[from] rcgen::Error),
    /// Not a certificate or a key in PEM format.
    #[error("no {0} in PEM format: {1}")]
    Pem(&'static str, rustls_pki_types::pem::Error),
    /// The certificate and the key cannot be used together.
    #[error("the certificate and the key cannot be used: {0}")]
    Use(#[from] rustls::Error),
}

impl Tls {
    /// Generates an authority, and a certificate signed by it for this machine and these host names and addresses.
    ///
    /// # Errors
    /// If one of them is neither a host name nor an address.
    pub fn generated(hosts: &[String]) -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "AppLink simulator CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(valid_for_a_year(params), KeyPair::generate()?)?;

        let names: Vec<_> = LOCAL_NAMES.map(str::to_owned).into_iter().chain(hosts.iter().cloned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "AppLink simulator");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = valid_for_a_year(params).signed_by(&key, &authority)?;
        let mut tls = Self::serving(vec![certificate.der().clone()], PrivateKeyDer::from(key))?;
        tls.authority = Some(authority.pem());
        Ok(tls)
    }

    /// Uses a certificate chain, the server's certificate first, and its key, both in PEM format.
    ///
    /// # Errors
    /// If one of them is missing, or they do not belong together.
    pub fn given(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let certificates = certificates.map_err(|error| TlsError::Pem("certificate", error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Pem("private key", error))?;
        Self::serving(certificates, key)
    }

    /// The certificate of the generated authority in PEM format, for clients to trust. None if a certificate was given.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    fn serving(certificates: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority: None })
    }
}

/// Valid from yesterday on, because clocks differ. Some clients refuse certificates with a longer validity.
fn valid_for_a_year(mut params: CertificateParams) -> CertificateParams {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let midnight =
        |date: Date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(DAYS.days()));
    params
}

type Accepted = (TlsStream<TcpStream>, SocketAddr);

/// Accepts connections with concurrent handshakes, so that a slow client does not block the others.
pub(super) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: FuturesUnordered<BoxFuture<'static, Option<Accepted>>>,
}

impl TlsListener {
    pub(super) fn new(tcp: TcpListener, tls: &Tls) -> Self {
        Self { tcp, acceptor: tls.acceptor.clone(), handshakes: FuturesUnordered::new() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        loop {
            tokio::select! {
                (stream, from) = Listener::accept(&mut self.tcp) => {
                    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream));
                    self.handshakes.push(async move { Some((handshake.await.ok()?.ok()?, from)) }.boxed());
                }
                Some(handshake) = self.handshakes.next(), if !self.handshakes.is_empty() => {
                    if let Some(accepted) = handshake {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Sets the scheme in the URI of a request that came over HTTPS. The links in responses are built from it.
pub(super) async fn by_https(mut request: Request) -> Request {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = authority.or(parts.authority).or_else(|| Some(Authority::from_static("localhost")));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
