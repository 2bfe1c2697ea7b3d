//! HTTPS: a certificate of the simulator's own, or one that it is given, and a listener that shakes hands.
//!
//! Must not be used for anything but trials: the key lives as long as the process and nobody vouches for it. Called by
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

/// The names that a certificate of our own is always good for.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// For a client that connects and says nothing.
const HANDSHAKE: Duration = Duration::from_secs(10);
const DAYS: i64 = 365;

/// What HTTPS is served with.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    authority: Option<String>,
}

/// Why HTTPS cannot be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// No certificate could be made.
    #[error("cannot make a certificate for these names: {0}")]
    Make(#[from] rcgen::Error),
    /// What should be a certificate or a key is none.
    #[error("no {0} in PEM format: {1}")]
    Pem(&'static str, rustls_pki_types::pem::Error),
    /// The certificate and the key cannot be used together.
    #[error("the certificate and the key cannot be used: {0}")]
    Use(#[from] rustls::Error),
}

impl Tls {
    /// A new certificate for this machine and for these host names and addresses, by a new authority.
    ///
    /// # Errors
    /// Where one of them is neither.
    pub fn generated(hosts: &[String]) -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "AppLink simulator CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(valid_for_a_year(params), KeyPair::generate()?)?;

        let names: Vec<_> = LOCAL.map(str::to_owned).into_iter().chain(hosts.iter().cloned()).collect();
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

    /// A certificate, followed by those that it is signed by, and its key, as PEM texts.
    ///
    /// # Errors
    /// Where one of them is missing, or they do not belong together.
    pub fn given(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let certificates = certificates.map_err(|error| TlsError::Pem("certificate", error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Pem("private key", error))?;
        Self::serving(certificates, key)
    }

    /// The certificate of the new authority as PEM text, for clients to trust; none where a certificate was given.
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

/// From yesterday on, since clocks differ. Some clients refuse certificates that are good for longer.
fn valid_for_a_year(mut params: CertificateParams) -> CertificateParams {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let midnight =
        |date: Date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(DAYS.days()));
    params
}

type Accepted = (TlsStream<TcpStream>, SocketAddr);

/// Takes connections and shakes hands with several at a time, so that a slow client holds up no other.
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
                    let shaken = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream));
                    self.handshakes.push(async move { Some((shaken.await.ok()?.ok()?, from)) }.boxed());
                }
                Some(shaken) = self.handshakes.next(), if !self.handshakes.is_empty() => {
                    if let Some(accepted) = shaken {
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

/// Notes in a request's URI that it came by HTTPS: the links in answers go by it.
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
