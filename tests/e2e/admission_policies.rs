//! deploy/policies: each policy denies what it is for, allows the right manifest, leaves other namespaces alone, and never
//! hinders the operator.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::deploy::{rendered, source};
use crate::harness::{PATIENCE, Stage, e2e_alone, edit, text, until};

/// A namespace with the labels that the policies look for, and one without.
const STRICT: &str = "strict";
const FREE: &str = "free";
/// A member of the group of annotations-by-group.yaml, and somebody else. Both may do anything as far as RBAC goes.
const ADMIN: &[&str] = &["--as=ann", "--as-group=system:masters", "--as-group=applink-admins"];
const OTHER: &[&str] = &["--as=bob", "--as-group=system:masters"];

fn addon(app: &str) -> Value {
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "AppLinkAddon", "metadata": {"name": "orders"},
        "spec": {"app": app, "tokenSecretRef": {"name": "heroku-api", "key": "token"}},
    })
}

fn connection(spec: &Value) -> Value {
    let manifest = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "production"},
        "spec": {
            "addonRef": {"name": "orders"}, "connectionName": "productionOrg", "provider": "Salesforce",
            "deletionPolicy": "Orphan",
        },
    });
    edit(manifest, |manifest| {
        let ours = manifest["spec"].as_object_mut().expect("a spec");
        ours.extend(spec.as_object().expect("fields").clone());
    })
}

/// Without a person.
fn by_key(spec: &Value) -> Value {
    let key = json!({"name": "sf-jwt", "key": "server.key"});
    let jwt = json!({"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": key});
    edit(connection(spec), |manifest| manifest["spec"]["jwt"] = jwt)
}

fn annotated(name: &str) -> Value {
    let mut annotations = json!({});
    annotations[format!("applink.dev/{name}")] = json!("true");
    edit(by_key(&json!({})), |manifest| manifest["metadata"]["annotations"] = annotations)
}

/// A manifest that a policy denies to somebody, and a piece of the message.
type Denied = (&'static str, &'static str, &'static [&'static str], Value, &'static str);

fn denied() -> Vec<Denied> {
    let other_api =
        edit(addon("orders-prod"), |addon| addon["spec"]["platformURL"] = json!("https://evil.example.com"));
    let oauth = json!({"oauth": {}, "expect": {"username": "admin@example.com"}});
    vec![
        (
            "orphan-in-production",
            STRICT,
            OTHER,
            by_key(&json!({"deletionPolicy": "Delete"})),
            "set spec.deletionPolicy: Orphan",
        ),
        (
            "orphan-in-production",
            STRICT,
            OTHER,
            by_key(&json!({"replacePolicy": "DeleteAndRecreate"})),
            "spec.replacePolicy must be Never",
        ),
        ("allowed-apps", STRICT, OTHER, addon("orders-dev"), "the Heroku app orders-dev is not in key apps"),
        ("oauth-with-expect", FREE, OTHER, connection(&json!({"oauth": {}})), "set spec.expect.orgID"),
        ("oauth-with-expect", FREE, OTHER, connection(&oauth), "set spec.expect.orgID"),
        ("heroku-only", FREE, OTHER, other_api, "remove spec.platformURL"),
        ("annotations-by-group", FREE, OTHER, annotated("force-orphan"), "only members of the group applink-admins"),
        ("annotations-by-group", FREE, OTHER, annotated("confirm-cascade"), "only members of the group applink-admins"),
    ]
}

