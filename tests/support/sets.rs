//! Random sets of manifests from a seed. A run applies a set in random order, edits it at random while the operator works,
//! and deletes it in random order. The result must equal a first apply of the last manifests.
//!
//! It must know neither cluster nor simulator: a set runs in an [`Environment`], in-process or real.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

/// Collections of a set in the control API's world.
const REMOTE: [&str; 4] = ["connections", "authorizations", "publications", "dataActionTargets"];

/// Where a set runs.
pub trait Environment {
    /// Like `kubectl apply`.
    async fn apply(&self, manifest: &Value);
    /// Like `kubectl delete --wait=false --ignore-not-found`.
    async fn delete(&self, kind: &str, name: &str);
    /// A merge patch, if the object exists.
    async fn patch(&self, kind: &str, name: &str, patch: Value);
    /// All objects of our kinds.
    async fn objects(&self) -> Vec<Value>;
    /// Calls the simulator's control API. Returns null if it refuses.
    async fn control(&self, method: &str, path: &str, body: Value) -> Value;
    /// Lets the operator work for a moment.
    async fn moment(&self);
    /// Lets the operator work until `done`. `explain` describes the failure.
    async fn until(&self, what: &str, done: impl AsyncFnMut() -> bool, explain: impl AsyncFn() -> String);
    /// Kills the operator and starts another, if the environment supports that.
    async fn restart(&mut self) {}
}

/// One set.
struct Set {
    seed: u64,
    rng: Rng,
    /// The user's current manifests, dependencies first.
    manifests: Vec<Value>,
    tokens: u32,
    /// Objects whose finalizer and intent were removed: a deletion would leave their remote objects in place.
    wiped: BTreeSet<String>,
    /// Objects that were deleted during the run.
    removed: BTreeSet<String>,
}

fn named(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "applink.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn kind(manifest: &Value) -> &str {
    manifest["kind"].as_str().expect("a kind")
}

fn name(manifest: &Value) -> &str {
    manifest["metadata"]["name"].as_str().expect("a name")
}

fn document(name: &str, version: u8) -> Value {
    let text = format!("openapi: 3.0.3\ninfo: {{title: {name}, version: '{version}'}}\npaths: {{}}\n");
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"api.yaml": text}})
}

impl Set {
    fn new(seed: u64) -> Self {
        let mut set = Self {
            seed,
            rng: Rng::with_seed(seed),
            manifests: Vec::new(),
            tokens: 0,
            wiped: BTreeSet::new(),
            removed: BTreeSet::new(),
        };
        set.manifests.push(document(&format!("r{seed}-doc"), 0));
        for nth in 0..set.rng.usize(1..3) {
            let (connection, remote) = (format!("r{seed}-sf{nth}"), format!("r{seed}sf{nth}"));
            let access = set.access("Salesforce", "connectionName", &remote, true);
            set.manifests.push(named("Connection", &connection, access));
            if set.rng.u8(..4) != 0 {
                let publication = set.publication(&connection);
                set.manifests.push(named("Publication", &format!("r{seed}-pub{nth}"), publication));
            }
        }
        for nth in 0..set.rng.usize(..3) {
            let provider = if set.rng.bool() { "Salesforce" } else { "DataCloud" };
            let mut access = set.access(provider, "developerName", &format!("r{seed}au{nth}"), true);
            if set.rng.bool() {
                access["credentialsSecretName"] = json!(format!("r{seed}-credentials{nth}"));
            }
            set.manifests.push(named("Authorization", &format!("r{seed}-au{nth}"), access));
        }
        if set.rng.u8(..3) != 0 {
            let connection = format!("r{seed}-dc");
            let access = set.access("DataCloud", "connectionName", &format!("r{seed}dc"), false);
            set.manifests.push(named("Connection", &connection, access));
            for nth in 0..set.rng.usize(..3) {
                let spec = json!({
                    "connectionRef": {"name": connection}, "label": format!("Target {nth}"),
                    "apiName": format!("r{seed}_t{nth}"), "targetEndpoint": format!("/hooks/{nth}"), "type": "Webhook",
                });
                set.manifests.push(named("DataActionTarget", &format!("r{seed}-t{nth}"), spec));
            }
        }
        set
    }

