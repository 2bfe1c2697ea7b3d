//! One Connection of a storm: its role, its possible edits, and the ends that its last manifest may lead to.
//!
//! Touches no cluster; `storm` applies the edits.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::harness::{Scene, condition, edit, sha256, text};

/// Number of Secrets with keys.
pub const KEYS: usize = 3;
const LOGINS: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
/// Who consents if the manifest does not say.
const PERSON: &str = "admin@example.com";
const ELSE: &str = "else@example.com";

/// Role of a Connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Creates its own by JWT.
    Robot,
    /// Asks a person.
    Person,
    /// Adopts an existing one by JWT.
    Heir,
    /// Wants an existing one but may not adopt it: by policy, or because it differs.
    Intruder,
}

/// A Connection.
pub struct Player {
    pub role: Role,
    pub name: String,
    /// Its name in AppLink.
    pub remote: String,
    /// Its current manifest.
    pub manifest: Value,
    /// The existing connection, if any.
    pub planted: Option<Value>,
    /// Whether it was ever under Observe, which releases its connection. A released one is adopted as it is.
    observed: bool,
}

/// An edit by a user.
pub enum Edit {
    /// Its manifest changed.
    Apply,
    /// A Secret has another key now, or none.
    Key(usize, String),
    /// Finalizer and intent are lost.
    Wipe,
}

impl Player {
    /// The nth Connection of a storm.
    pub fn new(scene: &Scene, rng: &mut Rng, seed: u64, nth: usize) -> Self {
        let role = [Role::Robot, Role::Robot, Role::Person, Role::Heir, Role::Intruder][nth % 5];
        let (name, remote) = (format!("s{seed}-{nth}"), format!("s{seed}_{nth}"));
        let mut manifest = match role {
            Role::Person => scene.by_consent(&name, &remote),
            _ => scene.connection(&name, &remote),
        };
        if role == Role::Intruder {
            match rng.bool() {
                true => manifest["spec"]["adoptionPolicy"] = json!("Never"),
                false => manifest["spec"]["jwt"]["username"] = json!(ELSE),
            }
        }
        let mut player = Self { role, name, remote, manifest, planted: None, observed: false };
        player.set_key(rng);
        player.set_replacement(rng);
        player
    }

    /// The existing connection that is needed first.
    pub fn to_plant(&self) -> Option<Value> {
        let wanted = [Role::Heir, Role::Intruder].contains(&self.role);
        wanted
            .then(|| json!({"name": self.remote, "method": "JWT", "username": "ci@example.com", "clientId": "theirs"}))
    }

    fn set_key(&mut self, rng: &mut Rng) {
        if self.role != Role::Person {
            let secret = &mut self.manifest["spec"]["jwt"]["privateKeySecretRef"]["name"];
            *secret = json!(key_name(rng.usize(..KEYS)));
        }
    }

    fn set_replacement(&mut self, rng: &mut Rng) {
        self.choose("replacePolicy", [json!("Never"), json!("DeleteAndRecreate")], rng);
    }

    fn choose(&mut self, field: &str, values: [Value; 2], rng: &mut Rng) {
        let [one, other] = values;
        self.manifest["spec"][field] = if rng.bool() { one } else { other };
    }

    /// Makes a random edit.
    pub fn edit(&mut self, rng: &mut Rng) -> Edit {
        let by_jwt = self.role != Role::Person;
        match rng.usize(..12) {
            0 | 1 if by_jwt => self.set_key(rng),
            2 if by_jwt => self.manifest["spec"]["jwt"]["alias"] = json!(format!("alias{}", rng.usize(..2))),
            3 if by_jwt => self.manifest["spec"]["jwt"]["clientID"] = json!(format!("3MVG9{}", rng.usize(..2))),
            2 | 3 => {
                let user = *rng.choice([PERSON, ELSE].iter()).expect("one of two");
                self.manifest["spec"]["expect"] = json!({"username": user});
            }
            4 => self.set_replacement(rng),
            5 => self.choose("deletionPolicy", [json!("Delete"), json!("Orphan")], rng),
            6 => {
                self.choose("managementPolicy", [json!("Full"), json!("Observe")], rng);
                self.observed |= self.manifest["spec"]["managementPolicy"] == "Observe";
            }
            7 => self.choose("suspend", [json!(true), json!(false)], rng),
            8 => self.choose("loginURL", LOGINS.map(|url| json!(url)), rng),
            9 => {
                let word = *rng.choice(["requestedAt", "replace"].iter()).expect("one of two");
                self.annotate(word, &rng.u16(..).to_string());
            }
            10 => return Edit::Wipe,
            _ => {
                let content = if rng.u8(..4) == 0 { "no key".to_owned() } else { key(rng) };
                return Edit::Key(rng.usize(..KEYS), content);
            }
        }
        Edit::Apply
    }