/// What each policy allows.
fn allowed() -> Vec<(&'static str, &'static [&'static str], Value)> {
    let pinned = json!({"oauth": {}, "expect": {"orgID": "00DSG000007a3BZ2AY"}});
    vec![
        (STRICT, OTHER, by_key(&json!({}))),
        (STRICT, OTHER, addon("orders-prod")),
        (STRICT, OTHER, addon("orders-stage")),
        (FREE, OTHER, by_key(&json!({"deletionPolicy": "Delete", "replacePolicy": "DeleteAndRecreate"}))),
        (FREE, OTHER, addon("orders-dev")),
        (FREE, OTHER, connection(&pinned)),
        (FREE, OTHER, connection(&json!({"oauth": {}, "managementPolicy": "Observe"}))),
        (FREE, ADMIN, annotated("force-orphan")),
        (FREE, ADMIN, annotated("confirm-cascade")),
    ]
}

async fn try_create(stage: &Stage, namespace: &str, who: &[&str], manifest: &Value) -> (bool, String) {
    let dry = ["--namespace", namespace, "create", "--dry-run=server", "-f", "-"];
    stage.try_kubectl(&[&dry, who].concat(), &manifest.to_string()).await
}

async fn namespaces(stage: &Stage) {
    for name in [STRICT, FREE] {
        stage.kubectl(&["create", "namespace", name], "").await;
    }
    let labels = ["label", "namespace", STRICT, "applink.dev/tier=production", "applink.dev/apps=listed"];
    stage.kubectl(&labels, "").await;
}

/// Waits until the API server enforces each policy, which takes it seconds.
async fn assert_denied(stage: &Stage) {
    for (policy, namespace, who, manifest, piece) in denied() {
        let policy = format!("applink-{policy}");
        let refused = async || {
            let (ok, said) = try_create(stage, namespace, who, &manifest).await;
            (!ok && said.contains(piece) && said.contains(&policy)).then_some(())
        };
        let explain = async || try_create(stage, namespace, who, &manifest).await.1;
        until(&format!("{policy} denies it: {piece}"), PATIENCE, refused, explain).await;
    }
}

async fn assert_no_app_without_list(stage: &Stage) {
    let refused = async || {
        let (ok, said) = try_create(stage, STRICT, OTHER, &addon("orders-prod")).await;
        (!ok && said.contains("no params found")).then_some(())
    };
    let explain = async || try_create(stage, STRICT, OTHER, &addon("orders-prod")).await.1;
    until("no app is allowed without the ConfigMap", PATIENCE, refused, explain).await;
}

#[test]
fn policies_deny_and_allow() {
    e2e_alone("guardrails", async |stage| {
        stage.kubectl(&["apply", "--server-side", "-k", source("crds").to_str().expect("UTF-8")], "").await;
        stage.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "").await;
        namespaces(stage).await;
        // Older than the policies, which would refuse it.
        let old = edit(by_key(&json!({"deletionPolicy": "Delete"})), |old| {
            old["metadata"] = json!({"name": "old", "finalizers": ["applink.dev/finalizer"]});
        });
        stage.kubectl(&["--namespace", STRICT, "create", "-f", "-"], &old.to_string()).await;

        let directory = source("deploy/policies");
        let said = stage.kubectl(&["apply", "-k", directory.to_str().expect("UTF-8")], "").await;
        assert!(!said.contains("Warning"), "{said}");
        assert_no_app_without_list(stage).await;
        let apps = "--from-literal=apps=orders-prod\norders-stage\n";
        stage.kubectl(&["--namespace", STRICT, "create", "configmap", "applink-allowed-apps", apps], "").await;
        assert_denied(stage).await;
        for (namespace, who, manifest) in allowed() {
            let created = async || try_create(stage, namespace, who, &manifest).await.0.then_some(());
            let explain = async || try_create(stage, namespace, who, &manifest).await.1;
            until(&format!("it is allowed in {namespace}: {manifest}"), PATIENCE, created, explain).await;
        }
        assert_operator_is_free(stage).await;
        assert_every_policy_is_tested(&rendered(stage.kubectl_path(), &directory));
    });
}

/// What the operator does to an object that the policies would refuse today: annotations, status, finalizer.
async fn assert_operator_is_free(stage: &Stage) {
    let patch = async |patch: Value, more: &[&str]| {
        let patch = patch.to_string();
        let arguments = ["--namespace", STRICT, "patch", "connection", "old", "--type=merge", "-p", &patch];
        stage.kubectl(&[&arguments, more, OTHER].concat(), "").await;
    };
    patch(json!({"metadata": {"annotations": {"applink.dev/intent": "{}"}}}), &[]).await;
    patch(json!({"status": {"remoteStatus": "connected"}}), &["--subresource=status"]).await;
    stage.kubectl(&["--namespace", STRICT, "delete", "connection", "old", "--wait=false"], "").await;
    patch(json!({"metadata": {"finalizers": null}}), &[]).await;
    stage.kubectl(&["--namespace", STRICT, "wait", "--for=delete", "connection/old", "--timeout=60s"], "").await;
}

fn assert_every_policy_is_tested(policies: &[Value]) {
    let policies = policies.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicy");
    let there: BTreeSet<_> = policies.map(|policy| text(policy, "/metadata/name").to_owned()).collect();
    let tested: BTreeSet<_> = denied().iter().map(|row| format!("applink-{}", row.0)).collect();
    assert_eq!(there, tested);
}
