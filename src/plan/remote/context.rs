//! The context of a plan for one remote object, and the question who owns the object.
//!
//! Pure. The other files in this folder add methods to [`RemoteContext`], each for one part of the protocol.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::owner_state::OwnerState;
use crate::facts::{Lookup, Observed, Phase, RemoteObject};
use crate::plan::decision::Decision;
use crate::plan::policies::Policies;
use crate::plan::state::{Intent, ReconcileState};
use crate::timing::CLOCK_SKEW;

/// What a status records of the remote object, the same in every kind.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecordedStatus {
    /// `status.id`
    pub id: Option<String>,
    /// `status.addonID`
    pub owner_id: Option<String>,
    /// `status.appliedHash`; set once the remote object is ours.
    pub applied_hash: Option<String>,
    /// `status.answeredAttempt`: last attempt whose outcome is recorded.
    pub answered_attempt: Option<i64>,
    /// Whether the remote object ever worked.
    pub was_ready: bool,
}

/// Everything that the protocol needs to know about one remote object.
#[derive(Clone, Debug)]
pub struct RemoteContext<'a, R> {
    /// Kind in messages, in lower case.
    pub noun: &'static str,
    /// Remote name. For a publication, this is the UUID of the app.
    pub name: &'a str,
    /// Name in messages.
    pub display_name: &'a str,
    /// Remote ID of the connection, for connection children.
    pub connection_id: Option<&'a str>,
    /// Name of the AppLinkAddon; empty if unknown.
    pub owner_name: &'a str,
    /// Effective policies.
    pub policies: Policies,
    /// The add-on.
    pub owner: &'a OwnerState,
    /// Observations under the recorded ID and the name.
    pub lookup: &'a Lookup<R>,
    /// What the status records.
    pub recorded: &'a RecordedStatus,
    /// What the object and this process remember.
    pub state: &'a ReconcileState,
    /// Time of the plan.
    pub now: Timestamp,
}

