//! The life of a release: install, upgrade, roll back, uninstall, install again, and the way from kustomize. AppLink must
//! not notice any of it.

use serde_json::{Value, json};

use super::{on_chart, rendered};
use crate::harness::deploy::source;
use crate::harness::{CONNECTION, Operator, Scene, Stage, document, e2e_alone, text};
use crate::install::{HOME, assert_pod_is_admitted, flags, install};

/// Runs a command of Helm on the chart, which must succeed.
async fn helm(stage: &Stage, command: &str, options: &[&str]) -> String {
    let (ok, said) = on_chart(stage, command, options).await;
    assert!(ok, "helm {command} {options:?}: {said}");
    said
}

/// Starts the operator that the chart installs with these options.
async fn operator(scene: &Scene, options: &[&str]) -> Operator {
    scene.operator_with(flags(&rendered(&scene.stage, options).await)).await
}

async fn stop(mut operator: Operator) {
    operator.terminate();
    operator.ended().await;
}

/// What the scene has, as kind and name.
const OBJECTS: [(&str, &str); 4] =
    [("AppLinkAddon", "orders"), ("Connection", CONNECTION), ("Authorization", "batch"), ("Publication", "api")];

async fn all_ready(scene: &Scene) {
    scene.apply_all(&scene.everything()).await;
    let dependants = [scene.authorization("batch", "batchUser"), document("1.0.0"), scene.publication("api")];
    scene.apply_all(&dependants).await;
    for (kind, name) in OBJECTS {
        scene.ready(kind, name).await;
    }
}

/// Has each object reconciled, and asserts that all are Ready and that nothing was changed in AppLink since `seq`.
async fn assert_found(scene: &Scene, seq: u64, round: &str) {
    let request = json!({"metadata": {"annotations": {"applink.dev/requestedAt": round}}});
    for (kind, name) in OBJECTS {
        scene.change(kind, name, request.clone()).await;
        let handled = |object: &Value| text(object, "/status/lastHandledReconcileAt") == round;
        scene.wait(kind, name, "is reconciled", handled).await;
        scene.ready(kind, name).await;
    }
    let asked = scene.simulator.requests_since(seq).await;
    assert!(!asked.is_empty(), "{round}: it polls");
    let changes: Vec<_> = asked.iter().filter(|request| request["mutating"] == json!(true)).collect();
    assert_eq!(changes, Vec::<&Value>::new(), "{round}");
}

/// Every metric in the alerts of the chart is one that the operator serves.
async fn assert_alerts_know(stage: &Stage, served: &str) {
    let objects = rendered(stage, &["--set", "metrics.prometheusRule.enabled=true"]).await;
    let rule = objects.iter().find(|object| object["kind"] == "PrometheusRule").expect("the alerts");
    let alerts = rule["spec"]["groups"][0]["rules"].as_array().expect("alerts");
    let metrics = alerts.iter().flat_map(|alert| {
        let words = text(alert, "/expr").split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let metrics: Vec<_> = words.filter(|word| word.starts_with("applink_")).collect();
        assert!(!metrics.is_empty(), "an alert about nothing: {alert}");
        metrics
    });
    for metric in metrics {
        assert!(
            served
                .lines()
                .any(|line| line.starts_with(&format!("{metric}{{")) || line.starts_with(&format!("{metric} "))),
            "{metric}: {served}"
        );
    }
}

async fn status_of_release(stage: &Stage) -> (i64, String) {
    let said = stage.helm(&["status", super::RELEASE, "--namespace", HOME, "--output", "json"]).await;
    let release: Value = serde_json::from_str(&said).expect("JSON");
    (release["version"].as_i64().expect("a revision"), text(&release, "/info/status").to_owned())
}

async fn replicas(stage: &Stage) -> String {
    let path = "jsonpath={.spec.replicas}";
    stage.kubectl(&["--namespace", HOME, "get", "deployment", "applink-operator", "-o", path], "").await
}

#[test]
fn release_lives_and_leaves_the_objects() {
    e2e_alone("helm", async |stage| {
        let said = helm(stage, "install", &["--create-namespace"]).await;
        assert!(said.contains("works in all namespaces") && said.contains("kubectl get applink -A"), "{said}");
        stage.kubectl(&["label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted"], "").await;
        assert_pod_is_admitted(stage, &rendered(stage, &[]).await).await;
        let scene = stage.bare_scene("crm").await;
        let first = operator(&scene, &[]).await;
        all_ready(&scene).await;
        assert_alerts_know(stage, &first.metrics().await).await;
        let seq = scene.simulator.last_request().await;
        stop(first).await;

        let narrower = ["--set", "replicaCount=3,namespaces={crm}"];
        helm(stage, "upgrade", &narrower).await;
        assert_eq!(replicas(stage).await, "3");
        let second = operator(&scene, &narrower).await;
        assert_found(&scene, seq, "upgraded").await;
        stop(second).await;

        stage.helm(&["rollback", super::RELEASE, "1", "--namespace", HOME]).await;
        assert_eq!(status_of_release(stage).await, (3, "deployed".to_owned()));
        assert_eq!(replicas(stage).await, "2");
        let third = operator(&scene, &[]).await;
        assert_found(&scene, seq, "rolled-back").await;
        stop(third).await;

        let said = stage.helm(&["uninstall", super::RELEASE, "--namespace", HOME]).await;
        assert!(said.contains("These resources were kept") && said.contains("connections.applink.dev"), "{said}");
        for (kind, name) in OBJECTS {
            let kept = scene.get(kind, name).await.expect("it is kept");
            assert!(kept["metadata"]["deletionTimestamp"].is_null(), "{kept:#}");
        }

        helm(stage, "install", &[]).await;
        let fourth = operator(&scene, &[]).await;
        assert_found(&scene, seq, "installed-again").await;
        stage.kubectl(&["--namespace", "crm", "delete", "applink", "--all", "--timeout=120s"], "").await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
        stop(fourth).await;
    });
}

/// As docs/install.md says.
#[test]
fn kustomize_installation_becomes_a_release() {
    e2e_alone("helm-kustomize", async |stage| {
        let installed = install(stage, &source("deploy/base")).await;
        let scene = stage.bare_scene("crm").await;
        let first = scene.operator_with(flags(&installed)).await;
        all_ready(&scene).await;
        let seq = scene.simulator.last_request().await;
        stop(first).await;

        let (ok, said) = on_chart(stage, "install", &[]).await;
        assert!(!ok && said.contains("invalid ownership metadata"), "{said}");
        stage.kubectl(&["--namespace", HOME, "delete", "deployment", "applink-operator"], "").await;
        helm(stage, "install", &["--take-ownership", "--force-conflicts"]).await;
        let second = operator(&scene, &[]).await;
        assert_found(&scene, seq, "released").await;
        helm(stage, "upgrade", &["--set", "logFilter=debug"]).await;
        assert_found(&scene, seq, "upgraded").await;
        stop(second).await;
    });
}
