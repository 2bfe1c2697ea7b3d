//! Inputs: the key, user and URL of a connection or an authorization, checked, and the digest of what AppLink never returns.
//!
//! Pure. `control::kinds` reads the Secrets; this file validates and digests them. No type here prints a key.

mod key;
pub mod publication;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use self::key::PrivateKey;
use crate::conditions::ConditionReport;
use crate::crd::{AuthSpec, Expect, JwtMethod, Provider, Reason};
use crate::facts::{AuthMethod, Org};

/// Version of the digest. A digest of another version never counts as a change.
const HASH_VERSION: &str = "v1:";
/// Longest name that Kubernetes allows, in characters.
const MAX_NAME_LENGTH: usize = 253;

/// Everything that a creation of a connection or an authorization sends.
#[derive(Clone, Debug)]
pub struct OrgAccessPayload {
    /// Remote name.
    pub name: String,
    /// Salesforce or Data Cloud.
    pub provider: Provider,
    /// Login URL in canonical form.
    pub login_url: String,
    /// How to sign in.
    pub login: AuthPayload,
    /// Digest of all inputs that AppLink never returns, in canonical form.
    pub hash: String,
    /// Digest of the same inputs as earlier versions computed it. A status that records this one shows no change.
    pub former_hash: String,
}

/// What a plan needs to know about an [`OrgAccessPayload`]: no secret.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrgAccessInputs {
    /// JWT or OAuth.
    pub auth_method: AuthMethod,
    /// Digest of all inputs that AppLink never returns, in canonical form.
    pub hash: String,
    /// Digest of the same inputs as earlier versions computed it. A status that records this one shows no change.
    pub former_hash: String,
}

/// How to sign in to an org.
#[derive(Clone, Debug)]
pub enum AuthPayload {
    /// With a private key, without a browser.
    Jwt {
        /// Salesforce user.
        username: String,
        /// Consumer key.
        client_id: String,
        /// Name of the credential in AppLink, if the spec sets one.
        alias: Option<String>,
        /// Private key, PEM encoded.
        private_key: SecretString,
    },
    /// As the person who opens the consent link.
    OAuth,
}

impl OrgAccessPayload {
    /// Payload for the JWT method, from the spec and its private key.
    ///
    /// # Errors
    /// The conditions to report if the key is unusable.
    pub fn by_jwt(name: &str, access: &AuthSpec, jwt: &JwtMethod, key: &SecretString) -> Result<Self, ConditionReport> {
        let private_key = PrivateKey::read(key.expose_secret()).map_err(|why| {
            let at = &jwt.private_key_secret_ref;
            ConditionReport::stalled(Reason::InvalidSecret, format!("Secret {}, key {}: {why}", at.name, at.key))
        })?;
        let (login_url, alias) = (canonical_url(&access.login_url), jwt.alias.as_deref().unwrap_or_default());
        let (client_id, username) = (jwt.client_id.trim(), jwt.username.trim());
        let folded = username.to_ascii_lowercase();
        let hash = digest(&["jwt", &login_url, client_id, &folded, alias.trim(), &private_key.identity]);
        let former_hash = digest(&["jwt", &access.login_url, &jwt.client_id, &jwt.username, alias, &former_text(key)]);
        let login = AuthPayload::Jwt {
            username: username.to_owned(),
            client_id: client_id.to_owned(),
            alias: Some(alias.trim()).filter(|alias| !alias.is_empty()).map(str::to_owned),
            private_key: private_key.pem,
        };
        Ok(Self { name: name.to_owned(), provider: access.provider, login_url, login, hash, former_hash })
    }

