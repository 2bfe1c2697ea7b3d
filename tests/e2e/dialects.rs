//! What the AppLink documentation leaves open, as simulator settings: whatever the service does, a connection is created,
//! recreated, replaced, consented to, adopted and deleted.
//!
//! Covers the most relevant settings, several per line if they are independent; tests/operator/service_behaviours.rs
//! covers each alone. Each line is an add-on on its own simulator, and one operator serves them all.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Scene, Simulator, e2e, edit, is_ready, person, text};

/// Settings for the spelling of responses.
fn spellings() -> Vec<(&'static str, Value)> {
    let all = json!(["provenance", "method", "user", "accessToken"]);
    vec![
        ("article", json!({"dialect": "reference"})),
        ("mixed", json!({"dialect": "mixed", "namePlace": "both", "createAnswer": "created"})),
        ("pilot", json!({"statusWords": "pilot", "statusKey": "state", "pendingOrg": "null", "connectSeconds": 1})),
        (
            "older",
            json!({"statusWords": "older", "namePlace": "top", "errorShape": "titleDetail", "createAnswer": "ok"}),
        ),
        ("sparse", json!({"omitted": all, "omittedAs": "null", "deleteAnswer": "noContent", "errorShape": "empty"})),
        ("lists", json!({"getOne": "array", "getUnknown": "emptyList", "listedAddonId": "foreign"})),
        ("link-once", json!({"linkServed": "once", "pendingOrg": "nulls", "deleteAnswer": "emptyObject"})),
        ("link-forever", json!({"linkServed": "forever", "pendingOrg": "filled", "statusWords": "capitalised"})),
    ]
}

/// Settings for behaviour and access.
fn habits() -> Vec<(&'static str, Value)> {
    vec![
        ("tombstones", json!({"keepDisconnected": true, "deleteStatus": "disconnected"})),
        ("tombs-hold", json!({"keepDisconnected": true, "tombstonesHoldNames": true, "errorShape": "error"})),
        ("upserts", json!({"keepDisconnected": true, "tombstonesHoldNames": true, "takenName": "upsert"})),
        ("lags", json!({"listLagSeconds": 3, "failedHoldNames": false})),
        ("aliases", json!({"takenAlias": "conflict", "nameCase": "insensitive", "takenName": "unprocessable"})),
        (
            "doors",
            json!({"addonSegment": "id", "ssoFreshness": "everyCall", "ssoRefusal": "unauthorized", "ssoWindowSeconds": 4, "takenName": "duplicate"}),
        ),
        ("variant", json!({"refusedSsoVariant": "3.sdk", "ssoCheck": "never", "acceptedBearer": "either"})),
    ]
}

/// The flows, each with its own Connection.
const FLOWS: [&str; 4] = ["recreate", "rotate", "consent", "adopt"];

/// One service with its add-on.
struct Line<'a> {
    scene: &'a Scene,
    name: &'static str,
    simulator: Simulator,
}

impl<'a> Line<'a> {
    async fn start(scene: &'a Scene, name: &'static str, settings: Value) -> Self {
        let simulator = Simulator::beside(&scene.dir, name).await;
        simulator.settings(settings).await;
        Self { scene, name, simulator }
    }

    fn object(&self, flow: &str) -> String {
        format!("{}-{flow}", self.name)
    }

    fn key(&self, content: &str) -> Value {
        edit(self.scene.key(content), |secret| secret["metadata"]["name"] = json!(self.object("key")))
    }

    fn manifest(&self, flow: &str) -> Value {
        let (name, remote) = (self.object(flow), format!("{flow}Org"));
        let manifest = match flow {
            "consent" => edit(self.scene.by_consent(&name, &remote), |c| c["spec"]["provider"] = json!("DataCloud")),
            _ => edit(self.scene.connection(&name, &remote), |c| {
                c["spec"]["jwt"]["privateKeySecretRef"]["name"] = json!(self.object("key"));
            }),
        };
        edit(manifest, |c| {
            c["spec"]["addonRef"]["name"] = json!(self.name);
            // The other flows' keys rotate, too, without effect.
            c["spec"]["replacePolicy"] = json!(if flow == "rotate" { "DeleteAndRecreate" } else { "Never" });
        })
    }

