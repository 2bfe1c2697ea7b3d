//! Flows that need a verb: how a scene gets to the point where it is missing, and what must hold after it is granted
//! again.
//!
//! Takes no verb away; `rbac` does.

use serde_json::{Value, json};

use crate::harness::person::answer;
use crate::harness::{CONNECTION, Flags, Operator, PATIENCE, Scene, document, edit, has_reason, is_ready, text, until};

use Flow::{
    Bring, Create, Delete, DeleteLink, Elect, Malformed, Recreate, Redraft, Repeat, ReplaceLink, Reread, Rotate,
    StoreLink, TakeOver, Tell,
};

/// The OAuth Secret.
const SECRET: &str = "production-connection-oauth";

/// A time that the API server accepts and the operator cannot parse.
const UNREADABLE: &str = "2026-01-01T00:00:00+99:99";

/// What needs the verb.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Everything is applied before the operator starts.
    Create,
    /// A connection vanishes from AppLink.
    Recreate,
    /// A Connection is deleted.
    Delete,
    /// This object is applied, with a Ready Connection.
    Bring(&'static str, &'static str),
    /// The document of a Publication changes, which a watch must notice.
    Redraft,
    /// This object is malformed.
    Malformed(&'static str, &'static str),
    /// A private key is rotated, which a watch must notice.
    Rotate,
    /// A private key is rotated after everything was Ready.
    Reread,
    /// A person needs a consent link.
    StoreLink,
    /// The link is replaced by another.
    ReplaceLink,
    /// A person consents, so that the link is no longer needed.
    DeleteLink,
    /// An Event is published for the first time.
    Tell,
    /// The same Event is repeated.
    Repeat,
    /// There is no Lease yet.
    Elect,
    /// There is a Lease without a holder.
    TakeOver,
}

impl Flow {
    /// Distinguishes flows with the same verb.
    pub fn suffix(self) -> &'static str {
        match self {
            Recreate => "-drift",
            Delete => "-delete",
            Reread => "-reread",
            _ => "",
        }
    }

    /// Whether everything is Ready before the verb is taken away.
    pub fn is_late(self) -> bool {
        matches!(self, Recreate | Delete | Bring(..) | Reread | ReplaceLink | DeleteLink)
    }

    /// Whether the problem is reported only once.
    pub fn is_reported_once(self) -> bool {
        matches!(self, Tell | Elect | TakeOver)
    }

    fn is_by_oauth(self) -> bool {
        matches!(self, StoreLink | ReplaceLink | DeleteLink)
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

    /// Waits until an operator has made everything Ready.
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

    /// Triggers the need for the verb, which was taken away at rest.
    pub async fn disturb(self, scene: &Scene) {
        match self {
            Delete => scene.delete("Connection", CONNECTION).await,
            Bring(kind, name) => bring(scene, kind, name).await,
            Reread => drop(scene.apply(&scene.key("another")).await),
            ReplaceLink => {
                let other =
                    edit(self.connection(scene), |c| c["spec"]["loginURL"] = json!("https://test.salesforce.com"));
                scene.apply(&other).await;
            }
            DeleteLink => drop(scene.simulator.control("POST", "/connections/productionOrg/consent", json!({})).await),
            _ => drop(scene.simulator.control("DELETE", "/connections/productionOrg", Value::Null).await),
        }
    }

    /// Triggers the need for the verb, which was missing from the start.
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

    /// Waits until everything is as without the missing verb.
    pub async fn recover(self, scene: &Scene) {
        match self {
            Create | Elect | TakeOver => {
                scene.ready("AppLinkAddon", "orders").await;
                scene.ready("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.mutating().await.len(), 1, "{}", scene.namespace);
            }
            Recreate => {
                renewed(scene).await;
                assert_eq!(scene.simulator.mutating().await.len(), 2, "{}", scene.namespace);
            }
            Bring(kind, name) => drop(scene.ready(kind, name).await),
            Redraft => {
                let calls = async || scene.simulator.mutating().await;
                let again = async || (calls().await.len() == 3).then_some(());
                until("it is republished", PATIENCE, again, async || format!("{:?}", calls().await)).await;
            }
            Delete => {
                scene.wait_gone("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
            }
            // The report in the status replaces the unreadable value, so the object may be gone a moment later.
            Malformed(kind, name) => {
                scene.wait_event(name, "InvalidSpec").await;
                scene.wait(kind, name, "is readable", |object| !object.to_string().contains(UNREADABLE)).await;
            }
            Rotate | Reread => drop(scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await),
            StoreLink | ReplaceLink => {
                let waiting = awaiting(scene).await;
                let secret = scene.get("Secret", SECRET).await.expect("it exists");
                assert_eq!(secret["metadata"]["annotations"]["applink.dev/link-for"], waiting["status"]["id"]);
                answer(&scene.link(CONNECTION).await, "allow", &[]).await;
                scene.ready("Connection", CONNECTION).await;
                let calls = if self == StoreLink { 1 } else { 3 };
                assert_eq!(scene.simulator.mutating().await.len(), calls, "{}", scene.namespace);
            }
            DeleteLink => {
                scene.ready("Connection", CONNECTION).await;
                assert_eq!(scene.get("Secret", SECRET).await, None);
            }
            Tell => {
                suspend(scene, true).await;
                scene.wait_event(CONNECTION, "Suspended").await;
            }
            Repeat => {
                suspend(scene, true).await;
                let reported = async || scene.events(CONNECTION).await;
                let twice = async || {
                    (reported().await.iter().filter(|reason| *reason == "Suspended").count() == 2).then_some(())
                };
                until("it is reported again", PATIENCE, twice, async || format!("{:?}", reported().await)).await;
            }
        }
    }
}

/// Applies an object of this kind with its dependencies other than the Connection.
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

/// Waits until the Connection's ID is that of an existing connection.
async fn renewed(scene: &Scene) {
    let object = async || scene.get("Connection", CONNECTION).await.expect("it exists");
    let recreated = async || {
        let object = object().await;
        let there = scene.simulator.connections().await.iter().any(|remote| remote["id"] == object["status"]["id"]);
        (there && is_ready(&object)).then_some(())
    };
    until("the Connection has the new id", PATIENCE, recreated, async || {
        text(&object().await, "/status/id").to_owned()
    })
    .await;
}

async fn suspend(scene: &Scene, yes: bool) {
    scene.change("Connection", CONNECTION, json!({"spec": {"suspend": yes}})).await;
    let reason = if yes { "Suspended" } else { "Connected" };
    scene.wait("Connection", CONNECTION, reason, |object| has_reason(object, "True", reason)).await;
}

/// Makes the object malformed.
async fn malform(scene: &Scene, kind: &str, name: &str) {
    let ready = json!({
        "type": "Ready", "status": "Unknown", "reason": "Pending", "message": "odd", "lastTransitionTime": UNREADABLE,
    });
    scene.change_status(kind, name, json!({"status": {"conditions": [ready]}})).await;
}
