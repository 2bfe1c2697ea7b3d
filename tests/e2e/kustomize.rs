//! kustomize renames objects: with the configuration in deploy/kustomize, references follow.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::deploy::{rendered, source};
use crate::harness::{Scene, Stage, e2e_together, text};

/// Renders an overlay over a copy of deploy/.
fn build(stage: &Stage, scene: &Scene, name: &str, kustomization: &Value) -> Vec<Value> {
    let dir = scene.dir.join(name);
    std::fs::create_dir(&dir).expect("a directory");
    std::fs::write(dir.join("kustomization.yaml"), kustomization.to_string()).expect("a file");
    std::fs::write(dir.join("openapi.yaml"), "openapi: 3.0.3\n").expect("a file");
    std::fs::write(dir.join("metadata.xml"), "<Metadata/>\n").expect("a file");
    std::fs::write(dir.join("objects.yaml"), OBJECTS).expect("a file");
    rendered(stage.kubectl_path(), &dir)
}

fn copy_of_deploy(scene: &Scene) {
    let copied = std::process::Command::new("cp").arg("-R").arg(source("deploy")).arg(&scene.dir).status();
    assert!(copied.expect("cp").success());
}

/// Objects that have every reference.
const OBJECTS: &str = "\
{apiVersion: applink.dev/v1alpha1, kind: AppLinkAddon, metadata: {name: orders}, spec: {app: orders, tokenSecretRef: {name: heroku-api, key: token}}}
---
{apiVersion: applink.dev/v1alpha1, kind: Connection, metadata: {name: production}, spec: {addonRef: {name: orders}, connectionName: orders, jwt: {privateKeySecretRef: {name: sf-jwt, key: server.key}}}}
---
{apiVersion: applink.dev/v1alpha1, kind: Authorization, metadata: {name: batch}, spec: {addonRef: {name: orders}, developerName: orders, credentialsSecretName: batch-credentials, jwt: {privateKeySecretRef: {name: sf-jwt, key: server.key}}}}
---
{apiVersion: applink.dev/v1alpha1, kind: Publication, metadata: {name: api}, spec: {connectionRef: {name: production}, clientName: production, apiSpec: {configMapKeyRef: {name: document, key: openapi.yaml}}, permissionSet: {metadataConfigMapKeyRef: {name: metadata, key: metadata.xml}}, connectedApp: {metadataConfigMapKeyRef: {name: metadata, key: metadata.xml}}}}
---
{apiVersion: applink.dev/v1alpha1, kind: Publication, metadata: {name: named}, spec: {connectionRef: {name: elsewhere}, permissionSet: {name: metadata}, externalClientApp: {name: metadata}, connectedApp: {name: metadata}}}
---
{apiVersion: applink.dev/v1alpha1, kind: DataActionTarget, metadata: {name: updates}, spec: {connectionRef: {name: production}, label: orders}}
";

/// Kind, name before the build, and the field with its referent: the name of a kind, or `=` and a literal.
const REFERENCES: &[(&str, &str, &str, &str, &str)] = &[
    ("AppLinkAddon", "orders", "/spec/tokenSecretRef/name", "Secret", "heroku-api"),
    ("AppLinkAddon", "orders", "/spec/app", "=", "orders"),
    ("Connection", "production", "/spec/addonRef/name", "AppLinkAddon", "orders"),
    ("Connection", "production", "/spec/jwt/privateKeySecretRef/name", "Secret", "sf-jwt"),
    ("Connection", "production", "/spec/connectionName", "=", "orders"),
    ("Authorization", "batch", "/spec/addonRef/name", "AppLinkAddon", "orders"),
    ("Authorization", "batch", "/spec/jwt/privateKeySecretRef/name", "Secret", "sf-jwt"),
    ("Authorization", "batch", "/spec/developerName", "=", "orders"),
    ("Authorization", "batch", "/spec/credentialsSecretName", "=", "batch-credentials"),
    ("Publication", "api", "/spec/connectionRef/name", "Connection", "production"),
    ("Publication", "api", "/spec/clientName", "=", "production"),
    ("Publication", "api", "/spec/apiSpec/configMapKeyRef/name", "ConfigMap", "document"),
    ("Publication", "api", "/spec/permissionSet/metadataConfigMapKeyRef/name", "ConfigMap", "metadata"),
    ("Publication", "api", "/spec/connectedApp/metadataConfigMapKeyRef/name", "ConfigMap", "metadata"),
    ("Publication", "named", "/spec/connectionRef/name", "=", "elsewhere"),
    ("Publication", "named", "/spec/permissionSet/name", "=", "metadata"),
    ("DataActionTarget", "updates", "/spec/connectionRef/name", "Connection", "production"),
];

