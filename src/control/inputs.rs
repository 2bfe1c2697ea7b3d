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
use tokio::sync::watch;

use super::context::Context;
use super::health::{Health, Source};
use super::kind::Reference;
use super::source::{FirstList, watched};
use crate::liveness::Liveness;

/// What is listed at a time: of the names that go by, no more than this are in memory at once.
const PAGE: u32 = 100;

/// Watches objects of `kind` for ever. Its troubles are its own: a watch inside a controller would hold up all other causes.
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
    // Nobody waits for the first list.
    let (first, _) = watch::channel(FirstList::Awaited);
    let mut events = std::pin::pin!(watched(api, config, (health, liveness), source, first).touched_objects());
    while let Some(event) = events.next().await {
        if let Ok(object) = event {
            let changed = Reference { kind, name: object.name_any() };
            ctx.trigger_users_of(&object.namespace().unwrap_or_default(), &changed);
        }
    }
}
