//! How kubectl, Flux and Argo CD see each phase of a Connection, including those that only a person's decision leads
//! to.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, Scene, condition_of, e2e, edit, has_reason, person, text};

const POST: &str = "POST connections/salesforce";
const RIGHT_ORG: &str = "00DSG000007a3BZ2AY";
const OTHER_ORG: &str = "00DSG00000DGEIr2AP";

async fn awaiting(scene: &Scene) -> Value {
    scene.unready("Connection", CONNECTION, "AwaitingUser", "Reconciling").await
}

async fn allow(scene: &Scene, org: &str) {
    person::answer(&scene.link(CONNECTION).await, "allow", &[("org_id", org)]).await;
}

#[test]
fn expired_link_is_replaced_on_request() {
    e2e("nobody", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&[scene.token(), scene.addon(), scene.by_consent(CONNECTION, "productionOrg")]).await;
        awaiting(scene).await;
        // AppLink may drop such a connection, long before a quarter of an hour is over.
        scene.simulator.control("DELETE", "/connections/productionOrg", Value::Null).await;
        let expired = |object: &Value| has_reason(object, "False", "AuthorizationExpired");
        scene.wait("Connection", CONNECTION, "says that the consent expired", expired).await;
        assert_eq!(scene.simulator.mutating().await, [POST], "a link is asked for once");

        scene.kubectl(&["annotate", "connection", CONNECTION, "applink.dev/requestedAt=now"], "").await;
        let waiting = awaiting(scene).await;
        assert_eq!(waiting["status"]["lastHandledReconcileAt"], "now");
        allow(scene, RIGHT_ORG).await;
        scene.ready("Connection", CONNECTION).await;

        let seen = scene.seen().await;
        assert!(seen.contains_key("Connection AuthorizationExpired: Failed, Degraded"), "{seen:?}");
    });
}

/// One state of each kind, with the verdicts of kstatus (which Flux uses) and Argo CD.
const PHASES: &[&str] = &[
    "Connection Pending: InProgress, Progressing",
    "Connection RateLimited: InProgress, Progressing",
    "Connection AwaitingUser: InProgress, Suspended",
    "Connection OrgMismatch: Failed, Degraded",
    "Connection Connected: Current, Healthy",
    "Connection Suspended: Current, Healthy",
    "Connection Deleting: Terminating, Progressing",
];

#[test]
fn every_phase_has_the_right_health_in_flux_and_argo_cd() {
    e2e("phases", async |scene| {
        let _operator = scene.operator().await;
        let limited = json!({"status": {"code": 429, "headers": {"Retry-After": "5"}}});
        scene.simulator.fault(json!({"method": "POST", "what": limited, "times": 1})).await;
        let pinned = |org: &str| {
            edit(scene.by_consent(CONNECTION, "productionOrg"), |c| c["spec"]["expect"] = json!({"orgID": org}))
        };
        scene.apply_all(&[scene.token(), scene.addon(), pinned(RIGHT_ORG)]).await;
        scene.unready("Connection", CONNECTION, "RateLimited", "Reconciling").await;
        awaiting(scene).await;
        allow(scene, OTHER_ORG).await;
        let seen = scene.unready("Connection", CONNECTION, "OrgMismatch", "Stalled").await;
        assert!(text(condition_of(&seen, "Ready"), "/message").contains(OTHER_ORG), "{seen:#}");
        scene.apply(&pinned(OTHER_ORG)).await;
        scene.ready("Connection", CONNECTION).await;
        scene.change("Connection", CONNECTION, json!({"spec": {"suspend": true}})).await;
        scene.wait("Connection", CONNECTION, "is suspended", |c| has_reason(c, "True", "Suspended")).await;
        scene.change("Connection", CONNECTION, json!({"spec": {"suspend": false}})).await;
        scene.wait("Connection", CONNECTION, "is not", |c| has_reason(c, "True", "Connected")).await;
        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;

        let seen = scene.seen().await;
        let unseen: Vec<_> = PHASES.iter().filter(|phase| !seen.contains_key(**phase)).collect();
        assert!(unseen.is_empty(), "{unseen:?} not among {seen:?}");
        assert_eq!(
            scene.simulator.mutating().await.iter().filter(|call| *call == POST).count(),
            2,
            "one call was limited"
        );
    });
}