    fn access(&mut self, provider: &str, field: &str, remote: &str, allow_jwt: bool) -> Value {
        let mut access = json!({
            "addonRef": {"name": "orders"}, field: remote, "provider": provider, "replacePolicy": "DeleteAndRecreate",
        });
        if allow_jwt && self.rng.u8(..4) != 0 {
            access["jwt"] = json!({
                "clientID": "3MVG9", "username": "ci@example.com",
                "privateKeySecretRef": {"name": "sf-jwt", "key": "server.key"},
            });
        } else {
            access["oauth"] = json!({});
        }
        access
    }

    fn publication(&mut self, connection: &str) -> Value {
        let client = format!("Api{}", connection.replace('-', ""));
        let at = json!({"name": format!("r{}-doc", self.seed), "key": "api.yaml"});
        json!({"connectionRef": {"name": connection}, "clientName": client, "apiSpec": {"configMapKeyRef": at}})
    }

    fn shuffled(&mut self) -> Vec<Value> {
        let mut all = self.manifests.clone();
        self.rng.shuffle(&mut all);
        all
    }

    fn token(&mut self) -> Value {
        self.tokens += 1;
        json!(format!("{} {}", self.seed, self.tokens))
    }

    /// A random edit by a user, or by another client of AppLink.
    async fn edit(&mut self, environment: &impl Environment) {
        let nth = self.rng.usize(..self.manifests.len());
        let token = self.token();
        let (kind, name) = (kind(&self.manifests[nth]).to_owned(), name(&self.manifests[nth]).to_owned());
        match (self.rng.u8(..8), kind.as_str()) {
            (0, "ConfigMap") | (1..=7, "ConfigMap") => self.manifests[nth] = document(&name, self.rng.u8(..3)),
            (0, _) => self.manifests[nth]["spec"]["suspend"] = json!(self.rng.bool()),
            (1, _) => {
                let annotation = if self.rng.bool() { "requestedAt" } else { "replace" };
                self.manifests[nth]["metadata"]["annotations"][format!("applink.dev/{annotation}")] = token;
            }
            (2, _) if self.removed.contains(&name) => return,
            (2, _) => {
                self.wiped.insert(name.clone());
                let wiped = json!({"metadata": {"finalizers": null, "annotations": {"applink.dev/intent": null}}});
                return environment.patch(&kind, &name, wiped).await;
            }
            (3, _) => return self.remove(environment, nth).await,
            (4, _) => return self.change_remotely(environment, &self.manifests[nth].clone()).await,
            (_, "Publication") => {
                let app = json!({"name": format!("App{}", self.rng.u8(..3))});
                let field = *self.rng.choice(["permissionSet", "externalClientApp"].iter()).expect("one of two");
                self.manifests[nth]["spec"][field] = app;
            }
            (_, "DataActionTarget") => {}
            _ => self.edit_access(nth),
        }
        environment.apply(&self.manifests[nth]).await;
    }

    fn edit_access(&mut self, nth: usize) {
        let host = if self.rng.bool() { "login" } else { "test" };
        let choice = self.rng.u8(..3);
        let client = format!("3MVG9{}", self.rng.u8(..3));
        let spec = &mut self.manifests[nth]["spec"];
        match (choice, spec.get("jwt").is_some()) {
            (0, true) => spec["jwt"]["clientID"] = json!(client),
            (1, true) => spec["jwt"]["alias"] = json!(format!("alias-{}", spec["jwt"]["clientID"])),
            _ => spec["loginURL"] = json!(format!("https://{host}.salesforce.com")),
        }
        if let Some(secret) = spec.get("credentialsSecretName").cloned() {
            let renamed = format!("{}x", secret.as_str().expect("a name"));
            spec["credentialsSecretName"] = json!(renamed);
        }
    }

