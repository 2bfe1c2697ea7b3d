//! Secrets of ours: owned by an object of ours, and removed with it. One hands a link to a person, another keeps a credential.
//!
//! Decides nothing, and never overwrites what is not ours. `apply` writes and removes them, the kinds read whose they are.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ObjectMeta, Patch, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::kinds::Kind;
use super::patch::params;
use super::stores::key;
use super::{Context, Error};
use crate::crd::{FIELD_MANAGER, GROUP, annotation};
use crate::plan::remote::OwnedSecret;

/// The key that holds a link.
const URL: &str = "url";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What goes into a Secret of ours.
pub(super) struct SecretContent {
    /// What it has under its keys; other keys go.
    pub(super) data: BTreeMap<&'static str, SecretString>,
    /// The remote object that a link in it is for.
    pub(super) link_for: Option<String>,
}

impl SecretContent {
    /// The link to where a person consents to the remote object of this id.
    pub(super) fn consent_link(url: &str, id: &str) -> Self {
        Self { data: BTreeMap::from([(URL, url.to_owned().into())]), link_for: Some(id.to_owned()) }
    }
}

/// Whose the Secret of this name is.
pub(super) async fn read<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<OwnedSecret, Error> {
    Ok(find(ctx, object, name).await?.map_or(OwnedSecret::Absent, |secret| whose(object, &secret)))
}

/// Puts this into the Secret of this name, where none stands there or one of ours with something else in it.
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
        Some(there) if matches!(whose(object, &there), OwnedSecret::Owned { .. }) => {
            let known = new.annotations().iter().all(|(key, value)| there.annotations().get(key) == Some(value));
            if there.data.clone().unwrap_or_default() == new.data.clone().unwrap_or_default() && known {
                return Ok(());
            }
            if there.immutable == Some(true) {
                // Nothing but another one can have other content; its going makes for the next plan.
                return remove(ctx, object, name).await;
            }
            let done = api.patch(name, &params(), &Patch::Merge(change(&there, &new))).await;
            done.map_err(Error::kube(format!("patch Secret {what}")))?;
        }
        // The next plan says so.
        Some(_) => {}
    }
    Ok(())
}

/// The Secret of this name with this in it.
fn secret<K: Kind>(object: &K, name: &str, content: &SecretContent) -> Secret {
    let annotations = content.link_for.iter().map(|id| (annotation::LINK_FOR.to_owned(), id.clone()));
    let encode = |value: &SecretString| ByteString(value.expose_secret().as_bytes().to_vec());
    let data = content.data.iter().map(|(key, value)| ((*key).to_owned(), encode(value)));
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            annotations: Some(annotations.collect()),
            labels: Some(BTreeMap::from([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())])),
            owner_references: Some(vec![owner(object)]),
            ..ObjectMeta::default()
        },
        data: Some(data.collect()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// The merge patch that gives `there`, and no other version of it, the content of `new`.
fn change(there: &Secret, new: &Secret) -> Value {
    let (before, after) = (there.data.iter().flatten(), new.data.iter().flatten());
    let kept = |key: &String| new.data.as_ref().is_some_and(|data| data.contains_key(key));
    let gone = before.filter(|(key, _)| !kept(key)).map(|(key, _)| (key.clone(), Value::Null));
    let told = after.map(|(key, value)| (key.clone(), json!(BASE64_STANDARD.encode(&value.0))));
    json!({
        "metadata": {
            "uid": there.uid(), "resourceVersion": there.resource_version(), "annotations": new.annotations(),
        },
        "data": serde_json::Map::from_iter(gone.chain(told)),
    })
}

/// Makes `object` the owner of the Secret of this name, where that is one of ours without an owner.
pub(super) async fn take<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<(), Error> {
    let Some(there) = find(ctx, object, name).await? else { return Ok(()) };
    if whose(object, &there) != OwnedSecret::NoOwner {
        return Ok(());
    }
    let body = json!({
        "metadata": {
            "uid": there.uid(), "resourceVersion": there.resource_version(), "ownerReferences": [owner(object)],
        },
    });
    let done = api(ctx, object).patch(name, &params(), &Patch::Merge(body)).await;
    done.map(drop).map_err(Error::kube(format!("patch Secret {}/{name}", key(object).namespace)))
}

/// Deletes the Secret of this name, where it is ours.
pub(super) async fn remove<K: Kind>(ctx: &Context, object: &K, name: &str) -> Result<(), Error> {
    let Some(there) = find(ctx, object, name).await? else { return Ok(()) };
    if !matches!(whose(object, &there), OwnedSecret::Owned { .. } | OwnedSecret::NoOwner) {
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

fn whose<K: Kind>(object: &K, secret: &Secret) -> OwnedSecret {
    let mine = |owner: &OwnerReference| Some(&owner.uid) == object.meta().uid.as_ref();
    let of_ours = |owner: &OwnerReference| owner.api_version.split('/').next() == Some(GROUP);
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

/// Without `blockOwnerDeletion`, which some clusters grant only to those who may update the owner's finalizers.
fn owner<K: Kind>(object: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::KIND.to_owned(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}
