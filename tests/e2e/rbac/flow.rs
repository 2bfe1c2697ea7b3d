//! What needs a verb: how a scene is brought to where the verb is missed, and how all is as it would have been once it
//! is back.
//!
//! Takes no verb away. `rbac` does, and gives it back.

use serde_json::{Value, json};

use crate::harness::person::answer;
use crate::harness::{CONNECTION, Flags, Operator, PATIENCE, Scene, document, edit, has_reason, is_ready, text, until};

use Flow::{
    Bring, Create, Delete, Elect, HandOver, HandOverAnew, Heal, Malformed, Redraft, Repeat, Reread, Rotate, TakeOver,
    Tell, Withdraw,
};

/// Where a person finds the link.
const SECRET: &str = "production-connection-oauth";

/// A time that the API server takes, and the operator cannot read.
const UNREADABLE: &str = "2026-01-01T00:00:00+99:99";

/// What needs a verb.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Everything was applied before the operator started.
    Create,
    /// A connection vanishes from AppLink.
    Heal,
    /// A Connection is deleted.
    Delete,
    /// This object is applied, beside a Connection that is Ready.
    Bring(&'static str, &'static str),
    /// The document of a Publication changes, which a watch is to notice.
    Redraft,
    /// This object cannot be read.
    Malformed(&'static str, &'static str),
    /// A private key is rotated, which a watch is to notice.
    Rotate,
    /// A private key is rotated after all was well.
    Reread,
    /// A person is to be given a link.
    HandOver,
    /// And another in place of it.
    HandOverAnew,
    /// A person consents, so that the link is of no more use.
    Withdraw,
    /// Something is told for the first time.
    Tell,
    /// The same is told again.
    Repeat,
    /// There is no Lease yet.
    Elect,
    /// There is one that nobody holds.
    TakeOver,
}

