//! Which other resources want the same remote object.
//!
//! Reads the stores; the plan decides who gets it.

use crate::control::context::Context;
use crate::control::kind::{Kind, key};
use crate::crd::RecordsRemote;
use crate::observe::Key;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::state::ReconcileState;

/// The claims of those `candidates` that want what `me` wants. A resource that only observes wants nothing.
pub(super) fn name_claims<K: Kind<Status: RecordsRemote>>(
    me: &K,
    ctx: &Context,
    candidates: impl IntoIterator<Item = Key>,
    wants: impl Fn(&K) -> bool,
) -> Vec<NameClaim> {
    let claim = |other: &K| {
        if other.meta().uid == me.meta().uid || !wants(other) {
            return None;
        }
        let status = other.status().cloned().unwrap_or_default();
        let state = ReconcileState::read(other.meta(), &status);
        let key = key(other);
        Some(NameClaim::new(format!("{}/{}", key.namespace, key.name), status.remote(), state))
    };
    let of_kind = candidates.into_iter().filter(|key| key.kind == K::KIND);
    of_kind.filter_map(|key| ctx.read(&key, claim).flatten()).collect()
}
