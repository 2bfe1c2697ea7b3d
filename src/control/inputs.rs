//! Watches Secrets and ConfigMaps by their metadata alone, so that a rotated key or a changed document acts within seconds.
//!
//! Stores nothing, not even names: each event asks who refers to the object. `run` starts one watch per namespace.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};

use super::kind::Reference;
use super::{Shell, said};

/// What is listed at a time: of the names that go by, no more than this are in memory at once.
const PAGE: u32 = 100;

/// Watches objects of `kind` for ever. Its troubles are its own: a watch inside a controller would hold up all other causes.
pub(super) async fn watch<R>(shell: Arc<Shell>, api: Api<PartialObjectMeta<R>>, kind: &'static str)
where
    R: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().page_size(PAGE);
    let mut events = std::pin::pin!(watcher(api, config).default_backoff().touched_objects());
    let mut told = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(object) => {
                told = false;
                let changed = Reference { kind, name: object.name_any() };
                shell.wake_users_of(&object.namespace().unwrap_or_default(), &changed);
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!("cannot watch {kind}s, so a change in one acts late: {}", said(&error));
            }
            Err(_) => {}
        }
    }
}
