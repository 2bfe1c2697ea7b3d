//! Remembers which reads the API server forbade, so that they are rarely repeated, however many objects need them.
//!
//! Decides nothing about objects. All reads of Secrets and ConfigMaps go through it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::timing::FORBIDDEN_LIFETIME;
use jiff::Timestamp;
use kube::core::Status;

/// Refusals in a row before one counts, because the right may just be about to be granted.
const TOLERATED: u32 = 3;

/// Refusals by namespace and resource.
#[derive(Default)]
pub(super) struct ForbiddenReads(Mutex<HashMap<(String, &'static str), Denial>>);

struct Denial {
    at: Timestamp,
    times: u32,
    status: Box<Status>,
}

impl ForbiddenReads {
    /// Awaits `call`, unless the API server has just forbidden such a read. Then it returns the same answer.
    pub(super) async fn read<T>(
        &self,
        namespace: &str,
        (resource, name): (&'static str, &str),
        now: Timestamp,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        let place = (namespace.to_owned(), resource);
        if let Some(status) = self.recent_denial(&place, now) {
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

    fn recent_denial(&self, place: &(String, &'static str), now: Timestamp) -> Option<Box<Status>> {
        let all = self.all();
        let denial = all.get(place).filter(|denial| denial.times >= TOLERATED)?;
        (now.duration_since(denial.at) < FORBIDDEN_LIFETIME).then(|| denial.status.clone())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(String, &'static str), Denial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal without the name of the object, so that it is the same for all reads in the namespace.
fn without_name(error: kube::Error, resource: &str, name: &str) -> kube::Error {
    match error {
        kube::Error::Api(mut status) if status.is_forbidden() => {
            status.message = status.message.replacen(&format!("{resource} \"{name}\" "), &format!("{resource} "), 1);
            kube::Error::Api(status)
        }
        other => other,
    }
}