    /// Deletes an object and its children, because the deletion waits for them.
    async fn remove(&mut self, environment: &impl Environment, nth: usize) {
        let parent = name(&self.manifests[nth]).to_owned();
        let affected = |m: &&Value| name(m) == parent || depends_on(m, &parent);
        let these: Vec<_> = self.manifests.iter().filter(affected).cloned().collect();
        if these.iter().any(|manifest| self.wiped.contains(name(manifest))) {
            return;
        }
        for manifest in &these {
            self.removed.insert(name(manifest).to_owned());
            environment.delete(kind(manifest), name(manifest)).await;
        }
    }

    /// Another client changes or deletes the remote object.
    async fn change_remotely(&mut self, environment: &impl Environment, manifest: &Value) {
        let spec = &manifest["spec"];
        let (path, key) = match kind(manifest) {
            "Connection" => ("connections", &spec["connectionName"]),
            "Authorization" => ("authorizations", &spec["developerName"]),
            "Publication" => ("publications", &spec["clientName"]),
            _ => ("targets", &spec["apiName"]),
        };
        let path = format!("/{path}/{}", key.as_str().expect("a name"));
        if kind(manifest) == "Publication" && self.rng.bool() {
            environment.control("POST", &format!("{path}/touch"), json!({})).await;
        } else {
            environment.control("DELETE", &path, Value::Null).await;
        }
    }

    /// Makes the last edits, after which the expected result is fixed.
    async fn finish_edits(&mut self, environment: &impl Environment) {
        for nth in 0..self.manifests.len() {
            let token = self.token();
            if kind(&self.manifests[nth]) == "ConfigMap" {
                continue;
            }
            self.manifests[nth]["spec"]["suspend"] = json!(false);
            let annotations = &mut self.manifests[nth]["metadata"]["annotations"];
            annotations["applink.dev/requestedAt"] = token;
            annotations["applink.dev/confirm-cascade"] = json!("true");
        }
        let deleting = async || {
            let all = self.mine(environment).await;
            all.into_iter().filter(|o| o["metadata"]["deletionTimestamp"].is_string()).collect::<Vec<_>>()
        };
        // Deletes the children too, which would block the deletion.
        for object in deleting().await {
            let parent = name(&object);
            for child in self.manifests.iter().filter(|manifest| depends_on(manifest, parent)) {
                environment.delete(kind(child), name(child)).await;
            }
        }
        for object in deleting().await {
            environment.patch(kind(&object), name(&object), json!({"spec": {"suspend": false}})).await;
        }
        let what = format!("seed {}: all deletions end", self.seed);
        let explain = async || format!("{:#?}", deleting().await);
        let deleted = async || {
            self.consent(environment).await;
            deleting().await.is_empty()
        };
        environment.until(&what, deleted, explain).await;
        for manifest in self.manifests.clone() {
            environment.apply(&manifest).await;
        }
    }

    async fn mine(&self, environment: &impl Environment) -> Vec<Value> {
        let prefix = format!("r{}-", self.seed);
        environment.objects().await.into_iter().filter(|object| name(object).starts_with(&prefix)).collect()
    }

    /// Consents to everything of this set that waits for consent.
    async fn consent(&self, environment: &impl Environment) {
        let prefix = format!("r{}", self.seed);
        let world = environment.control("GET", "/world", Value::Null).await;
        for collection in &REMOTE[..2] {
            for access in world[*collection].as_array().into_iter().flatten() {
                let waits =
                    access["method"] == "OAuth" && ["connecting", "authorizing"].contains(&text(access, "status"));
                if waits && text(access, "name").starts_with(&prefix) {
                    let path = format!("/{collection}/{}/consent", text(access, "id"));
                    environment.control("POST", &path, json!({})).await;
                }
            }
        }
    }