/// The object of this kind that had this name before the build, whatever its prefix and suffix.
fn one<'a>(built: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_it = |object: &&Value| object["kind"] == kind && text(object, "/metadata/name").contains(name);
    let found: Vec<_> = built.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{kind} {name}: {built:#?}");
    found[0]
}

fn assert_references(built: &[Value]) {
    for (kind, name, pointer, target, wanted) in REFERENCES {
        let found = text(one(built, kind, name), pointer);
        let wanted = if *target == "=" { *wanted } else { text(one(built, target, wanted), "/metadata/name") };
        assert_eq!(found, wanted, "{kind} {name} {pointer}");
    }
}

/// An overlay with one object of each kind and their referents. `change` is the transformation under test.
fn overlay(change: Value) -> Value {
    let mut overlay = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["../deploy/kustomize", "objects.yaml"],
        "secretGenerator": [
            {"name": "heroku-api", "literals": ["token=t"]}, {"name": "sf-jwt", "literals": ["server.key=k"]},
        ],
        "configMapGenerator": [
            {"name": "document", "files": ["openapi.yaml"]}, {"name": "metadata", "files": ["metadata.xml"]},
        ],
    });
    let change = change.as_object().expect("an object").clone();
    overlay.as_object_mut().expect("an object").extend(change);
    overlay
}

#[test]
fn references_follow_kustomize_renames() {
    e2e_together("kustomize", async |stage| {
        let scene = stage.bare_scene("kustomize").await;
        copy_of_deploy(&scene);
        let plain = json!({"disableNameSuffixHash": true});
        for (name, change) in [
            ("prefix", json!({"namePrefix": "dev-", "generatorOptions": plain})),
            ("suffix", json!({"nameSuffix": "-dev", "generatorOptions": plain})),
            ("hashes", json!({})),
            ("all", json!({"namePrefix": "dev-", "nameSuffix": "-x", "namespace": "crm"})),
        ] {
            let built = build(stage, &scene, name, &overlay(change));
            assert_references(&built);
            let document = text(one(&built, "ConfigMap", "document"), "/metadata/name");
            assert_ne!(document, "document", "{name} changes names");
        }
        let over = json!({"resources": ["../prefix"], "nameSuffix": "-again"});
        assert_references(&build(stage, &scene, "over", &over));

        // The samples include it, so it may occur twice.
        for (name, resources) in
            [("samples", json!(["../deploy/samples"])), ("twice", json!(["../deploy/kustomize", "../deploy/samples"]))]
        {
            let built = build(stage, &scene, name, &json!({"namePrefix": "dev-", "resources": resources}));
            let publication = one(&built, "Publication", "orders-api");
            assert_eq!(text(publication, "/spec/connectionRef/name"), "dev-production");
            assert_eq!(text(publication, "/spec/apiSpec/configMapKeyRef/name"), "dev-orders-openapi");
        }
    });
}

/// Every reference field in the CRDs has a rule, including future ones.
#[test]
fn every_crd_reference_has_a_kustomize_rule() {
    e2e_together("kustomize-rules", async |stage| {
        let rules = std::fs::read_to_string(source("deploy/kustomize/name-references.yaml")).expect("the rules");
        let rules: Value = serde_saphyr::from_str(&rules).expect("YAML");
        let mut ruled: Vec<String> = Vec::new();
        for rule in rules["nameReference"].as_array().expect("rules") {
            for field in rule["fieldSpecs"].as_array().expect("fields") {
                ruled.push(format!("{} {}", text(field, "/kind"), text(field, "/path")));
            }
        }
        let mut there = Vec::new();
        for crd in rendered(stage.kubectl_path(), Path::new(&source("crds"))) {
            let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            references(spec, &format!("{} spec", text(&crd, "/spec/names/kind")), &mut there);
        }
        ruled.sort();
        there.sort();
        assert_eq!(ruled, there);
    });
}

/// The paths of all fields whose name ends in `Ref`.
fn references(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        if name.ends_with("Ref") {
            found.push(format!("{path}/name"));
        }
        references(inner, &path, found);
    }
}
