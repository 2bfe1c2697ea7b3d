//! Finds the API server: through a kubeconfig, read as kubectl reads it, or the service account of the pod.
//!
//! kube's own loader differs from kubectl for a missing file, a line break after a token, and `NO_PROXY`. No error shows a
//! token or the password of a proxy. `main` asks for the client.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::timing::TOKEN_FILE_LIFETIME;
use base64::prelude::{BASE64_STANDARD, Engine};
use http::{HeaderValue, Request, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use kube::config::{AuthInfo, Cluster, Config, InClusterError, Kubeconfig, KubeconfigError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use tower::util::MapRequestLayer;

/// Why there is no client for a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a kubeconfig nor a pod.
    #[error("there is no kubeconfig at {files}, and this is no pod of a cluster ({cause})")]
    Nowhere {
        /// The files that do not exist.
        files: String,
        /// Why the process does not run in a pod.
        cause: InClusterError,
    },
    /// A file that cannot be read or parsed.
    #[error(transparent)]
    File(#[from] KubeconfigError),
    /// The kubeconfig refers to something that it does not contain.
    #[error("the kubeconfig has no {0}")]
    Missing(String),
    /// A field is invalid.
    #[error("{what} of the kubeconfig is not {wanted}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// What the field must be.
        wanted: &'static str,
    },
    /// A token that cannot be sent in a header. The error does not show it.
    #[error("the token of {0} has characters that no HTTP header can have, such as a line break within it")]
    Token(String),
    /// A file with a token.
    #[error("cannot read the token file {0}: {1}")]
    TokenFile(String, std::io::Error),
    /// An invalid proxy URL. The error does not show it, because it may have a password.
    #[error("{0} is not the URL of a proxy: it must begin with http://, https:// or socks5://")]
    Proxy(&'static str),
    /// Anything else.
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

/// A client for the cluster of `KUBECONFIG`, of `~/.kube/config`, or of this pod.
///
/// # Errors
/// [`Error`] if there is no kubeconfig and no pod, or if they cannot be used.
pub async fn client() -> Result<Client, Error> {
    let files = files(std::env::var_os("KUBECONFIG"), std::env::home_dir());
    let mut config = match read(&files)? {
        Some(kubeconfig) => config(&kubeconfig, |name| std::env::var(name).ok())?,
        None => Config::incluster().map_err(|cause| {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            Error::Nowhere { files: files.join(" or "), cause }
        })?,
    };
    config.apply_debug_overrides();
    build(config).await
}

/// The files in which to look for a kubeconfig.
fn files(named: Option<std::ffi::OsString>, home: Option<PathBuf>) -> Vec<PathBuf> {
    let named = named.unwrap_or_default();
    let named: Vec<_> = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    if named.is_empty() { home.into_iter().map(|home| home.join(".kube/config")).collect() } else { named }
}

/// All files merged; `None` if no file exists, or none names a cluster.
fn read(files: &[PathBuf]) -> Result<Option<Kubeconfig>, Error> {
    let mut merged = Kubeconfig::default();
    for file in files {
        match Kubeconfig::read_from(file) {
            Ok(next) => merged = merged.merge(next)?,
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((merged.current_context.is_some() || !merged.contexts.is_empty()).then_some(merged))
}

/// The cluster and the user of the current context.
fn config(kubeconfig: &Kubeconfig, env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
    let missing = |what: String| move || Error::Missing(what);
    let name = kubeconfig.current_context.as_deref().filter(|name| !name.is_empty());
    let name = name.ok_or_else(missing("current-context".to_owned()))?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == name);
    let context = context.and_then(|found| found.context.as_ref()).ok_or_else(missing(format!("context {name}")))?;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.and_then(|found| found.cluster.as_ref());
    let cluster = cluster.ok_or_else(missing(format!("cluster {}", context.cluster)))?;
    let server = cluster.server.as_deref().ok_or_else(missing(format!("server for cluster {}", context.cluster)))?;
    let server: Uri = server.parse().map_err(|_| Error::Invalid { what: "the server", wanted: "a URL" })?;
    // As for kubectl, a user that does not exist is anonymous.
    let user = kubeconfig.auth_infos.iter().find(|user| Some(&user.name) == context.user.as_ref());
    let mut user = user.and_then(|found| found.auth_info.clone()).unwrap_or_default();
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(cluster.try_into()?);
    }
    let mut config = Config::new(server);
    config.proxy_url = proxy(cluster, &config.cluster_url, env)?;
    config.default_namespace = context.namespace.clone().unwrap_or(config.default_namespace);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
    config.disable_compression = cluster.disable_compression.unwrap_or_default();
    config.tls_server_name = cluster.tls_server_name.clone();
    config.root_cert = authority(cluster)?;
    config.auth_info = user;
    Ok(config)
}

/// The CA of the server's certificate, if it is not one that the system trusts.
fn authority(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let invalid = || Error::Invalid { what: "the certificate authority", wanted: "a list of PEM certificates" };
    let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) if !data.is_empty() => BASE64_STANDARD.decode(data).map_err(|_| invalid())?,
        (_, Some(file)) if !file.is_empty() => {
            std::fs::read(file).map_err(|error| Error::File(KubeconfigError::ReadConfig(error, PathBuf::from(file))))?
        }
        _ => return Ok(None),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates: Vec<_> = certificates.map_err(|_| invalid())?.into_iter().map(|one| one.to_vec()).collect();
    if certificates.is_empty() { Err(invalid()) } else { Ok(Some(certificates)) }
}

/// The proxy to the server. The kubeconfig's proxy always applies; the environment's does not apply to hosts in `NO_PROXY`, nor
/// to this machine.
fn proxy(cluster: &Cluster, server: &Uri, env: impl Fn(&str) -> Option<String>) -> Result<Option<Uri>, Error> {
    let first = |names: [&str; 2]| names.iter().filter_map(|name| env(name)).find(|value| !value.trim().is_empty());
    if let Some(url) = cluster.proxy_url.as_deref().filter(|url| !url.is_empty()) {
        return proxy_url(url).map(Some).ok_or(Error::Proxy("proxy-url of the kubeconfig"));
    }
    let (variable, given) = match server.scheme_str() {
        Some("http") => ("HTTP_PROXY", first(["HTTP_PROXY", "http_proxy"])),
        _ => ("HTTPS_PROXY", first(["HTTPS_PROXY", "https_proxy"])),
    };
    let Some(given) = given else { return Ok(None) };
    let host = server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let no_proxy = first(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let applies = Matcher::builder().all("http://proxy").no(no_proxy).build().intercept(server).is_some();
    if local || !applies {
        return Ok(None);
    }
    proxy_url(given.trim()).map(Some).ok_or(Error::Proxy(variable))
}

fn proxy_url(text: &str) -> Option<Uri> {
    // kubectl lets the proxy resolve names in both cases, and so does kube.
    let text = text.replacen("socks5h://", "socks5://", 1);
    let text = if text.contains("://") { text } else { format!("http://{text}") };
    let url: Uri = text.parse().ok()?;
    matches!(url.scheme_str(), Some("http" | "https" | "socks5")).then_some(url)
}

thread_local! {
    /// The user whose token kube reads on this thread.
    static BUILDING: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The meaning of a panic on this thread, if kube caused it by reading a token: the process is about to end, and the user can fix
/// it.
#[must_use]
pub fn explain_panic() -> Option<Error> {
    BUILDING.take().map(Error::Token)
}

fn unnamed() -> String {
    "the kubeconfig".to_owned()
}

/// A client that sends the token, without surrounding whitespace.
async fn build(mut config: Config) -> Result<Client, Error> {
    // No retries in the client, because every caller has its own. kube would silently repeat a call for minutes.
    config.default_retry = false;
    let file = TokenFile::take(&mut config.auth_info)?;
    if let Some(token) = config.auth_info.token.take().filter(|token| !token.expose_secret().trim().is_empty()) {
        let token = token.expose_secret().trim();
        header(token).ok_or_else(|| Error::Token("the kubeconfig's user".to_owned()))?;
        config.auth_info.token = Some(SecretString::from(token));
    }
    let plugin = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
    // This may run a slow plugin. kube panics if the plugin does not return a token.
    let named = plugin.clone();
    let building = move || {
        BUILDING.replace(Some(named.unwrap_or_else(unnamed)));
        let built = ClientBuilder::try_from(config);
        BUILDING.take();
        built
    };
    let built = tokio::task::spawn_blocking(building).await;
    let builder = built.map_err(|_| Error::Token(plugin.unwrap_or_else(unnamed)))??;
    Ok(match file {
        None => builder.build(),
        Some(file) => {
            let file = Arc::new(file);
            let layer = MapRequestLayer::new(move |mut request: Request<Body>| {
                request.headers_mut().insert(http::header::AUTHORIZATION, file.header());
                request
            });
            builder.with_layer(&layer).build()
        }
    })
}

/// Adds a token to requests.
fn header(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A token in a file that another process may renew.
struct TokenFile {
    path: PathBuf,
    last: Mutex<(HeaderValue, Instant)>,
}

impl TokenFile {
    /// The token file of the kubeconfig's user. If the file cannot be read, the token beside it counts.
    fn take(user: &mut AuthInfo) -> Result<Option<Self>, Error> {
        let Some(path) = user.token_file.take().filter(|path| !path.is_empty()).map(PathBuf::from) else {
            return Ok(None);
        };
        match Self::read(&path) {
            Ok(header) => {
                user.token = None;
                Ok(Some(Self { path, last: Mutex::new((header, Instant::now())) }))
            }
            Err(Error::TokenFile(..)) if user.token.is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(path: &Path) -> Result<HeaderValue, Error> {
        let shown = || path.display().to_string();
        let token = std::fs::read_to_string(path).map_err(|error| Error::TokenFile(shown(), error))?;
        let token = SecretString::from(token);
        header(token.expose_secret()).ok_or_else(|| Error::Token(shown()))
    }

    /// The content of the file, or its last content if it cannot be read now.
    fn header(&self) -> HeaderValue {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.1.elapsed() >= TOKEN_FILE_LIFETIME {
            let header = Self::read(&self.path).unwrap_or_else(|error| {
                tracing::warn!("{error}; going on with the token that was there before");
                last.0.clone()
            });
            *last = (header, Instant::now());
        }
        last.0.clone()
    }
}

#[cfg(test)]
mod tests;