    /// Sets one of our annotations.
    pub fn annotate(&mut self, name: &str, value: &str) {
        self.manifest["metadata"]["annotations"][format!("applink.dev/{name}")] = json!(value);
    }

    /// The last edit, after which the end is determined.
    pub fn calm(&mut self, rng: &mut Rng, word: &str) {
        self.manifest["spec"]["managementPolicy"] = json!("Full");
        self.manifest["spec"]["deletionPolicy"] = json!("Delete");
        self.manifest["spec"]["suspend"] = json!(rng.u8(..8) == 0);
        self.annotate("requestedAt", word);
    }

    pub fn suspended(&self) -> bool {
        self.manifest["spec"]["suspend"] == true
    }

    /// Why this is not yet the end that its manifest leads to. `keys` are those in the Secrets, `there` is everything
    /// in AppLink.
    pub fn unsettled(&self, object: &Value, there: &[Value], keys: &[String]) -> Option<String> {
        let ready = condition(object, "Ready").cloned().unwrap_or_default();
        let reason = text(&ready, "/reason");
        let word = &self.manifest["metadata"]["annotations"]["applink.dev/requestedAt"];
        let status = &object["status"];
        let judged = status["observedGeneration"] == object["metadata"]["generation"];
        let named: Vec<_> = there.iter().filter(|c| c["name"] == json!(self.remote)).collect();
        let settled = match (self.role, &named[..]) {
            _ if !judged || status["lastHandledReconcileAt"] != *word => false,
            (_, named) if self.suspended() => reason == "Suspended" && named.len() <= 1,
            (Role::Intruder, [only]) => reason == "AdoptionRefused" && Some(*only) == self.planted.as_ref(),
            (_, [only]) => status["id"] == only["id"] && self.ends(only, keys).contains(&reason),
            _ => false,
        };
        let shown = edit(object.clone(), |o| o["metadata"]["managedFields"] = json!("..."));
        (!settled).then(|| format!("{:?} {shown:#}\nthere is {named:#?}", self.role))
    }

    /// The possible reasons at the end for a connection of ours.
    fn ends(&self, remote: &Value, keys: &[String]) -> Vec<&'static str> {
        let spec = &self.manifest["spec"];
        let expected = spec["expect"]["username"].as_str().is_none_or(|user| remote["username"] == user);
        let kept = if expected { "Connected" } else { "OrgMismatch" };
        // An adopted one counts as made with the inputs at that time, whatever they were.
        let unknown = self.observed || self.planted.is_some();
        if remote["status"] != "connected" {
            return Vec::new();
        }
        match (self.differs(remote, keys), spec["replacePolicy"] == "DeleteAndRecreate") {
            (false, _) if !unknown => vec![kept],
            (true, false) if !unknown => vec!["ReplacementRequired"],
            (true, true) if !unknown => vec![],
            (_, true) => vec![kept],
            (_, false) => vec![kept, "ReplacementRequired"],
        }
    }

    /// Whether a connection was made with other inputs than declared.
    fn differs(&self, remote: &Value, keys: &[String]) -> bool {
        let spec = &self.manifest["spec"];
        let login = spec["loginURL"].as_str().unwrap_or(LOGINS[0]);
        let other_login = text(remote, "/loginUrl").trim_end_matches('/') != login;
        let Some(jwt) = spec.get("jwt") else { return other_login };
        let alias = jwt["alias"].as_str().is_some_and(|alias| remote["jwt"]["alias"] != alias);
        let nth = (0..KEYS).find(|nth| jwt["privateKeySecretRef"]["name"] == json!(key_name(*nth)));
        let key = remote["jwt"]["keyDigest"] != json!(sha256(&keys[nth.expect("one of ours")]));
        other_login || alias || key || remote["jwt"]["clientId"] != jwt["clientID"]
    }
}

/// Name of a Secret with a key.
pub fn key_name(nth: usize) -> String {
    format!("key-{nth}")
}

/// A random key.
pub fn key(rng: &mut Rng) -> String {
    crate::harness::pem(&format!("key {}", rng.usize(..3)))
}

/// The Secret with this key.
pub fn key_secret(nth: usize, content: &str) -> Value {
    edit(crate::harness::secret("", "server.key", content), |secret| secret["metadata"]["name"] = json!(key_name(nth)))
}
