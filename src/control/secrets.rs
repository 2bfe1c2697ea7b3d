//! Watches Secrets by their metadata alone, so that a rotated key acts within seconds.
//!
//! Stores nothing, not even names: each event asks who refers to the Secret. `run` starts one watch per namespace.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

use super::{Shell, said};

/// Watches for ever. Its troubles are its own: a watch inside a controller would hold up all other causes.
pub(super) async fn watch(shell: Arc<Shell>, api: Api<PartialObjectMeta<Secret>>) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().touched_objects());
    let mut told = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(secret) => {
                told = false;
                shell.wake_users_of(&secret.namespace().unwrap_or_default(), &secret.name_any());
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!("cannot watch Secrets, so a rotated key acts late: {}", said(&error));
            }
            Err(_) => {}
        }
    }
}
