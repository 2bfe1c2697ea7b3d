//! HTTPS on a socket: the certificate, and the scheme of the links in responses.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Tls, TlsError};

async fn serve(tls: Tls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { Simulator::new(Seed::default()).serve_tls(listener, &tls).await });
    address
}

/// A client that trusts this authority alone, and takes every host for this address.
fn client(authority: &str, address: SocketAddr) -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).expect("a certificate");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]);
    client.resolve("applink.test", address).resolve("other.test", address).build().expect("a client")
}

async fn config_vars(client: &reqwest::Client, origin: &str) -> reqwest::Result<Value> {
    let request = client.get(format!("{origin}/apps/orders-prod/config-vars"));
    let request = request.header("accept", "application/vnd.heroku+json; version=3");
    let answer = request.header("authorization", format!("Bearer {}", Seed::HEROKU_TOKEN)).send().await?;
    Ok(serde_json::from_str(&answer.text().await?).expect("JSON"))
}

#[tokio::test]
async fn the_certificate_covers_each_name() {
    let tls = Tls::generated(&["applink.test".to_owned()]).expect("a certificate");
    let authority = tls.authority().expect("an authority").to_owned();
    let address = serve(tls).await;
    // Who connects and says nothing holds up nobody, nor does who speaks no TLS.
    let _silent = TcpStream::connect(address).await.expect("a connection");
    let mut plain = TcpStream::connect(address).await.expect("a connection");
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is sent");
    let client = client(&authority, address);
    let port = address.port();
    for host in ["127.0.0.1", "localhost", "applink.test"] {
        let origin = format!("https://{host}:{port}");
        let vars = config_vars(&client, &origin).await.expect("an answer");
        assert_eq!(vars["HEROKU_APPLINK_API_URL"], format!("{origin}/addons/{}", Seed::ADDON_ID));
    }
    assert!(config_vars(&client, &format!("https://other.test:{port}")).await.is_err(), "not one of its names");
    let other = Tls::generated(&[]).expect("a certificate");
    let stranger = self::client(other.authority().expect("an authority"), address);
    assert!(config_vars(&stranger, &format!("https://127.0.0.1:{port}")).await.is_err(), "another authority");
}

#[tokio::test]
async fn a_given_certificate_is_served_and_an_invalid_one_is_refused() {
    let issuer = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (issuer.cert.pem(), issuer.signing_key.serialize_pem());
    let tls = Tls::given(certificate.as_bytes(), key.as_bytes()).expect("they belong together");
    assert_eq!(tls.authority(), None);
    let address = serve(tls).await;
    let origin = format!("https://localhost:{}", address.port());
    assert!(config_vars(&client(&certificate, address), &origin).await.is_ok());
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = other.signing_key.serialize_pem();
    for (certificate, key, told) in [
        ("", key.as_str(), "no certificate"),
        (certificate.as_str(), "", "no private key"),
        (certificate.as_str(), other.as_str(), "cannot be used"),
    ] {
        let error = Tls::given(certificate.as_bytes(), key.as_bytes()).err().expect("it is refused");
        assert!(error.to_string().contains(told), "{error}");
        assert!(!error.to_string().contains("PRIVATE KEY") && !format!("{error:?}").contains("PRIVATE KEY"));
    }
    assert!(matches!(Tls::generated(&["no host".to_owned()]), Ok(_) | Err(TlsError::Make(_))));
}
