//! What the API server forbade of late to read: asked for again seldom, however many objects want it.
//!
//! Decides nothing about objects. Those who read Secrets and ConfigMaps ask it first, and tell it what came of the call.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::timing::FORBIDDEN_LIFETIME;
use jiff::Timestamp;
use kube::core::Status;

/// So many refusals in a row are taken for slips: a right may just be on its way.
const FIRST: u32 = 3;

/// Refusals by namespace and resource.
#[derive(Default)]
pub(super) struct ForbiddenReads(Mutex<HashMap<(String, &'static str), Denial>>);

struct Denial {
    at: Timestamp,
    times: u32,
    status: Box<Status>,
}

impl ForbiddenReads {
    /// Reads by `call`, unless the API server forbade such a read a moment ago: then its answer stands.
    pub(super) async fn read<T>(
        &self,
        namespace: &str,
        (resource, name): (&'static str, &str),
        now: Timestamp,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        let place = (namespace.to_owned(), resource);
        if let Some(status) = self.standing(&place, now) {
            return Err(kube::Error::Api(status));
        }
        let result = call.await.map_err(|error| without_name(error, resource, name));
        match &result {
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                let mut all = self.all();
                let times = all.get(&place).map_or(0, |denial| denial.times).saturating_add(1);
                all.insert(place, Denial { at: now, times, status: status.clone() });
            }
            _ => drop(self.all().remove(&place)),
        }
        result
    }

    fn standing(&self, place: &(String, &'static str), now: Timestamp) -> Option<Box<Status>> {
        let all = self.all();
        let denial = all.get(place).filter(|denial| denial.times >= FIRST)?;
        (now.duration_since(denial.at) < FORBIDDEN_LIFETIME).then(|| denial.status.clone())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(String, &'static str), Denial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal without the name of what was asked for, so that it is the same for all that want to read such a thing.
fn without_name(error: kube::Error, resource: &str, name: &str) -> kube::Error {
    match error {
        kube::Error::Api(mut status) if status.is_forbidden() => {
            status.message = status.message.replacen(&format!("{resource} \"{name}\" "), &format!("{resource} "), 1);
            kube::Error::Api(status)
        }
        other => other,
    }
}
