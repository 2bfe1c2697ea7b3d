//! Random sets of manifests from a seed: applied in random order, edited at random while the operator works, and
//! deleted in random order. Each must end as a fresh apply of its last manifests would.
//!
//! Knows neither cluster nor simulator: a set runs on a [`Ground`], in-process or real.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

/// Collections of a set in the control API's world.
const REMOTE: [&str; 4] = ["connections", "authorizations", "publications", "dataActionTargets"];

/// Where a set runs.
pub trait Ground {
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
    /// Kills the operator and starts another, if the ground supports that.
    async fn restart(&mut self) {}
}

/// One set.
struct Set {
    seed: u64,
    rng: Rng,
    /// The user's current manifests, dependencies first.
    manifests: Vec<Value>,
    words: u32,
    /// Objects that lost finalizer and intent: a deletion would leave their remote objects behind, as if never ours.
    wiped: BTreeSet<String>,
    /// Objects deleted meanwhile.
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
            words: 0,
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

    fn access(&mut self, provider: &str, field: &str, remote: &str, robots: bool) -> Value {
        let mut access = json!({
            "addonRef": {"name": "orders"}, field: remote, "provider": provider, "replacePolicy": "DeleteAndRecreate",
        });
        if robots && self.rng.u8(..4) != 0 {
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

    fn word(&mut self) -> Value {
        self.words += 1;
        json!(format!("{} {}", self.seed, self.words))
    }

    /// An edit by a user or by somebody in AppLink, whatever the operator does.
    async fn edit(&mut self, ground: &impl Ground) {
        let nth = self.rng.usize(..self.manifests.len());
        let word = self.word();
        let (kind, name) = (kind(&self.manifests[nth]).to_owned(), name(&self.manifests[nth]).to_owned());
        match (self.rng.u8(..8), kind.as_str()) {
            (0, "ConfigMap") | (1..=7, "ConfigMap") => self.manifests[nth] = document(&name, self.rng.u8(..3)),
            (0, _) => self.manifests[nth]["spec"]["suspend"] = json!(self.rng.bool()),
            (1, _) => {
                let asked = if self.rng.bool() { "requestedAt" } else { "replace" };
                self.manifests[nth]["metadata"]["annotations"][format!("applink.dev/{asked}")] = word;
            }
            (2, _) if self.removed.contains(&name) => return,
            (2, _) => {
                self.wiped.insert(name.clone());
                let wiped = json!({"metadata": {"finalizers": null, "annotations": {"applink.dev/intent": null}}});
                return ground.patch(&kind, &name, wiped).await;
            }
            (3, _) => return self.remove(ground, nth).await,
            (4, _) => return self.meddle(ground, &self.manifests[nth].clone()).await,
            (_, "Publication") => {
                let app = json!({"name": format!("App{}", self.rng.u8(..3))});
                let field = *self.rng.choice(["permissionSet", "externalClientApp"].iter()).expect("one of two");
                self.manifests[nth]["spec"][field] = app;
            }
            (_, "DataActionTarget") => {}
            _ => self.edit_access(nth),
        }
        ground.apply(&self.manifests[nth]).await;
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
            let moved = format!("{}x", secret.as_str().expect("a name"));
            spec["credentialsSecretName"] = json!(moved);
        }
    }

    /// Deletes an object and its children, since it would wait for them.
    async fn remove(&mut self, ground: &impl Ground, nth: usize) {
        let gone = name(&self.manifests[nth]).to_owned();
        let these: Vec<_> = self.manifests.iter().filter(|m| name(m) == gone || lives_on(m, &gone)).cloned().collect();
        if these.iter().any(|manifest| self.wiped.contains(name(manifest))) {
            return;
        }
        for manifest in &these {
            self.removed.insert(name(manifest).to_owned());
            ground.delete(kind(manifest), name(manifest)).await;
        }
    }

    /// Somebody else changes AppLink.
    async fn meddle(&mut self, ground: &impl Ground, manifest: &Value) {
        let spec = &manifest["spec"];
        let (path, key) = match kind(manifest) {
            "Connection" => ("connections", &spec["connectionName"]),
            "Authorization" => ("authorizations", &spec["developerName"]),
            "Publication" => ("publications", &spec["clientName"]),
            _ => ("targets", &spec["apiName"]),
        };
        let path = format!("/{path}/{}", key.as_str().expect("a name"));
        if kind(manifest) == "Publication" && self.rng.bool() {
            ground.control("POST", &format!("{path}/touch"), json!({})).await;
        } else {
            ground.control("DELETE", &path, Value::Null).await;
        }
    }

    /// The last edits, after which the end is determined.
    async fn calm(&mut self, ground: &impl Ground) {
        for nth in 0..self.manifests.len() {
            let word = self.word();
            if kind(&self.manifests[nth]) == "ConfigMap" {
                continue;
            }
            self.manifests[nth]["spec"]["suspend"] = json!(false);
            let annotations = &mut self.manifests[nth]["metadata"]["annotations"];
            annotations["applink.dev/requestedAt"] = word;
            annotations["applink.dev/confirm-cascade"] = json!("true");
        }
        let leaving = async || {
            let all = self.mine(ground).await;
            all.into_iter().filter(|o| o["metadata"]["deletionTimestamp"].is_string()).collect::<Vec<_>>()
        };
        // Don't block objects that are being deleted.
        for object in leaving().await {
            let gone = name(&object);
            for lodger in self.manifests.iter().filter(|manifest| lives_on(manifest, gone)) {
                ground.delete(kind(lodger), name(lodger)).await;
            }
        }
        for object in leaving().await {
            ground.patch(kind(&object), name(&object), json!({"spec": {"suspend": false}})).await;
        }
        let what = format!("seed {}: what was deleted is gone", self.seed);
        let explain = async || format!("{:#?}", leaving().await);
        let gone = async || {
            self.consent(ground).await;
            leaving().await.is_empty()
        };
        ground.until(&what, gone, explain).await;
        for manifest in self.manifests.clone() {
            ground.apply(&manifest).await;
        }
    }

    async fn mine(&self, ground: &impl Ground) -> Vec<Value> {
        let prefix = format!("r{}-", self.seed);
        ground.objects().await.into_iter().filter(|object| name(object).starts_with(&prefix)).collect()
    }

    /// Everybody who is asked consents.
    async fn consent(&self, ground: &impl Ground) {
        let prefix = format!("r{}", self.seed);
        let world = ground.control("GET", "/world", Value::Null).await;
        for collection in &REMOTE[..2] {
            for access in world[*collection].as_array().into_iter().flatten() {
                let waits =
                    access["method"] == "OAuth" && ["connecting", "authorizing"].contains(&text(access, "status"));
                if waits && text(access, "name").starts_with(&prefix) {
                    let path = format!("/{collection}/{}/consent", text(access, "id"));
                    ground.control("POST", &path, json!({})).await;
                }
            }
        }
    }

    /// Waits until everything is Ready, and returns its state.
    async fn settle(&self, ground: &impl Ground, how: &str) -> Value {
        let wanted = self.manifests.iter().filter(|m| kind(m) != "ConfigMap").count();
        let settled = |object: &Value| {
            let manifest = self.manifests.iter().find(|m| kind(m) == kind(object) && name(m) == name(object));
            let word = &manifest.expect("one of the set")["metadata"]["annotations"]["applink.dev/requestedAt"];
            let status = &object["status"];
            let ready = status["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready");
            status["observedGeneration"] == object["metadata"]["generation"]
                && status["lastHandledReconcileAt"] == *word
                && ready.is_some_and(|ready| ready["status"] == "True")
        };
        let done = async || {
            self.consent(ground).await;
            let all = self.mine(ground).await;
            all.len() == wanted && all.iter().all(settled)
        };
        let explain = async || {
            let all = self.mine(ground).await;
            let unsettled = all.iter().filter(|object| !settled(object));
            let shown: Vec<_> = unsettled
                .map(|o| json!([o["kind"], o["metadata"]["name"], o["metadata"]["annotations"], o["status"]]))
                .collect();
            format!("{shown:#?}\n{:#}", self.remote(ground).await)
        };
        ground.until(&format!("seed {}: all converged, {how}", self.seed), done, explain).await;
        self.remote(ground).await
    }

    /// AppLink's objects of this set, without values that differ each time.
    async fn remote(&self, ground: &impl Ground) -> Value {
        let prefix = format!("r{}", self.seed);
        let world = ground.control("GET", "/world", Value::Null).await;
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
    async fn end(&mut self, ground: &impl Ground) {
        for manifest in self.shuffled() {
            ground.delete(kind(&manifest), name(&manifest)).await;
        }
        let gone = async || self.mine(ground).await.is_empty();
        let explain = async || format!("{:#?}", self.mine(ground).await);
        ground.until(&format!("seed {}: all are gone", self.seed), gone, explain).await;
        let left = self.remote(ground).await;
        let empty = REMOTE.iter().all(|collection| left[*collection] == json!([]));
        assert!(empty, "seed {}: left in AppLink: {left:#}", self.seed);
    }
}

fn lives_on(manifest: &Value, connection: &str) -> bool {
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
pub async fn play(ground: &mut impl Ground, seed: u64) {
    let mut set = Set::new(seed);
    for manifest in set.shuffled() {
        ground.apply(&manifest).await;
        if set.rng.u8(..4) == 0 {
            ground.moment().await;
        }
    }
    let restart = set.rng.usize(..16);
    for nth in 0..set.rng.usize(4..14) {
        set.edit(ground).await;
        if nth == restart {
            ground.restart().await;
        }
        if set.rng.bool() {
            set.consent(ground).await;
            ground.moment().await;
        }
    }
    set.calm(ground).await;
    let raged = set.settle(ground, "after all that").await;
    set.end(ground).await;
    for manifest in set.manifests.clone() {
        ground.apply(&manifest).await;
    }
    let fresh = set.settle(ground, "applied afresh").await;
    assert_eq!(raged, fresh, "seed {seed}");
    set.end(ground).await;
}
