//! The kind of the made-up backend: what it is, how it is gathered, what it calls, and its plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::{CustomResource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::notebook::{RemoteNote, poller};
use crate::conditions::ConditionReport;
use crate::control::context::Context;
use crate::control::effects::{Effects, Made};
use crate::control::error::Error;
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::crd::{DeletionPolicies, ManagementPolicies, ManagementPolicy, Reason, RecordsRemote, RemoteStatus};
use crate::facts::collection::Observation;
use crate::facts::{Lookup, Phase};
use crate::observe::{Key, OwnerPoller};
use crate::plan::decision::Decision;
use crate::plan::policies::Policies;
use crate::plan::remote::recorded::{own_object, reset_for_id, with_recorded_outcome};
use crate::plan::remote::{OwnerState, RecordedStatus, RemoteContext};
use crate::plan::state::ReconcileState;
use crate::plan::transition::CallFailure;
use crate::plan::{Plan, Step};

/// A note with this text.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, JsonSchema)]
#[kube(group = "notes.applink.dev", version = "v1", kind = "Note", namespaced, status = "NoteStatus")]
pub(super) struct NoteSpec {
    title: String,
    text: String,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
pub(super) struct NoteStatus {
    #[serde(flatten)]
    remote: RemoteStatus,
}

impl RecordsRemote for NoteStatus {
    fn remote(&self) -> &RemoteStatus {
        &self.remote
    }
    fn remote_mut(&mut self) -> &mut RemoteStatus {
        &mut self.remote
    }
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    title: String,
    text: String,
    owner: OwnerState,
    lookup: Lookup<RemoteNote>,
    status: NoteStatus,
    state: ReconcileState,
    now: Timestamp,
}

impl Kind for Note {
    const KIND: &'static str = "Note";
    const INITIAL_REASON: Reason = Reason::Creating;
    type Status = NoteStatus;

    fn status(&self) -> Option<&NoteStatus> {
        self.status.as_ref()
    }
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
    fn remote_name(&self) -> Option<String> {
        Some(self.spec.title.clone())
    }
}

impl Gather for Note {
    type Inputs = ();
    type Snapshot = Snapshot;

    fn owner(&self, _ctx: &Context) -> Option<Key> {
        Some(Key { kind: "Notebook", namespace: self.namespace()?, name: "shared".to_owned() })
    }
    fn poller(&self, _ctx: &Context) -> Option<Arc<dyn OwnerPoller>> {
        Some(poller())
    }
    fn is_affected(&self, _ctx: &Context, changed: &BTreeSet<String>) -> bool {
        changed.contains(&self.spec.title)
    }
    async fn prepare(&self, _ctx: &Context) -> Result<(), Error> {
        poller().source().titles.lock().expect("not poisoned").insert(self.spec.title.clone());
        Ok(())
    }
    async fn gather(&self, _ctx: &Context) -> Result<(), Error> {
        Ok(())
    }
    async fn gather_without_inputs(&self, _ctx: &Context) {}
    fn snapshot(&self, _ctx: &Context, _inputs: &(), state: ReconcileState, now: Timestamp) -> Snapshot {
        let status = self.status.clone().unwrap_or_default();
        let (poller, id) = (poller(), status.remote.id.as_deref());
        let lookup = poller.source().notes.lock().expect("not poisoned").lookup(id, &self.spec.title, state.changed_at);
        let owner = OwnerState::Ready { id: poller.owner_id().unwrap_or_default() };
        Snapshot { title: self.spec.title.clone(), text: self.spec.text.clone(), owner, lookup, status, state, now }
    }
    fn plan(snapshot: &Snapshot) -> Plan<NoteStatus> {
        plan(snapshot)
    }
    fn on_finalizer_removed(&self, _ctx: &Context) {
        poller().source().titles.lock().expect("not poisoned").remove(&self.spec.title);
    }
}

impl Effects for Note {
    type Payload = String;

    async fn payload(&self, _ctx: &Context) -> Result<Option<String>, Error> {
        Ok(Some(HASH.to_owned()))
    }
    async fn create(&self, _ctx: &Context, _payload: &String) -> Result<Made, CallFailure> {
        let note = poller().source().service.create(&self.spec.title, &self.spec.text);
        poller().source().observe(Observation::Present(note.clone()));
        Ok(Made { id: note.id, phase: Phase::Ready })
    }
    async fn update(&self, _ctx: &Context, id: &str, _payload: &String) -> Result<(), CallFailure> {
        let note = poller().source().service.update(id, &self.spec.text);
        poller().source().observe(note.map_or_else(|| Observation::Deleted(id.to_owned()), Observation::Present));
        Ok(())
    }
    async fn delete(&self, _ctx: &Context, id: &str) -> Result<(), CallFailure> {
        poller().source().service.delete(id);
        poller().source().observe(Observation::Deleted(id.to_owned()));
        Ok(())
    }
    async fn get(&self, _ctx: &Context, id: &str) -> Result<(), CallFailure> {
        unreachable!("{}: notes are read by their poller, not {id} alone", key(self))
    }
}

/// Only the creation has an intent, and the text can be updated, so nothing but the identity of the note is digested.
const HASH: &str = "v1:0000";

fn plan(snapshot: &Snapshot) -> Plan<NoteStatus> {
    let exists = |id: &str| snapshot.lookup.of_id(id).is_some();
    let plan = with_recorded_outcome(&snapshot.status, &snapshot.state, exists, |recorded, status| {
        let ctx = context(snapshot, recorded);
        if snapshot.state.deleting {
            return ctx.plan_deletion(|_| true);
        }
        let earlier = ctx.restore_metadata().or_else(|| ctx.owner_error()).or_else(|| ctx.after_outcome());
        earlier.or_else(|| reconcile_existing(snapshot, &ctx, status)).unwrap_or_else(|| ctx.create(HASH))
    });
    plan.complete(&snapshot.status, &snapshot.state, snapshot.now)
}

fn context<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> RemoteContext<'a, RemoteNote> {
    let full = ManagementPolicies::default();
    RemoteContext {
        noun: "note",
        name: &snapshot.title,
        display_name: &snapshot.title,
        connection_id: None,
        owner_name: "shared",
        policies: Policies::of(full, DeletionPolicies::default()).under(ManagementPolicy::default()),
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

fn reconcile_existing(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteNote>,
    status: &mut NoteStatus,
) -> Option<Decision> {
    let (observed, _) = own_object(ctx, ctx.ownership(|_| true), status)?;
    reset_for_id(status, &observed.object.id);
    status.remote.addon_id = ctx.owner_id().map(str::to_owned);
    status.remote.applied_hash = Some(HASH.to_owned());
    if ctx.outdated(observed) {
        return Some(Decision::step(Step::Poll));
    }
    if observed.object.text != snapshot.text {
        let fields = vec!["text".to_owned()];
        return Some(Decision::step(Step::Update { id: observed.object.id.clone(), fields }));
    }
    Some(Decision::report(ConditionReport::ready(Reason::Connected, "the note has the declared text")))
}
