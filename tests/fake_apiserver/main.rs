//! The in-memory API server must behave like a real one wherever the operator depends on it.

mod controls;
#[path = "../support/mod.rs"]
mod support;
mod watches;
mod writes;

use std::time::Duration;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);
const FINALIZER: &str = "applink.dev/finalizer";

fn connection_type() -> ApiResource {
    let kind = GroupVersionKind::gvk("applink.dev", "v1alpha1", "Connection");
    ApiResource::from_gvk_with_plural(&kind, "connections")
}

fn connections(client: Client) -> Api<DynamicObject> {
    Api::namespaced_with(client, "crm", &connection_type())
}

fn connection(spec: Value) -> Value {
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Connection",
        "metadata": {"namespace": "crm", "name": "production"}, "spec": spec,
    })
}

fn dynamic(object: Value) -> DynamicObject {
    serde_json::from_value(object).expect("an object")
}

fn code<T: std::fmt::Debug>(outcome: kube::Result<T>) -> u16 {
    match outcome {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("not refused by the API: {other:?}"),
    }
}

async fn patch(api: &Api<DynamicObject>, patch: Value) -> kube::Result<DynamicObject> {
    let params = PatchParams::apply("applink-operator");
    api.patch("production", &params, &Patch::Merge(patch)).await
}

async fn patch_status(api: &Api<DynamicObject>, patch: Value) -> kube::Result<DynamicObject> {
    let params = PatchParams::default();
    api.patch_status("production", &params, &Patch::Merge(patch)).await
}
