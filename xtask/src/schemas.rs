//! JSON schemas of the kinds, for editors and for checks without a cluster: strict, so that a misspelt field is an error.
//!
//! Pure: `main` writes them. The names of the files follow the catalogue of CRD schemas that editors and kubeconform know.
//! CEL rules are not in them: only an API server checks those.

use anyhow::Context;
use applink_operator::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

/// Each file with its name and its text.
pub fn files() -> anyhow::Result<Vec<(String, String)>> {
    crd::definitions().iter().map(file).collect()
}

fn file(definition: &CustomResourceDefinition) -> anyhow::Result<(String, String)> {
    let spec = &definition.spec;
    let kind = &spec.names.kind;
    let version = spec.versions.iter().find(|version| version.storage).context("a stored version")?;
    let open_api = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let mut schema = serde_json::to_value(open_api.context("a schema")?)?;
    let properties = schema["properties"].as_object_mut().context("properties")?;
    properties.insert("apiVersion".to_owned(), json!({"const": format!("{}/{}", spec.group, version.name)}));
    properties.insert("kind".to_owned(), json!({"const": kind}));
    properties.insert("metadata".to_owned(), json!({"type": "object"}));
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    let mut schema = strict(schema);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(kind);
    let name = format!("{}/{}_{}.json", spec.group, kind.to_ascii_lowercase(), version.name);
    Ok((name, serde_json::to_string_pretty(&schema)? + "\n"))
}

/// A schema of OpenAPI as one of JSON Schema: no keywords of Kubernetes, `null` where it is allowed, and no field that is
/// not listed.
fn strict(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => Value::Object(strict_fields(fields)),
        Value::Array(items) => items.into_iter().map(strict).collect(),
        other => other,
    }
}

fn strict_fields(mut fields: Map<String, Value>) -> Map<String, Value> {
    let is_schema = fields.get("type").is_some_and(Value::is_string);
    if is_schema && fields.contains_key("properties") {
        fields.insert("additionalProperties".to_owned(), json!(false));
    }
    if is_schema && fields.get("nullable") == Some(&json!(true)) {
        let null_too = json!([fields["type"], "null"]);
        fields.insert("type".to_owned(), null_too);
        if let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    }
    if is_schema {
        fields.retain(|name, _| name != "nullable" && !name.starts_with("x-kubernetes-"));
    }
    // A default or an example is a value, not a schema.
    fields
        .into_iter()
        .map(|(name, value)| if name == "default" { (name, value) } else { (name, strict(value)) })
        .collect()
}