/// Who owns the remote object.
#[derive(Clone, Debug, PartialEq)]
pub enum Ownership<'a, R> {
    /// The status records its ID: it is ours.
    Recorded(&'a Observed<R>),
    /// Our open intent created it, but the answer was lost: it is ours.
    Intended(&'a Observed<R>),
    /// It existed before the resource.
    Foreign(&'a Observed<R>),
    /// There is no such object in the observations.
    Unclaimed,
}

impl<'a, R: RemoteObject> RemoteContext<'a, R> {
    /// UUID of the add-on, if known.
    #[must_use]
    pub fn owner_id(&self) -> Option<&'a str> {
        self.owner.id()
    }

    /// The intent whose outcome the status does not record yet.
    #[must_use]
    pub fn open_intent(&self) -> Option<&'a Intent> {
        let intent = self.state.intent.as_ref()?;
        self.recorded.answered_attempt.is_none_or(|answered| intent.attempt > answered).then_some(intent)
    }

    /// The open intent, if the operator may have sent a creation under it.
    #[must_use]
    pub fn create_intent(&self) -> Option<&'a Intent> {
        self.open_intent().filter(|intent| intent.id.is_none() && intent.connection_id.as_deref() == self.connection_id)
    }

    /// The open intent, if it adopts or replaces the object with this ID.
    #[must_use]
    pub fn intent_for(&self, id: &str) -> Option<&'a Intent> {
        self.open_intent().filter(|intent| intent.id.as_deref() == Some(id))
    }

    /// The open intent, if it replaces the object with this ID, which is recorded as ours.
    #[must_use]
    pub fn replacement_intent(&self, id: &str) -> Option<&'a Intent> {
        let recorded = self.recorded.applied_hash.is_some() && self.recorded.id.as_deref() == Some(id);
        self.intent_for(id).filter(|_| recorded)
    }

    /// Whether `applink.dev/replace` requests a replacement that is not complete. A replacement whose intent is written but
    /// not carried out still counts.
    #[must_use]
    pub fn replacement_requested(&self) -> bool {
        let Some(token) = &self.state.replace else { return false };
        let intent = self.state.intent.as_ref().filter(|intent| intent.replace.as_ref() == Some(token));
        intent.is_none() || self.recorded.id.as_deref().is_some_and(|id| self.replacement_intent(id).is_some())
    }

    /// Whether the user requests another attempt, by either annotation.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.state.requested.is_some() || self.replacement_requested()
    }

    /// Whether the user requested another attempt after this time.
    #[must_use]
    pub fn requested_since(&self, at: Timestamp) -> bool {
        self.requested() && at < self.state.changed_at
    }

    /// Who owns the object. `matches` tells whether an object found by name alone may be the one that the intent announced.
    pub fn ownership(&self, matches: impl Fn(&R) -> bool) -> Ownership<'a, R> {
        let had_intent = self.state.finalizer || self.state.intent.is_some();
        let owned = self.recorded.applied_hash.is_some() || (had_intent && self.open_intent().is_none());
        let not_deleted = |observed: &&Observed<R>| observed.object.phase() != Phase::Deleted;
        let of_id = |id: &str| self.lookup.of_id(id).filter(not_deleted);
        let create_intent = self.create_intent();
        if let Some(observed) = self.recorded.id.as_deref().filter(|_| owned).and_then(of_id) {
            // The object was gone when the intent was written. AppLink may reuse its ID for the new one.
            let new =
                create_intent.is_some_and(|intent| self.observed_since(observed, intent) && matches(&observed.object));
            return if new { Ownership::Intended(observed) } else { Ownership::Recorded(observed) };
        }
        let named = self.lookup.of_name(self.name);
        let Some(intent) = create_intent else {
            return named.first().map_or(Ownership::Unclaimed, |observed| Ownership::Foreign(observed));
        };
        // The name was free when the intent was written, so an object that has it now is newer.
        // A date beyond all calendars is before nothing.
        let before = |created: Timestamp| created.checked_add(CLOCK_SKEW).is_ok_and(|at| at < intent.at);
        let older = |observed: &Observed<R>| observed.object.created().is_some_and(before);
        let ours = named.iter().rev().find(|observed| !older(observed) && matches(&observed.object));
        match (ours, named.first()) {
            (Some(observed), _) => Ownership::Intended(observed),
            (None, Some(observed)) => Ownership::Foreign(observed),
            (None, None) => Ownership::Unclaimed,
        }
    }

    /// Whether a GET or a write has shown the object since the intent was written.
    #[must_use]
    pub fn observed_since(&self, observed: &Observed<R>, intent: &Intent) -> bool {
        observed.detailed && observed.at >= intent.at
    }

    /// Whether the observation is older than an edit or a request that the status does not describe yet.
    #[must_use]
    pub fn outdated(&self, observed: &Observed<R>) -> bool {
        observed.at < self.state.changed_at && (!self.state.is_observed() || self.state.requested.is_some())
    }

    /// The recorded ID, if only a listing says that the object is gone.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&str> {
        let id = self.recorded.id.as_deref()?;
        let known = self.lookup.deleted_ids.iter().any(|deleted| deleted == id) || self.lookup.of_id(id).is_some();
        (!known).then_some(id)
    }

    /// Whether the finalizer or the intent is missing, for example after `kubectl replace`.
    #[must_use]
    pub fn metadata_wiped(&self) -> bool {
        !self.state.finalizer || self.state.intent.is_none()
    }

    /// Check RESTORE_METADATA: writes finalizer and intent again if the status shows that the object had them.
    #[must_use]
    pub fn restore_metadata(&self) -> Option<Decision> {
        let hash =
            self.recorded.applied_hash.as_deref().filter(|_| !self.policies.observes() && self.metadata_wiped())?;
        Some(self.write_restored_intent(hash))
    }

    /// Check SUSPENDED: does nothing while `spec.suspend` is true.
    #[must_use]
    pub fn suspended(&self) -> Option<Decision> {
        self.policies.suspend.then(Decision::suspended)
    }

    /// Removes the finalizer of an object that the operator only observes.
    #[must_use]
    pub fn release_observed(&self) -> Option<Decision> {
        (self.policies.observes() && self.state.finalizer).then(Decision::remove_finalizer)
    }
}
