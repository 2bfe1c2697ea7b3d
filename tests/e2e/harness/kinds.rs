//! Manifests of the other kinds on a scene's add-on and of their dependencies.
//!
//! Applies nothing.

use serde_json::{Value, json};

use super::scene::{CONNECTION, Scene};

/// The Data Cloud Connection of targets.
pub const DATA_CLOUD: &str = "customer-data";
/// The ConfigMap with the OpenAPI document under [`DOCUMENT_KEY`].
pub const DOCUMENT: &str = "orders-openapi";
/// The key in that ConfigMap.
pub const DOCUMENT_KEY: &str = "openapi.yaml";

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "applink.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// An OpenAPI document with this API version.
pub fn document(version: &str) -> Value {
    let text = format!(
        "openapi: 3.0.3\ninfo:\n  title: Orders\n  version: {version}\npaths:\n  /orders:\n    get:\n      operationId: list\n      \
         responses:\n        '200':\n          description: orders\n"
    );
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": DOCUMENT}, "data": {DOCUMENT_KEY: text}})
}

impl Scene {
    /// An Authorization by JWT on the scene's add-on.
    pub fn authorization(&self, name: &str, developer_name: &str) -> Value {
        let key = json!({"name": "sf-jwt", "key": "server.key"});
        let jwt = json!({"clientID": "3MVG9e2e", "username": "batch@example.com", "privateKeySecretRef": key});
        let spec = json!({
            "addonRef": {"name": "orders"}, "developerName": developer_name, "provider": "Salesforce", "jwt": jwt,
        });
        object("Authorization", name, spec)
    }

    /// A Publication of the scene's document through its Connection.
    pub fn publication(&self, name: &str) -> Value {
        let at = json!({"name": DOCUMENT, "key": DOCUMENT_KEY});
        let spec = json!({
            "connectionRef": {"name": CONNECTION}, "clientName": "OrdersAPI", "apiSpec": {"configMapKeyRef": at},
        });
        object("Publication", name, spec)
    }

    /// A Data Cloud Connection by OAuth.
    pub fn data_cloud(&self) -> Value {
        let mut connection = self.by_consent(DATA_CLOUD, "customerData");
        connection["spec"]["provider"] = json!("DataCloud");
        connection
    }

    /// Applies that Connection, consents, and waits until it is Ready.
    pub async fn data_cloud_ready(&self) -> Value {
        self.apply(&self.data_cloud()).await;
        self.unready("Connection", DATA_CLOUD, "AwaitingUser", "Reconciling").await;
        self.simulator.control("POST", "/connections/customerData/consent", json!({})).await;
        self.ready("Connection", DATA_CLOUD).await
    }

    /// A DataActionTarget on that Connection.
    pub fn target(&self, name: &str, api_name: &str) -> Value {
        let spec = json!({
            "connectionRef": {"name": DATA_CLOUD}, "label": "Customer Update Webhook", "apiName": api_name,
            "targetEndpoint": "/webhooks/customer-update", "type": "Webhook",
        });
        object("DataActionTarget", name, spec)
    }
}