impl Flow {
    /// What tells apart the flows that one verb has.
    pub fn suffix(self) -> &'static str {
        match self {
            Heal => "-heal",
            Delete => "-delete",
            Reread => "-reread",
            _ => "",
        }
    }

    /// Whether all is well before the verb is taken away.
    pub fn is_late(self) -> bool {
        matches!(self, Heal | Delete | Bring(..) | Reread | HandOverAnew | Withdraw)
    }

    /// Whether its trouble is told once, however often it is met.
    pub fn is_told_once(self) -> bool {
        matches!(self, Tell | Elect | TakeOver)
    }

    fn is_by_oauth(self) -> bool {
        matches!(self, HandOver | HandOverAnew | Withdraw)
    }

    fn connection(self, scene: &Scene) -> Value {
        if self.is_by_oauth() {
            scene.by_consent(CONNECTION, "productionOrg")
        } else {
            scene.connection(CONNECTION, "productionOrg")
        }
    }

    async fn apply(self, scene: &Scene) {
        scene.apply_all(&scene.everything()[..3]).await;
        scene.apply(&self.connection(scene)).await;
        if let Malformed(kind, name) = self {
            bring(scene, kind, name).await;
        }
    }

    /// Has an operator make all well.
    pub async fn settle(self, scene: &Scene) -> Operator {
        let operator = scene.operator().await;
        self.apply(scene).await;
        if self.is_by_oauth() {
            awaiting(scene).await;
        } else {
            scene.ready("Connection", CONNECTION).await;
        }
        if let Bring("DataActionTarget", _) = self {
            scene.data_cloud_ready().await;
        }
        operator
    }

    /// Does what needs the verb, which is missing since all was well.
    pub async fn disturb(self, scene: &Scene) {
        match self {
            Delete => scene.delete("Connection", CONNECTION).await,
            Bring(kind, name) => bring(scene, kind, name).await,
            Reread => drop(scene.apply(&scene.key("another")).await),
            HandOverAnew => {
                let other =
                    edit(self.connection(scene), |c| c["spec"]["loginURL"] = json!("https://test.salesforce.com"));
                scene.apply(&other).await;
            }
            Withdraw => drop(scene.simulator.control("POST", "/connections/productionOrg/consent", json!({})).await),
            _ => drop(scene.simulator.control("DELETE", "/connections/productionOrg", Value::Null).await),
        }
    }

    /// Does what needs the verb, which was never there.
    pub async fn begin(self, scene: &Scene) -> Operator {
        self.apply(scene).await;
        match self {
            Malformed(kind, name) => malform(scene, kind, name).await,
            TakeOver => {
                let name = json!({"name": "applink-operator"});
                let lease =
                    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": name, "spec": {}});
                scene.apply(&lease).await;
            }
            _ => {}
        }
        let flags = Flags { leader_elect: matches!(self, Elect | TakeOver), ..Flags::default() };
        let operator = scene.operator_unready(flags).await;
        match self {
            Rotate => {
                scene.ready("Connection", CONNECTION).await;
                scene.apply(&scene.key("another")).await;
            }
            Redraft => {
                bring(scene, "Publication", "orders-api").await;
                scene.ready("Publication", "orders-api").await;
                scene.apply(&document("2.0.0")).await;
            }
            Repeat => {
                scene.ready("Connection", CONNECTION).await;
                suspend(scene, true).await;
                suspend(scene, false).await;
            }
            _ => {}
        }
        operator
    }

    /// Waits until all is as it would have been.
    pub async fn recover(self, scene: &Scene) {
        match self {
            Create | Elect | TakeOver => {
                scene.ready("AppLinkAddon", "orders").await;
                scene.ready("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.mutating().await.len(), 1, "{}", scene.namespace);
            }
            Heal => {
                renewed(scene).await;
                assert_eq!(scene.simulator.mutating().await.len(), 2, "{}", scene.namespace);
            }
            Bring(kind, name) => drop(scene.ready(kind, name).await),
            Redraft => {
                let calls = async || scene.simulator.mutating().await;
                let again = async || (calls().await.len() == 3).then_some(());
                until("it is published again", PATIENCE, again, async || format!("{:?}", calls().await)).await;
            }
            Delete => {
                scene.wait_gone("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
            }
            // What is said in the status makes it readable again, so that it may be gone a moment later.
            Malformed(kind, name) => {
                scene.wait_event(name, "InvalidSpec").await;
                scene.wait(kind, name, "is readable", |object| !object.to_string().contains(UNREADABLE)).await;
            }
            Rotate | Reread => drop(scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await),
            HandOver | HandOverAnew => {
                let waiting = awaiting(scene).await;
                let secret = scene.get("Secret", SECRET).await.expect("it is there");
                assert_eq!(secret["metadata"]["annotations"]["applink.dev/link-for"], waiting["status"]["id"]);
                answer(&scene.link(CONNECTION).await, "allow", &[]).await;
                scene.ready("Connection", CONNECTION).await;
                let calls = if self == HandOver { 1 } else { 3 };
                assert_eq!(scene.simulator.mutating().await.len(), calls, "{}", scene.namespace);
            }
            Withdraw => {
                scene.ready("Connection", CONNECTION).await;
                assert_eq!(scene.get("Secret", SECRET).await, None);
            }
            Tell => {
                suspend(scene, true).await;
                scene.wait_event(CONNECTION, "Suspended").await;
            }
            Repeat => {
                suspend(scene, true).await;
                let told = async || scene.events(CONNECTION).await;
                let twice =
                    async || (told().await.iter().filter(|reason| *reason == "Suspended").count() == 2).then_some(());
                until("it is told again", PATIENCE, twice, async || format!("{:?}", told().await)).await;
            }
        }
    }
}

/// Applies an object of this kind, with what it needs beside the Connection.
async fn bring(scene: &Scene, kind: &str, name: &str) {
    let object = match kind {
        "Authorization" => scene.authorization(name, "batchUser"),
        "Publication" => scene.publication(name),
        "DataActionTarget" => scene.target(name, "customer_update"),
        _ => return,
    };
    if kind == "Publication" {
        scene.apply(&document("1.0.0")).await;
    }
    scene.apply(&object).await;
}

async fn awaiting(scene: &Scene) -> Value {
    scene.unready("Connection", CONNECTION, "AwaitingUser", "Reconciling").await
}

/// Waits until the Connection stands for a connection that exists.
async fn renewed(scene: &Scene) {
    let object = async || scene.get("Connection", CONNECTION).await.expect("it is there");
    let healed = async || {
        let object = object().await;
        let there = scene.simulator.connections().await.iter().any(|remote| remote["id"] == object["status"]["id"]);
        (there && is_ready(&object)).then_some(())
    };
    until("the Connection has the new id", PATIENCE, healed, async || text(&object().await, "/status/id").to_owned())
        .await;
}

async fn suspend(scene: &Scene, yes: bool) {
    scene.change("Connection", CONNECTION, json!({"spec": {"suspend": yes}})).await;
    let reason = if yes { "Suspended" } else { "Connected" };
    scene.wait("Connection", CONNECTION, reason, |object| has_reason(object, "True", reason)).await;
}

/// Makes the object one that cannot be read.
async fn malform(scene: &Scene, kind: &str, name: &str) {
    let ready = json!({
        "type": "Ready", "status": "Unknown", "reason": "Pending", "message": "odd", "lastTransitionTime": UNREADABLE,
    });
    scene.change_status(kind, name, json!({"status": {"conditions": [ready]}})).await;
}
