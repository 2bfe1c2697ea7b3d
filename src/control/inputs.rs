//! Watches the metadata of Secrets and ConfigMaps, so that a rotated key or a changed document takes effect within seconds.
//!
//! Stores nothing, not even names: each event queues the objects that refer to the Secret or ConfigMap. `run` starts one watch
//! per namespace.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use tokio::sync::watch;

use super::context::Context;
use super::health::{Health, Source};
use super::kind::Reference;
use super::source::{FirstList, watched};
use crate::liveness::Liveness;

/// Page size of the lists, which bounds how many names are in memory at a time.
const PAGE: u32 = 100;

/// Watches objects of `kind` forever. It is a task of its own, because a failing watch inside a controller would hold up all
/// other triggers.
pub(super) async fn watch<R>(
    ctx: Arc<Context>,
    (health, liveness): (Health, Liveness),
    (namespace, api): (Option<String>, Api<PartialObjectMeta<R>>),
    kind: &'static str,
) where
    R: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().page_size(PAGE);
    let source = Source { namespace, kind, vital: false };
    // Nothing waits for the first list.
    let (first, _) = watch::channel(FirstList::Awaited);
    let mut events = std::pin::pin!(watched(api, config, (health, liveness), source, first).touched_objects());
    while let Some(event) = events.next().await {
        if let Ok(object) = event {
            let changed = Reference { kind, name: object.name_any() };
            ctx.trigger_users_of(&object.namespace().unwrap_or_default(), &changed);
        }
    }
}
