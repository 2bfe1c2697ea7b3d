//! What is declared, with every input resolved and checked, and the digest of what can only be written.
//!
//! Pure. `control::resolve` reads the Secrets; this file judges and digests them. Nothing here can be printed with a
//! key in it.

use std::collections::BTreeMap;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::verdict::Verdict;
use crate::crd::{ConnectionSpec, JwtMethod, Provider, Reason, ReplacePolicy, annotation};

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
pub fn jwt_of<'a>(spec: &'a ConnectionSpec, annotations: &BTreeMap<String, String>) -> Result<&'a JwtMethod, Verdict> {
    let unsupported = |what: &str| {
        let text = format!("{what} is not supported yet by this version of the operator: remove it");
        Err(Verdict::needs_user(Reason::InvalidSpec, text))
    };
    if spec.expect.is_some() {
        return unsupported("spec.expect");
    }
    if spec.replace_policy == ReplacePolicy::DeleteAndRecreate {
        return unsupported("spec.replacePolicy DeleteAndRecreate");
    }
    if annotations.contains_key(annotation::CONFIRM_CASCADE) {
        return unsupported("the annotation applink.dev/confirm-cascade");
    }
    match &spec.jwt {
        Some(jwt) => Ok(jwt),
        None => unsupported("spec.oauth"),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(change: impl FnOnce(&mut serde_json::Value)) -> ConnectionSpec {
        let mut spec = json!({
            "addonRef": {"name": "a"}, "connectionName": "prod", "provider": "Salesforce",
            "jwt": {"clientID": "c", "username": "u", "privateKeySecretRef": {"name": "s", "key": "k"}},
        });
        change(&mut spec);
        serde_json::from_value(spec).unwrap()
    }

    fn hash(spec: &ConnectionSpec, key: &str) -> Result<String, Verdict> {
        let jwt = jwt_of(spec, &BTreeMap::new())?;
        DesiredConnection::new(spec, jwt, &SecretString::from(key)).map(|desired| desired.hash)
    }

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nZ29vZA==\n-----END PRIVATE KEY-----\n";

    #[test]
    fn the_digest_tells_every_write_only_input_apart_and_nothing_else() {
        let base = hash(&spec(|_| {}), KEY).unwrap();
        assert!(base.starts_with("v1:") && base.len() == 3 + 64);
        let changes: [fn(&mut serde_json::Value); 5] = [
            |s| s["jwt"]["clientID"] = json!("d"),
            |s| s["jwt"]["username"] = json!("v"),
            |s| s["jwt"]["alias"] = json!("a"),
            |s| s["loginURL"] = json!("https://test.salesforce.com"),
            // The same characters, split in another place.
            |s| (s["jwt"]["clientID"], s["jwt"]["username"]) = (json!("cu"), json!("")),
        ];
        for change in changes {
            assert_ne!(hash(&spec(change), KEY).unwrap(), base);
        }
        assert_ne!(hash(&spec(|_| {}), &KEY.replace("Z29v", "b29v")).unwrap(), base);
        assert_eq!(hash(&spec(|s| s["deletionPolicy"] = json!("Orphan")), KEY).unwrap(), base);
        assert_eq!(hash(&spec(|_| {}), &format!("\n{}", KEY.replace('\n', "\r\n"))).unwrap(), base, "line ends");
    }

    #[test]
    fn what_is_no_key_is_told_by_the_secret_and_not_by_its_content() {
        for key in ["CANARY", "-----BEGIN CERTIFICATE-----\nQ0FOQVJZ\n-----END CERTIFICATE-----"] {
            let verdict = hash(&spec(|_| {}), key).unwrap_err();
            assert_eq!(verdict.reason, Reason::InvalidSecret);
            assert!(verdict.message.contains("Secret s, key k") && !verdict.message.contains("CANARY"));
        }
        let sealed = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(hash(&spec(|_| {}), &sealed).unwrap_err().message.contains("store it decrypted"));
    }

    #[test]
    fn what_is_for_later_is_refused_by_name() {
        let unsupported = |change: fn(&mut serde_json::Value)| hash(&spec(change), KEY).unwrap_err().message;
        assert!(
            unsupported(|s| s["expect"] = json!({"username": "u"})).starts_with("spec.expect is not supported yet")
        );
        assert!(unsupported(|s| s["replacePolicy"] = json!("DeleteAndRecreate")).contains("DeleteAndRecreate is not"));
        assert!(unsupported(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({}))).contains("oauth is not"));
        let confirmed = BTreeMap::from([(annotation::CONFIRM_CASCADE.to_owned(), "true".to_owned())]);
        assert!(jwt_of(&spec(|_| {}), &confirmed).unwrap_err().message.contains("confirm-cascade is not"));
    }

    #[test]
    fn only_a_digest_of_this_version_counts_as_another() {
        assert!(changed(Some("v1:a"), "v1:b"));
        assert!(!changed(Some("v1:a"), "v1:a") && !changed(Some("v0:a"), "v1:b") && !changed(None, "v1:b"));
    }

    #[test]
    fn debug_shows_no_key() {
        let spec = spec(|_| {});
        let desired = DesiredConnection::new(&spec, spec.jwt.as_ref().unwrap(), &SecretString::from(KEY)).unwrap();
        assert!(!format!("{desired:?}").contains("Z29v"));
    }
}
