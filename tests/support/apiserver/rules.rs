//! How a write changes an object: preconditions, writable parts, server fields, defaults.
//! Pure: holds no object and reads no clock. The store calls it.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use super::resource::{Refusal, Resource, Result, text};

/// The part of an object that a write may change.
#[derive(Clone, Copy, PartialEq)]
pub enum Scope {
    Main,
    Status,
    /// Everything: only for tests that set up a world.
    Whole,
}

/// What the server sets on a created object.
pub struct ServerFields {
    pub version: u64,
    pub now: String,
}

const NAME: &str = "/metadata/name";
const VERSION: &str = "/metadata/resourceVersion";

/// Metadata that clients cannot set.
const SERVER_OWNED: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// The stored form of an object that a client creates.
pub fn created_object(
    resource: &'static Resource,
    namespace: &str,
    mut object: Value,
    scope: Scope,
    server_fields: &ServerFields,
) -> Result<Value> {
    if !text(&object, VERSION).is_empty() {
        let why = "resourceVersion should not be set on objects to be created";
        return Err(Refusal::bad_request(why));
    }
    let name = match text(&object, NAME) {
        "" => match text(&object, "/metadata/generateName") {
            "" => {
                let why = "metadata.name: Required value: name or generateName is required";
                return Err(Refusal::invalid(resource, "", why));
            }
            prefix => format!("{prefix}{:05}", server_fields.version),
        },
        name => name.to_owned(),
    };
    let fields = fields_of(&mut object)?;
    let mut meta = take_metadata(fields);
    for owned in SERVER_OWNED {
        meta.remove(owned);
    }
    // Derived from the version: unique, and the same when a failing test runs again.
    let uid = format!("00000000-0000-4000-8000-{:012x}", server_fields.version);
    meta.insert("name".into(), json!(name));
    meta.insert("uid".into(), json!(uid));
    meta.insert("creationTimestamp".into(), json!(server_fields.now));
    if resource.namespaced {
        meta.insert("namespace".into(), json!(namespace));
    }
    if resource.custom {
        meta.insert("generation".into(), json!(1));
    }
    if resource.custom && scope == Scope::Main {
        fields.remove("status");
    }
    fields.insert("metadata".into(), Value::Object(meta));
    normalize(resource, fields);
    Ok(object)
}

/// Applies `new` to `old`, within the scope and without server fields.
pub fn updated_object(resource: &'static Resource, old: &Value, mut new: Value, scope: Scope) -> Result<Value> {
    check_version(resource, old, &new)?;
    let fields = fields_of(&mut new)?;
    if resource.custom {
        let sent = fields.remove("status").unwrap_or_default();
        let status = match scope {
            Scope::Main => old["status"].clone(),
            Scope::Status | Scope::Whole => sent,
        };
        if scope == Scope::Status {
            // Includes metadata: the real server ignores even a foreign UID in a write of the status.
            fields.clone_from(old.as_object().expect("objects are kept as such"));
        }
        fields.insert("status".into(), status);
    }
    let mut meta = take_metadata(fields);
    let uid = meta.get("uid").and_then(Value::as_str).unwrap_or_default();
    if !uid.is_empty() && uid != text(old, "/metadata/uid") {
        let why = "metadata.uid: Invalid value: field is immutable";
        return Err(Refusal::invalid(resource, text(old, NAME), why));
    }
    for owned in SERVER_OWNED.iter().chain(&["name", "namespace"]) {
        match old["metadata"].get(*owned) {
            Some(value) => meta.insert((*owned).into(), value.clone()),
            None => meta.remove(*owned),
        };
    }
    fields.insert("metadata".into(), Value::Object(meta));
    normalize(resource, fields);
    let kept = finalizers(old);
    if is_deleting(old) && finalizers(&new).iter().any(|one| !kept.contains(one)) {
        let why = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(Refusal::invalid(resource, text(old, NAME), why));
    }
    if beside_status(old) != beside_status(&new) {
        bump_generation(&mut new);
    }
    Ok(new)
}

/// The resourceVersion of a write is its precondition.
fn check_version(resource: &'static Resource, old: &Value, new: &Value) -> Result<()> {
    let (wanted, actual) = (text(new, VERSION), text(old, VERSION));
    if wanted.is_empty() && !resource.unconditional {
        let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
        return Err(Refusal::invalid(resource, text(old, NAME), why));
    }
    if !wanted.is_empty() && wanted != actual {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Refusal::conflict(resource, text(old, NAME), why));
    }
    Ok(())
}

/// Normalises an object for storage, so that equal objects compare equal.
fn normalize(resource: &'static Resource, fields: &mut Map<String, Value>) {
    fields.insert("apiVersion".into(), json!(resource.api_version()));
    fields.insert("kind".into(), json!(resource.kind));
    if let Some(meta) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|_, value| !(value.is_null() || *value == json!({}) || *value == json!([]) || *value == json!("")));
    }
    if resource.custom && fields.get("status").is_none_or(Value::is_null) {
        fields.insert("status".into(), pending_status());
    }
    if let Some(Value::Object(strings)) = fields.remove("stringData") {
        let data = fields.entry("data").or_insert_with(|| json!({}));
        for (name, value) in strings {
            data[name] = json!(BASE64_STANDARD.encode(value.as_str().unwrap_or_default()));
        }
    }
}

/// The default of `status` in our CRDs.
fn pending_status() -> Value {
    json!({"observedGeneration": -1, "conditions": [{
        "type": "Ready", "status": "Unknown", "reason": "Pending", "message": "Waiting for controller",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]})
}

pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().map(|fields| fields.remove(name));
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn fields_of(object: &mut Value) -> Result<&mut Map<String, Value>> {
    let refusal = || Refusal::bad_request("the body is not an object");
    object.as_object_mut().ok_or_else(refusal)
}

fn take_metadata(fields: &mut Map<String, Value>) -> Map<String, Value> {
    match fields.remove("metadata") {
        Some(Value::Object(meta)) => meta,
        _ => Map::new(),
    }
}

/// Fields that count as desired state: all except metadata and status.
fn beside_status(object: &Value) -> Vec<(&String, &Value)> {
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(name, _)| *name != "metadata" && *name != "status").collect()
}

/// Kinds without a generation keep none.
pub fn bump_generation(object: &mut Value) {
    if let Some(generation) = object.pointer("/metadata/generation").and_then(Value::as_i64) {
        object["metadata"]["generation"] = json!(generation + 1);
    }
}

pub fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

pub fn finalizers(object: &Value) -> &[Value] {
    object.pointer("/metadata/finalizers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