    /// Waits until everything is Ready, and returns its state.
    async fn settle(&self, environment: &impl Environment, how: &str) -> Value {
        let expected = self.manifests.iter().filter(|m| kind(m) != "ConfigMap").count();
        let settled = |object: &Value| {
            let manifest = self.manifests.iter().find(|m| kind(m) == kind(object) && name(m) == name(object));
            let token = &manifest.expect("one of the set")["metadata"]["annotations"]["applink.dev/requestedAt"];
            let status = &object["status"];
            let ready = status["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
            status["observedGeneration"] == object["metadata"]["generation"]
                && status["lastHandledReconcileAt"] == *token
                && ready.is_some_and(|ready| ready["status"] == "True")
        };
        let done = async || {
            self.consent(environment).await;
            let all = self.mine(environment).await;
            all.len() == expected && all.iter().all(settled)
        };
        let explain = async || {
            let all = self.mine(environment).await;
            let unsettled = all.iter().filter(|object| !settled(object));
            let shown: Vec<_> = unsettled
                .map(|o| json!([o["kind"], o["metadata"]["name"], o["metadata"]["annotations"], o["status"]]))
                .collect();
            format!("{shown:#?}\n{:#}", self.remote(environment).await)
        };
        environment.until(&format!("seed {}: all converged, {how}", self.seed), done, explain).await;
        self.remote(environment).await
    }

    /// AppLink's objects of this set, without values that differ in each run.
    async fn remote(&self, environment: &impl Environment) -> Value {
        let prefix = format!("r{}", self.seed);
        let world = environment.control("GET", "/world", Value::Null).await;
        let mut state = json!({});
        for collection in REMOTE {
            let key = ["connectionName", "apiName", "name"];
            let owner = |item: &Value| key.iter().find_map(|key| item[key].as_str().map(str::to_owned));
            let all = world[collection].as_array().into_iter().flatten();
            let mine = all.filter(|item| owner(item).is_some_and(|name| name.starts_with(&prefix)));
            let mut mine: Vec<_> = mine.map(stable).collect();
            mine.sort_by_key(Value::to_string);
            state[collection] = json!(mine);
        }
        state
    }

    /// Deletes everything in random order, and asserts that nothing is left.
    async fn end(&mut self, environment: &impl Environment) {
        for manifest in self.shuffled() {
            environment.delete(kind(&manifest), name(&manifest)).await;
        }
        let deleted = async || self.mine(environment).await.is_empty();
        let explain = async || format!("{:#?}", self.mine(environment).await);
        environment.until(&format!("seed {}: all are deleted", self.seed), deleted, explain).await;
        let left = self.remote(environment).await;
        let empty = REMOTE.iter().all(|collection| left[*collection] == json!([]));
        assert!(empty, "seed {}: left in AppLink: {left:#}", self.seed);
    }
}

fn depends_on(manifest: &Value, connection: &str) -> bool {
    manifest["spec"]["connectionRef"]["name"] == connection
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The parts of a remote object that do not depend on its history.
fn stable(item: &Value) -> Value {
    let keys = [
        "name",
        "provider",
        "method",
        "status",
        "loginUrl",
        "username",
        "connectionName",
        "clientName",
        "permissionSet",
        "connectedApp",
        "externalClientApp",
        "apiName",
        "label",
        "targetEndpoint",
        "type",
    ];
    let mut state = json!({"document": item["archive"]["sha256"], "client": item["jwt"]["clientId"]});
    keys.iter().for_each(|key| state[*key] = item[*key].clone());
    // The default is derived from the UID.
    state["alias"] = json!(item["jwt"]["alias"].as_str().filter(|alias| !alias.starts_with("applink-operator-")));
    state
}

/// Runs the set with this seed.
pub async fn play(environment: &mut impl Environment, seed: u64) {
    let mut set = Set::new(seed);
    for manifest in set.shuffled() {
        environment.apply(&manifest).await;
        if set.rng.u8(..4) == 0 {
            environment.moment().await;
        }
    }
    let restart = set.rng.usize(..16);
    for nth in 0..set.rng.usize(4..14) {
        set.edit(environment).await;
        if nth == restart {
            environment.restart().await;
        }
        if set.rng.bool() {
            set.consent(environment).await;
            environment.moment().await;
        }
    }
    set.finish_edits(environment).await;
    let edited = set.settle(environment, "after the edits").await;
    set.end(environment).await;
    for manifest in set.manifests.clone() {
        environment.apply(&manifest).await;
    }
    let fresh = set.settle(environment, "applied again").await;
    assert_eq!(edited, fresh, "seed {seed}");
    set.end(environment).await;
}
