//! Secrets that an object owns: the OAuth Secret, which hands a consent link to a person, and the Secret with a credential.
//!
//! Decides nothing, and never changes a Secret that the object does not own. `execute` writes and deletes them; the kinds read
//! who owns them.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ObjectMeta, Patch, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use super::kind::{Kind, key};
use super::patch::params;
use crate::crd::{FIELD_MANAGER, annotation, is_own_group};
use crate::plan::remote::OwnedSecret;

/// The key that holds a link.
const URL: &str = "url";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The content of an owned Secret.
pub(super) struct SecretContent {
    /// Values by key. Other keys are removed.
    pub(super) data: BTreeMap<&'static str, SecretString>,
    /// ID of the remote object that the link is for.
    pub(super) link_for: Option<String>,
}

impl SecretContent {
    /// The consent link of the remote object with this ID.
    pub(super) fn consent_link(url: &str, id: &str) -> Self {
        Self { data: BTreeMap::from([(URL, url.to_owned().into())]), link_for: Some(id.to_owned()) }
    }
}

/// Who owns the Secret with this name.
pub(super) async fn read<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<OwnedSecret, Error> {
    Ok(find(ctx, object, name).await?.map_or(OwnedSecret::Absent, |secret| owner_of(object, &secret)))
}

/// Writes `content` to the Secret with this name. Creates the Secret if it does not exist; leaves a Secret alone that the
/// object does not own.
pub(super) async fn write<K: Kind>(
    ctx: &Context,
    object: &K,
    name: &str,
    content: &SecretContent,
) -> Result<(), Error> {
    let api = api(ctx, object);
    let what = format!("{}/{name}", key(object).namespace);
    let new = secret(object, name, content);
    match find(ctx, object, name).await? {
        None => {
            let post = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            api.create(&post, &new).await.map_err(Error::kube(format!("create Secret {what}")))?;
        }
        Some(there) if matches!(owner_of(object, &there), OwnedSecret::Owned { .. }) => {
            let known = new.annotations().iter().all(|(key, value)| there.annotations().get(key) == Some(value));
            if there.data.clone().unwrap_or_default() == new.data.clone().unwrap_or_default() && known {
                return Ok(());
            }
            if there.immutable == Some(true) {
                // It cannot change, so a new one must take its place. Its deletion triggers the next plan.
                return delete(ctx, object, name).await;
            }
            let done = api.patch(name, &params(), &Patch::Merge(change(&there, &new))).await;
            done.map_err(Error::kube(format!("patch Secret {what}")))?;
        }
        // The next plan reports it.
        Some(_) => {}
    }
    Ok(())
}

/// A Secret with this name and content.
fn secret<K: Kind>(object: &K, name: &str, content: &SecretContent) -> Secret {
    let annotations = content.link_for.iter().map(|id| (annotation::LINK_FOR.to_owned(), id.clone()));
    let encode = |value: &SecretString| ByteString(value.expose_secret().as_bytes().to_vec());
    let data = content.data.iter().map(|(key, value)| ((*key).to_owned(), encode(value)));
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            annotations: Some(annotations.collect()),
            labels: Some(BTreeMap::from([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())])),
            owner_references: Some(vec![owner_reference(object)]),
            ..ObjectMeta::default()
        },
        data: Some(data.collect()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// The merge patch that gives `there` the content of `new`. It fails on another version of `there`.
fn change(there: &Secret, new: &Secret) -> Value {
    let (before, after) = (there.data.iter().flatten(), new.data.iter().flatten());
    let stays = |key: &String| new.data.as_ref().is_some_and(|data| data.contains_key(key));
    let removed = before.filter(|(key, _)| !stays(key)).map(|(key, _)| (key.clone(), Value::Null));
    let set = after.map(|(key, value)| (key.clone(), json!(BASE64_STANDARD.encode(&value.0))));
    json!({
        "metadata": {
            "uid": there.uid(), "resourceVersion": there.resource_version(), "annotations": new.annotations(),
        },
        "data": serde_json::Map::from_iter(removed.chain(set)),
    })
}

/// Makes `object` the owner of the Secret with this name, if the operator wrote it and it has no owner.
pub(super) async fn set_owner<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<(), Error> {
    let Some(there) = find(ctx, object, name).await? else { return Ok(()) };
    if owner_of(object, &there) != OwnedSecret::NoOwner {
        return Ok(());
    }
    let body = json!({
        "metadata": {
            "uid": there.uid(), "resourceVersion": there.resource_version(), "ownerReferences": [owner_reference(object)],
        },
    });
    let done = api(ctx, object).patch(name, &params(), &Patch::Merge(body)).await;
    done.map(drop).map_err(Error::kube(format!("patch Secret {}/{name}", key(object).namespace)))
}

/// Deletes the Secret with this name, if the object owns it or the operator wrote it and it has no owner.
pub(super) async fn delete<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<(), Error> {
    let Some(there) = find(ctx, object, name).await? else { return Ok(()) };
    if !matches!(owner_of(object, &there), OwnedSecret::Owned { .. } | OwnedSecret::NoOwner) {
        return Ok(());
    }
    let preconditions = Preconditions { uid: there.uid(), resource_version: there.resource_version() };
    let only = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    let done = api(ctx, object).delete(name, &only).await;
    match done.map_err(Error::kube(format!("delete Secret {}/{name}", key(object).namespace))) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn api<K: Kind>(ctx: &Context, object: &K) -> Api<Secret> {
    Api::namespaced(ctx.client.clone(), &key(object).namespace)
}

async fn find<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<Option<Secret>, Error> {
    let namespace = key(object).namespace;
    let api = api(ctx, object);
    let found = ctx.denied.read(&namespace, ("secrets", name), ctx.clock.now(), api.get_opt(name)).await;
    found.map_err(Error::kube(format!("get Secret {}/{name}", key(object).namespace)))
}

fn owner_of<K: Kind>(object: &K, secret: &Secret) -> OwnedSecret {
    let mine = |owner: &OwnerReference| Some(&owner.uid) == object.meta().uid.as_ref();
    let of_ours = |owner: &OwnerReference| owner.api_version.split('/').next().is_some_and(is_own_group);
    let earlier = |owner: &OwnerReference| of_ours(owner) && owner.kind == K::KIND && owner.name == object.name_any();
    if secret.owner_references().iter().any(mine) {
        let full = secret.data.as_ref().is_some_and(|data| data.contains_key(URL));
        let id = secret.annotations().get(annotation::LINK_FOR).filter(|_| full);
        OwnedSecret::Owned { id: id.cloned() }
    } else if secret.owner_references().iter().any(earlier) {
        OwnedSecret::StaleOwner
    } else if let Some(owner) = secret.owner_references().iter().find(|owner| of_ours(owner)) {
        OwnedSecret::OwnedByOther(format!("{} {}", owner.kind, owner.name))
    } else if secret.owner_references().is_empty()
        && secret.labels().get(MANAGED_BY).is_some_and(|by| by == FIELD_MANAGER)
    {
        OwnedSecret::NoOwner
    } else {
        OwnedSecret::Foreign
    }
}

/// Leaves out `blockOwnerDeletion`, because some clusters require the right to update the owner's finalizers for it.
fn owner_reference<K: Kind>(object: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::KIND.to_owned(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}
