//! What is declared, with every input resolved and checked, and the digest of what can only be written.
//!
//! Pure. `control::resolve` reads the Secrets; this file judges and digests them. Nothing here can be printed with a
//! key in it.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::verdict::Verdict;
use crate::crd::{ConnectionSpec, JwtMethod, Provider, Reason, ReplacePolicy};

/// Version of the digest; one of another version never counts as a change.
const HASH_VERSION: &str = "v1:";

/// A connection as declared.
#[derive(Clone, Debug)]
pub struct DesiredConnection {
    /// Remote name.
    pub name: String,
    /// Salesforce or Data Cloud.
    pub provider: Provider,
    /// Salesforce user.
    pub username: String,
    /// Consumer key.
    pub client_id: String,
    /// Name of the credential, where the user gives one.
    pub alias: Option<String>,
    /// Where to log in.
    pub login_url: String,
    /// Private key, PEM encoded.
    pub private_key: SecretString,
    /// Digest of all that AppLink takes and never tells.
    pub hash: String,
}

/// What this version cannot do yet is refused by name, not half done.
///
/// # Errors
/// The verdict to show.
pub fn jwt_of(spec: &ConnectionSpec) -> Result<&JwtMethod, Verdict> {
    let unsupported = |what: &str| {
        let text = format!("spec.{what} is not supported yet by this version of the operator: remove it");
        Err(Verdict::needs_user(Reason::InvalidSpec, text))
    };
    if spec.expect.is_some() {
        return unsupported("expect");
    }
    if spec.replace_policy == ReplacePolicy::DeleteAndRecreate {
        return unsupported("replacePolicy DeleteAndRecreate");
    }
    match &spec.jwt {
        Some(jwt) => Ok(jwt),
        None => unsupported("oauth"),
    }
}

impl DesiredConnection {
    /// The desired connection, from its spec and the private key that the spec refers to.
    ///
    /// # Errors
    /// The verdict to show where an input is unusable.
    pub fn new(spec: &ConnectionSpec, jwt: &JwtMethod, key: &SecretString) -> Result<Self, Verdict> {
        let private_key = private_key(jwt, key)?;
        Ok(Self {
            name: spec.connection_name.clone(),
            provider: spec.provider,
            username: jwt.username.clone(),
            client_id: jwt.client_id.clone(),
            alias: jwt.alias.clone(),
            login_url: spec.login_url.clone(),
            hash: digest(&[
                "jwt",
                &spec.login_url,
                &jwt.client_id,
                &jwt.username,
                jwt.alias.as_deref().unwrap_or_default(),
                private_key.expose_secret(),
            ]),
            private_key,
        })
    }
}

/// Whether a recorded digest speaks of other inputs than `wanted`.
#[must_use]
pub fn changed(recorded: Option<&str>, wanted: &str) -> bool {
    recorded.is_some_and(|hash| hash.starts_with(HASH_VERSION) && hash != wanted)
}

/// Each part is preceded by its length, so that no two lists of parts read alike.
fn digest(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    let hex: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{HASH_VERSION}{hex}")
}

/// The key with the line ends that PEM wants, once it is known to be one; AppLink's own complaint would come late and
/// say less.
fn private_key(jwt: &JwtMethod, key: &SecretString) -> Result<SecretString, Verdict> {
    let invalid = |why: &str| {
        let at = &jwt.private_key_secret_ref;
        let text = format!("Secret {}, key {}: {why}", at.name, at.key);
        Verdict::needs_user(Reason::InvalidSecret, text)
    };
    let text = key.expose_secret().replace("\r\n", "\n");
    let text = format!("{}\n", text.trim());
    if text.contains("ENCRYPTED") {
        return Err(invalid("the private key is encrypted; AppLink takes no passphrase, so store it decrypted"));
    }
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(_) => Ok(text.into()),
        Err(_) => Err(invalid("not a PEM private key (a block that begins with -----BEGIN PRIVATE KEY-----)")),
    }
}