    /// By OAuth, whose link goes into the Secret of this name.
    ///
    /// # Errors
    /// The conditions to report if no Secret can have this name.
    pub fn by_oauth(name: &str, access: &AuthSpec, secret: &str) -> Result<Self, ConditionReport> {
        if secret.len() > MAX_NAME_LENGTH {
            let text = format!(
                "the consent link needs a Secret named {secret}, but a name has at most {MAX_NAME_LENGTH} characters. Create \
                 this resource under a shorter name"
            );
            return Err(ConditionReport::stalled(Reason::InvalidSpec, text));
        }
        let login_url = canonical_url(&access.login_url);
        Ok(Self {
            name: name.to_owned(),
            provider: access.provider,
            hash: digest(&["oauth", &login_url]),
            former_hash: digest(&["oauth", &access.login_url]),
            login_url,
            login: AuthPayload::OAuth,
        })
    }

    /// What a plan needs to know about it.
    #[must_use]
    pub fn inputs(&self) -> OrgAccessInputs {
        let (hash, former_hash) = (self.hash.clone(), self.former_hash.clone());
        OrgAccessInputs { auth_method: self.auth_method(), hash, former_hash }
    }

    /// JWT or OAuth.
    #[must_use]
    pub fn auth_method(&self) -> AuthMethod {
        match self.login {
            AuthPayload::Jwt { .. } => AuthMethod::Jwt,
            AuthPayload::OAuth => AuthMethod::OAuth,
        }
    }
}

/// Attributes of the spec that AppLink may report, by which the operator recognises a remote object.
#[derive(Clone, Copy, Debug)]
pub struct MatchCriteria<'a> {
    /// Salesforce or Data Cloud.
    pub provider: Provider,
    /// JWT or OAuth.
    pub method: AuthMethod,
    /// User of the JWT method.
    pub username: Option<&'a str>,
    /// `spec.expect`
    pub expect: Option<&'a Expect>,
}

impl<'a> MatchCriteria<'a> {
    /// Criteria of a spec.
    #[must_use]
    pub fn of(access: &'a AuthSpec) -> Self {
        let username = access.jwt.as_ref().map(|jwt| jwt.username.trim());
        let method = if username.is_some() { AuthMethod::Jwt } else { AuthMethod::OAuth };
        Self { provider: access.provider, method, username, expect: access.expect.as_ref() }
    }
}

/// Result of comparing an org with `spec.expect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// The org matches, or the spec expects nothing.
    Matches,
    /// The org or user differs. The text names both.
    Differs(String),
    /// AppLink does not report the org ID or the user.
    Unknown,
}

/// Compares an org with `spec.expect`. Only the first 15 characters of an org ID count, because the rest is a checksum.
/// Salesforce user names ignore case.
#[must_use]
pub fn compare(org: &Org, expect: Option<&Expect>) -> Match {
    let Some(expect) = expect else { return Match::Matches };
    let without_checksum = |id: &str| id.chars().take(15).collect::<String>();
    let org_id = (expect.org_id.as_deref().map(str::trim), org.id.as_deref());
    let username = (expect.username.as_deref().map(str::trim), org.username.as_deref());
    match (org_id, username) {
        ((Some(expected), Some(actual)), _) if without_checksum(expected) != without_checksum(actual) => {
            Match::Differs(format!("org {actual}, but spec.expect.orgID is {expected}"))
        }
        (_, (Some(expected), Some(actual))) if !expected.eq_ignore_ascii_case(actual) => {
            Match::Differs(format!("user {actual}, but spec.expect.username is {expected}"))
        }
        ((Some(_), None), _) | (_, (Some(_), None)) => Match::Unknown,
        _ => Match::Matches,
    }
}

/// Whether a recorded digest belongs to other inputs than `wanted`.
#[must_use]
pub fn changed(recorded: Option<&str>, wanted: &str) -> bool {
    recorded.is_some_and(|hash| hash.starts_with(HASH_VERSION) && hash != wanted)
}

/// Digest of a list of parts. The length of each part precedes it, so that no two lists give the same bytes.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    let hex: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{HASH_VERSION}{hex}")
}