    /// IDs of a flow's remote connections, without tombstones.
    async fn remote(&self, flow: &str) -> Vec<Value> {
        let name = format!("{flow}Org");
        let there = self.simulator.connections().await;
        let of_name = there.into_iter().filter(|c| c["name"] == name && c["status"] != "disconnected");
        of_name.map(|c| c["id"].clone()).collect()
    }

    async fn live(&self) {
        let planted = json!({"name": "adoptOrg", "method": "JWT", "username": "ci@example.com"});
        let theirs = self.simulator.control("POST", "/connections", planted).await;
        let addon = edit(self.scene.addon(), |addon| {
            addon["metadata"]["name"] = json!(self.name);
            addon["spec"]["platformURL"] = json!(self.simulator.url);
        });
        self.scene.apply_all(&[addon, self.key("first")]).await;
        self.scene.apply_all(&FLOWS.map(|flow| self.manifest(flow))).await;
        let adopted = self.scene.ready("Connection", &self.object("adopt")).await;
        assert_eq!(adopted["status"]["id"], theirs["id"], "{}", self.name);
        let lost = self.made("recreate").await;
        self.made("rotate").await;
        let link = self.scene.link(&self.object("consent")).await;

        self.simulator.control("DELETE", &format!("/connections/{}", text(&lost, "/status/id")), Value::Null).await;
        let recreated = |o: &Value| is_ready(o) && o["status"]["id"] != lost["status"]["id"];
        self.scene.wait("Connection", &self.object("recreate"), "is recreated", recreated).await;
        // Only now: a connection that was recreated with the old key would no longer be Ready.
        self.rotate().await;
        person::answer(&link, "allow", &[]).await;
        self.made("consent").await;
        for flow in FLOWS {
            let seen = self.scene.get("Connection", &self.object(flow)).await.expect("it exists");
            assert_eq!(self.remote(flow).await, [seen["status"]["id"].clone()], "{} {flow}", self.name);
        }
        self.die().await;
    }

    async fn made(&self, flow: &str) -> Value {
        self.scene.ready("Connection", &self.object(flow)).await
    }

    /// Changes the key, and waits until a connection with the new key exists. Some services keep the ID.
    async fn rotate(&self) {
        let before = self.made("rotate").await["status"]["appliedHash"].clone();
        self.scene.apply(&self.key("second")).await;
        let renewed = |o: &Value| is_ready(o) && o["status"]["appliedHash"] != before;
        self.scene.wait("Connection", &self.object("rotate"), "is recreated", renewed).await;
    }

    async fn die(&self) {
        for flow in FLOWS {
            self.scene.delete("Connection", &self.object(flow)).await;
        }
        for flow in FLOWS {
            self.scene.wait_gone("Connection", &self.object(flow)).await;
            assert_eq!(self.remote(flow).await, Vec::<Value>::new(), "{} {flow}", self.name);
        }
    }
}

async fn lead(scene: &Scene, table: Vec<(&'static str, Value)>) {
    let _operator = scene.operator().await;
    scene.apply(&scene.token()).await;
    let lines = table.into_iter().map(|(name, settings)| Line::start(scene, name, settings));
    let lines = join_all(lines).await;
    join_all(lines.iter().map(Line::live)).await;
}

#[test]
fn all_flows_finish_in_every_spelling() {
    e2e("spellings", async |scene| lead(scene, spellings()).await);
}

#[test]
fn all_flows_finish_under_every_behaviour() {
    e2e("habits", async |scene| lead(scene, habits()).await);
}
