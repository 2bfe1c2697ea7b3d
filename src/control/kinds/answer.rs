//! Passes the answers of calls to the observer.
//!
//! Decides nothing: a lost answer is an observation, too.

use crate::control::context::Context;
use crate::control::effects::Made;
use crate::facts::RemoteObject;
use crate::facts::collection::Observation;
use crate::heroku::RemoteError;
use crate::observe::{CollectionRef, Key};
use crate::plan::transition::CallFailure;

/// Passes the answer to a creation to the observer, and returns what was created.
pub(super) fn created<R: RemoteObject>(
    ctx: &Context,
    addon: &Key,
    collection: &CollectionRef<R>,
    name: &str,
    result: Result<R, RemoteError>,
) -> Result<Made, CallFailure> {
    let observation = match &result {
        Ok(remote) => Some(Observation::Present(remote.clone())),
        // Nothing was sent.
        Err(RemoteError::Budget(_)) => None,
        Err(_) => Some(Observation::Written(name.to_owned())),
    };
    observation.into_iter().for_each(|one| ctx.observer.observe(addon, collection, ctx.clock.now(), one));
    let remote = result?;
    Ok(Made { id: remote.id().to_owned(), phase: remote.phase() })
}
