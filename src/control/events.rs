//! Publishes Kubernetes Events. An Event that repeats is counted instead of published again.
//!
//! Nothing depends on Events: one that cannot be published is logged and dropped. kube's recorder is not used because it keeps
//! the first note of a repeated Event, and fails for objects with long names.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::error::said;
use super::outcome::PendingEvent;
use crate::crd::{FIELD_MANAGER, Reason};
use crate::observe::Key;
use crate::timing::{EVENT_DEADLINE, EVENT_SERIES};

/// Longest note that the API server accepts, in bytes.
const LONGEST_NOTE: usize = 1024;
/// Longest name that the API server accepts.
const LONGEST_NAME: usize = 253;

/// Publishes Events, and remembers recent ones.
pub(super) struct Events {
    client: Client,
    recent: Mutex<HashMap<About, Recent>>,
    /// Makes the names of Events of the same moment unique.
    count: AtomicU64,
    /// Whether the last Event could not be published.
    failing: AtomicBool,
}

/// What an Event is about: the UID of the object, the reason, and whether it is a warning.
type About = (Option<String>, Reason, bool);

/// The last Event about the same thing.
#[derive(Clone)]
struct Recent {
    name: String,
    note: String,
    times: i32,
    at: Timestamp,
}

impl Events {
    pub(super) fn new(client: Client) -> Self {
        Self { client, recent: Mutex::default(), count: AtomicU64::new(0), failing: AtomicBool::new(false) }
    }

    /// Publishes one Event about `object`.
    pub(super) async fn publish(&self, who: &Key, object: &ObjectReference, event: PendingEvent, now: Timestamp) {
        let PendingEvent { warning, reason, note } = event;
        tracing::info!(object = %who, %reason, "{note}");
        let note = cut(&note, LONGEST_NOTE).to_owned();
        let about = (object.uid.clone(), reason, warning);
        let api = Api::namespaced(self.client.clone(), &who.namespace);
        let done = match self.repeated(&about, &note, now) {
            Some(recent) => tokio::time::timeout(EVENT_DEADLINE, count(&api, recent, now)).await,
            None => {
                let name = self.name(&who.name, now);
                let event = new_event(who, object, (&name, &note), (reason, warning), now);
                let recent = Recent { name, note, times: 1, at: now };
                let created = async { api.create(&PostParams::default(), &event).await.map(|_| recent) };
                tokio::time::timeout(EVENT_DEADLINE, created).await
            }
        };
        match done {
            Ok(Ok(recent)) => {
                self.failing.store(false, Ordering::Relaxed);
                self.recent().insert(about, recent);
            }
            Ok(Err(error)) => {
                self.recent().remove(&about);
                if self.failing.swap(true, Ordering::Relaxed) {
                    tracing::debug!(object = %who, "cannot publish an Event: {}", said(&error));
                } else {
                    tracing::warn!(object = %who, "cannot publish Events, which is logged once: {}", said(&error));
                }
            }
            Err(_) => tracing::debug!(object = %who, "cannot publish an Event: no answer"),
        }
    }

    /// The last Event about the same thing, if it is recent and has the same note.
    fn repeated(&self, about: &About, note: &str, now: Timestamp) -> Option<Recent> {
        let mut recent = self.recent();
        recent.retain(|_, known| now.duration_since(known.at) < EVENT_SERIES);
        recent.get(about).filter(|known| known.note == note).cloned()
    }

    /// A name for an Event about the object of this name, unique within the namespace.
    fn name(&self, object: &str, now: Timestamp) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let moment = u64::try_from(now.as_nanosecond()).unwrap_or_default();
        let unique = format!(".{:x}", moment.wrapping_add(count));
        // No part of a name may end with a dash or a dot.
        let object = cut(object, LONGEST_NAME.saturating_sub(unique.len())).trim_end_matches(['-', '.']);
        format!("{object}{unique}")
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<About, Recent>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Increments the count of an existing Event.
async fn count(api: &Api<Event>, recent: Recent, now: Timestamp) -> Result<Recent, kube::Error> {
    let times = recent.times.saturating_add(1);
    let series = json!({ "series": EventSeries { count: times, last_observed_time: MicroTime(now) } });
    api.patch(&recent.name, &PatchParams::default(), &Patch::Merge(series)).await?;
    Ok(Recent { times, at: now, ..recent })
}

fn new_event(
    who: &Key,
    object: &ObjectReference,
    (name, note): (&str, &str),
    (reason, warning): (Reason, bool),
    now: Timestamp,
) -> Event {
    Event {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(who.namespace.clone()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        action: Some("Reconcile".to_owned()),
        reason: Some(reason.as_str().to_owned()),
        note: Some(note.to_owned()),
        type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
        regarding: Some(object.clone()),
        reporting_controller: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        ..Event::default()
    }
}

/// The first bytes of a text, as many as are whole characters.
fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let table =
            [("abc", 3, "abc"), ("abc", 2, "ab"), ("äö", 3, "ä"), ("日本", 5, "日"), ("日", 2, ""), ("", 9, "")];
        for (text, longest, wanted) in table {
            assert_eq!(cut(text, longest), wanted, "{text} {longest}");
        }
    }

    #[tokio::test]
    async fn names_fit_and_are_unique() {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
        });
        let events = Events::new(Client::new(service, "default"));
        let dashes = format!("{}{}", "x".repeat(230), "-".repeat(20));
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for object in ["orders", &"x".repeat(253), &dashes] {
            let (one, two) = (events.name(object, now), events.name(object, now));
            assert_ne!(one, two);
            assert!(one.len() <= LONGEST_NAME && crate::crd::is_object_name(&one), "{one}");
        }
    }
}
