//! Short constructors for manifests as JSON.
//!
//! Applies nothing. `Scene` has those that refer to its simulator.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A key as the simulator setting `acceptedKeys` identifies it.
pub fn sha256(pem: &str) -> String {
    Sha256::digest(pem.trim()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A Secret with one key.
pub fn secret(name: &str, key: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value}})
}

/// The manifest after `change`.
pub fn edit(mut manifest: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut manifest);
    manifest
}

/// A minimal valid object of each of our kinds.
pub fn one_of_each_kind(name: &str) -> Vec<Value> {
    let specs = [
        ("AppLinkAddon", json!({"app": "orders-prod", "tokenSecretRef": {"name": "heroku-api", "key": "token"}})),
        (
            "Connection",
            json!({"addonRef": {"name": "orders"}, "connectionName": "someOrg", "provider": "Salesforce", "oauth": {}}),
        ),
        (
            "Authorization",
            json!({"addonRef": {"name": "orders"}, "developerName": "someUser", "provider": "Salesforce", "oauth": {}}),
        ),
        (
            "Publication",
            json!({"connectionRef": {"name": "some"}, "clientName": "SomeAPI", "apiSpec": {"inline": "openapi: 3.0.3"}}),
        ),
        (
            "DataActionTarget",
            json!({"connectionRef": {"name": "some"}, "label": "Some Target", "targetEndpoint": "/some"}),
        ),
    ];
    assert_eq!(specs.len(), applink_operator::crd::definitions().len(), "a kind is missing here");
    let object = |(kind, spec): &(&str, Value)| {
        let metadata = json!({"name": name});
        json!({"apiVersion": "applink.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    specs.iter().map(object).collect()
}
