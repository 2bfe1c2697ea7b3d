//! Reads one key of a Secret or a ConfigMap from the API server. The operator keeps neither.
//!
//! Reports why a key cannot be used. The kinds call it while they gather.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::ObjectMeta;
use secrecy::SecretString;

use crate::conditions::ConditionReport;
use crate::control::context::Context;
use crate::control::error::Error;
use crate::crd::{ConfigMapKeyRef, Reason, SecretKeyRef, is_object_name};

/// Why nothing can be read under this name, if so: it is none that Kubernetes allows. `field` names it in the spec.
fn unusable_name(kind: &str, field: &str, name: &str) -> Option<ConditionReport> {
    let text = || {
        format!(
            "{field}.name is {name:?}, which cannot be the name of a {kind}: use lower case letters, digits, '-' and '.', \
             without blanks"
        )
    };
    (!is_object_name(name)).then(|| ConditionReport::stalled(Reason::InvalidSpec, text()))
}

/// One key of a Secret or a ConfigMap, and which version of the object it is from.
pub(super) struct Read<T> {
    pub(super) content: T,
    pub(super) version: String,
}

/// Tells one version of an object from all others.
pub(super) fn version_of(meta: &ObjectMeta) -> String {
    format!("{}/{}", meta.uid.as_deref().unwrap_or_default(), meta.resource_version.as_deref().unwrap_or_default())
}

/// Reads one key of the ConfigMap that `field` of the spec names, now.
pub(super) async fn config_map(
    ctx: &Context,
    namespace: &str,
    field: &str,
    at: &ConfigMapKeyRef,
) -> Result<Result<Read<Vec<u8>>, ConditionReport>, Error> {
    if let Some(report) = unusable_name("ConfigMap", field, &at.name) {
        return Ok(Err(report));
    }
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), namespace);
    let found = ctx.denied.read(namespace, ("configmaps", &at.name), ctx.clock.now(), api.get_opt(&at.name)).await;
    let found = found.map_err(Error::kube(format!("get ConfigMap {namespace}/{}", at.name)))?;
    let missing = |what: String| Ok(Err(ConditionReport::in_progress(Reason::ConfigMapNotFound, what)));
    let Some(found) = found else {
        return missing(format!("ConfigMap {} does not exist in this namespace; waiting for it", at.name));
    };
    let version = version_of(&found.metadata);
    let text = found.data.unwrap_or_default().remove(&at.key).map(String::into_bytes);
    match text.or_else(|| Some(found.binary_data?.remove(&at.key)?.0)) {
        Some(content) => Ok(Ok(Read { content, version })),
        None => missing(format!("ConfigMap {} has no key {}; waiting for it", at.name, at.key)),
    }
}

/// Reads one key of the Secret that `field` of the spec names, now: Secrets are never kept.
pub(super) async fn secret(
    ctx: &Context,
    namespace: &str,
    field: &str,
    at: &SecretKeyRef,
) -> Result<Result<Read<SecretString>, ConditionReport>, Error> {
    if let Some(report) = unusable_name("Secret", field, &at.name) {
        return Ok(Err(report));
    }
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let found = ctx.denied.read(namespace, ("secrets", &at.name), ctx.clock.now(), api.get_opt(&at.name)).await;
    let found = found.map_err(Error::kube(format!("get Secret {namespace}/{}", at.name)))?;
    let missing = |what: String| Ok(Err(ConditionReport::in_progress(Reason::SecretNotFound, what)));
    let Some(found) = found else {
        return missing(format!("Secret {} does not exist in this namespace; waiting for it", at.name));
    };
    let version = version_of(&found.metadata);
    let Some(value) = found.data.unwrap_or_default().remove(&at.key) else {
        return missing(format!("Secret {} has no key {}; waiting for it", at.name, at.key));
    };
    let invalid = |why: &str| {
        let text = format!("Secret {}, key {}: {why}", at.name, at.key);
        Ok(Err(ConditionReport::stalled(Reason::InvalidSecret, text)))
    };
    match String::from_utf8(value.0) {
        Ok(text) if text.trim().is_empty() => invalid("empty"),
        Ok(text) => Ok(Ok(Read { content: SecretString::from(text), version })),
        Err(_) => invalid("not text"),
    }
}

/// Stands in for an input that was not read.
pub(super) fn not_needed(kind: &'static str) -> ConditionReport {
    ConditionReport::in_progress(
        Reason::Pending,
        format!("the inputs of this {kind} are not needed now, and were not read"),
    )
}