/// The URL in canonical form: host in lower case, no default port, no slash at the end.
fn canonical_url(url: &str) -> String {
    let parsed = Url::parse(url.trim()).map(String::from);
    parsed.unwrap_or_else(|_| url.to_owned()).trim_end_matches('/').to_owned()
}

/// Text of the key as earlier versions digested it.
fn former_text(key: &SecretString) -> String {
    format!("{}\n", key.expose_secret().replace("\r\n", "\n").trim())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::json;

    use super::key::tests::generated;
    use super::*;

    fn access(change: impl FnOnce(&mut serde_json::Value)) -> AuthSpec {
        let mut spec = json!({
            "provider": "Salesforce",
            "jwt": {"clientID": "c", "username": "u", "privateKeySecretRef": {"name": "s", "key": "k"}},
        });
        change(&mut spec);
        serde_json::from_value(spec).unwrap()
    }

    fn hash(access: &AuthSpec, key: &str) -> Result<String, ConditionReport> {
        let jwt = access.jwt.as_ref().unwrap();
        OrgAccessPayload::by_jwt("prod", access, jwt, &SecretString::from(key)).map(|desired| desired.hash)
    }

    static KEY: LazyLock<String> = LazyLock::new(generated);

    #[test]
    fn the_digest_covers_exactly_the_write_only_inputs() {
        let base = hash(&access(|_| {}), &KEY).unwrap();
        assert!(base.starts_with("v1:") && base.len() == 3 + 64);
        let changes: [fn(&mut serde_json::Value); 5] = [
            |s| s["jwt"]["clientID"] = json!("d"),
            |s| s["jwt"]["username"] = json!("v"),
            |s| s["jwt"]["alias"] = json!("a"),
            |s| s["loginURL"] = json!("https://test.salesforce.com"),
            // The same characters, split differently.
            |s| (s["jwt"]["clientID"], s["jwt"]["username"]) = (json!("cu"), json!("")),
        ];
        for change in changes {
            assert_ne!(hash(&access(change), &KEY).unwrap(), base);
        }
        assert_ne!(hash(&access(|_| {}), &generated()).unwrap(), base);
        assert_eq!(hash(&access(|s| s["expect"] = json!({"username": "u"})), &KEY).unwrap(), base);
        assert_eq!(hash(&access(|_| {}), &format!("\n{}", KEY.replace('\n', "\r\n"))).unwrap(), base, "line ends");
    }

    #[test]
    fn spelling_does_not_change_the_digest() {
        let base = hash(&access(|s| s["loginURL"] = json!("https://test.salesforce.com")), &KEY).unwrap();
        let spellings: [fn(&mut serde_json::Value); 7] = [
            |s| s["loginURL"] = json!("https://test.salesforce.com/"),
            |s| s["loginURL"] = json!("https://TEST.Salesforce.com"),
            |s| s["loginURL"] = json!("https://test.salesforce.com:443"),
            |s| (s["loginURL"], s["jwt"]["username"]) = (json!("https://test.salesforce.com"), json!("U")),
            |s| (s["loginURL"], s["jwt"]["username"]) = (json!("https://test.salesforce.com"), json!("u\n")),
            |s| (s["loginURL"], s["jwt"]["clientID"]) = (json!("https://test.salesforce.com"), json!(" c")),
            |s| (s["loginURL"], s["jwt"]["alias"]) = (json!("https://test.salesforce.com"), json!(" ")),
        ];
        for (n, spelling) in spellings.into_iter().enumerate() {
            assert_eq!(hash(&access(spelling), &KEY).unwrap(), base, "{n}");
        }
        let oauth = |url: &str| {
            let access = access(|s| (s["jwt"], s["oauth"], s["loginURL"]) = (json!(null), json!({}), json!(url)));
            OrgAccessPayload::by_oauth("prod", &access, "x").unwrap()
        };
        let (plain, other) = (oauth("https://my.example.com/path"), oauth("https://MY.example.com:443/path/"));
        assert_eq!((&plain.hash, &plain.login_url), (&other.hash, &other.login_url));
        assert_ne!(plain.hash, oauth("https://my.example.com/Path").hash);
        assert_eq!(plain.hash, plain.former_hash, "canonical inputs keep their digest");
    }

    #[test]
    fn an_invalid_key_is_reported_without_its_content() {
        for key in ["CANARY", "-----BEGIN CERTIFICATE-----\nQ0FOQVJZ\n-----END CERTIFICATE-----"] {
            let report = hash(&access(|_| {}), key).unwrap_err();
            assert_eq!(report.reason, Reason::InvalidSecret);
            assert!(report.message.contains("Secret s, key k") && !report.message.contains("CANARY"));
        }
        let sealed = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(hash(&access(|_| {}), &sealed).unwrap_err().message.contains("store it decrypted"));
    }

    #[test]
    fn oauth_has_its_own_digest_and_needs_a_valid_secret_name() {
        let oauth = access(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({})));
        let one = OrgAccessPayload::by_oauth("prod", &oauth, "prod-connection-oauth").unwrap().hash;
        let sandbox = access(|s| s["loginURL"] = json!("https://test.salesforce.com"));
        assert_ne!(one, OrgAccessPayload::by_oauth("prod", &sandbox, "x").unwrap().hash);
        assert_ne!(one, hash(&access(|_| {}), &KEY).unwrap());
        let report = OrgAccessPayload::by_oauth("prod", &oauth, &"x".repeat(254)).unwrap_err();
        assert_eq!(report.reason, Reason::InvalidSpec);
    }

    #[test]
    fn expect_is_compared_as_salesforce_compares() {
        let org = |id: Option<&str>, username: Option<&str>| Org {
            id: id.map(str::to_owned),
            username: username.map(str::to_owned),
            ..Org::default()
        };
        let expect = |id: Option<&str>, username: Option<&str>| Expect {
            org_id: id.map(str::to_owned),
            username: username.map(str::to_owned),
        };
        let org_of_admin = org(Some("00DSG000007a3BZ2AY"), Some("Admin@Example.com"));
        let table = [
            (expect(Some("00DSG000007a3BZ2AY"), None), &org_of_admin, "matches"),
            (expect(Some("00DSG000007a3BZ"), Some("admin@example.com")), &org_of_admin, "matches"),
            (expect(Some("00DSG000007a3Bz"), None), &org_of_admin, "differs"),
            (expect(None, Some("else@example.com")), &org_of_admin, "differs"),
            (expect(Some("00DSG000007a3BZ"), Some("else@example.com")), &org(None, Some("x@y.z")), "differs"),
            (expect(Some("00DSG000007a3BZ"), None), &org(None, Some("admin@example.com")), "unknown"),
            (expect(None, Some("admin@example.com")), &Org::default(), "unknown"),
        ];
        for (expect, org, wanted) in table {
            let result = match compare(org, Some(&expect)) {
                Match::Matches => "matches",
                Match::Differs(_) => "differs",
                Match::Unknown => "unknown",
            };
            assert_eq!(result, wanted, "{expect:?} {org:?}");
        }
        assert_eq!(compare(&Org::default(), None), Match::Matches);
    }

    #[test]
    fn a_digest_of_another_version_is_no_change() {
        assert!(changed(Some("v1:a"), "v1:b"));
        assert!(!changed(Some("v1:a"), "v1:a") && !changed(Some("v0:a"), "v1:b") && !changed(None, "v1:b"));
    }

    #[test]
    fn debug_shows_no_key() {
        let access = access(|_| {});
        let desired =
            OrgAccessPayload::by_jwt("prod", &access, access.jwt.as_ref().unwrap(), &SecretString::from(KEY.as_str()))
                .unwrap();
        assert!(!format!("{desired:?}").contains(KEY.lines().nth(1).unwrap()));
    }
}
