//! The Secret by which a person gets the link to consent by: owned by the object, and removed with it.
//!
//! Decides nothing, and never overwrites what is not ours. `apply` writes and removes it, the kinds read whose it is.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ObjectMeta, Patch, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::kind::Kind;
use super::patch::params;
use super::roster::key;
use super::{Error, Shell};
use crate::crd::{FIELD_MANAGER, GROUP, annotation};
use crate::plan::remote::HandOff;

/// The key that holds the link.
const URL: &str = "url";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Whose the Secret is that stands under the name of `object`'s.
pub(super) async fn read<K: Kind>(shell: &Shell, object: &K) -> Result<HandOff, Error> {
    Ok(find(shell, object).await?.map_or(HandOff::Absent, |secret| whose(object, &secret)))
}

/// Puts the link to the remote object of this id into the Secret.
pub(super) async fn write<K: Kind>(shell: &Shell, object: &K, id: &str) -> Result<(), Error> {
    let (Some(name), Some(link)) = (object.link_secret(), object.link(shell, id)) else { return Ok(()) };
    let api = api(shell, object);
    let annotations = BTreeMap::from([(annotation::LINK_FOR.to_owned(), id.to_owned())]);
    let what = format!("{}/{name}", key(object).namespace);
    match find(shell, object).await? {
        None => {
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(name),
                    annotations: Some(annotations),
                    labels: Some(BTreeMap::from([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())])),
                    owner_references: Some(vec![owner(object)]),
                    ..ObjectMeta::default()
                },
                string_data: Some(BTreeMap::from([(URL.to_owned(), link.expose().to_owned())])),
                type_: Some("Opaque".to_owned()),
                ..Secret::default()
            };
            let post = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            api.create(&post, &secret).await.map_err(Error::kube(format!("create Secret {what}")))?;
        }
        Some(there) if matches!(whose(object, &there), HandOff::Ours { .. }) => {
            let metadata = json!({
                "uid": there.uid(), "resourceVersion": there.resource_version(), "annotations": annotations,
            });
            let patch = json!({ "metadata": metadata, "data": { URL: BASE64_STANDARD.encode(link.expose()) } });
            let done = api.patch(&name, &params(), &Patch::Merge(patch)).await;
            done.map_err(Error::kube(format!("patch Secret {what}")))?;
        }
        // The next plan says so.
        Some(_) => {}
    }
    Ok(())
}

/// Deletes the Secret, where it is ours.
pub(super) async fn remove<K: Kind>(shell: &Shell, object: &K) -> Result<(), Error> {
    let Some(there) = find(shell, object).await? else { return Ok(()) };
    if !matches!(whose(object, &there), HandOff::Ours { .. }) {
        return Ok(());
    }
    let preconditions = Preconditions { uid: there.uid(), resource_version: there.resource_version() };
    let only = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    let name = there.name_any();
    let done = api(shell, object).delete(&name, &only).await;
    match done.map_err(Error::kube(format!("delete Secret {}/{name}", key(object).namespace))) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn api<K: Kind>(shell: &Shell, object: &K) -> Api<Secret> {
    Api::namespaced(shell.client.clone(), &key(object).namespace)
}

async fn find<K: Kind>(shell: &Shell, object: &K) -> Result<Option<Secret>, Error> {
    let Some(name) = object.link_secret() else { return Ok(None) };
    let found = api(shell, object).get_opt(&name).await;
    found.map_err(Error::kube(format!("get Secret {}/{name}", key(object).namespace)))
}

fn whose<K: Kind>(object: &K, secret: &Secret) -> HandOff {
    let mine = |owner: &OwnerReference| Some(&owner.uid) == object.meta().uid.as_ref();
    let earlier = |owner: &OwnerReference| {
        let group = owner.api_version.split('/').next();
        group == Some(GROUP) && owner.kind == K::KIND && owner.name == object.name_any()
    };
    if secret.owner_references().iter().any(mine) {
        let full = secret.data.as_ref().is_some_and(|data| data.contains_key(URL));
        let id = secret.annotations().get(annotation::LINK_FOR).filter(|_| full);
        HandOff::Ours { id: id.cloned() }
    } else if secret.owner_references().iter().any(earlier) {
        HandOff::Stale
    } else {
        HandOff::Foreign
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
