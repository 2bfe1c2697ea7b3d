//! Reconcile state: what the object and this process remember of earlier reconciles.
//!
//! Pure. Correctness depends only on what the object itself stores; what the process remembers saves waiting. `control`
//! reads the state before each plan.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::conditions::ConditionReport;
use crate::crd::{ConditionType, FINALIZER, Reason, ResourceStatus, annotation, condition};

/// What the operator is about to create, stored in the annotation `applink.dev/intent` before the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Eq, Hash)]
pub struct Intent {
    /// UID of the object that wrote it. An intent with another UID is ignored.
    pub uid: String,
    /// UUID of the add-on that the remote object belongs to. Earlier versions wrote it as `addonID`.
    #[serde(rename = "ownerID", alias = "addonID")]
    pub owner_id: String,
    /// Digest of the inputs that the call sends.
    pub hash: String,
    /// Number of this attempt; the first creation of an object has number 1.
    pub attempt: i64,
    /// When the intent was written. Deadlines count from here.
    pub at: Timestamp,
    /// When the operator recreated an object that had existed, within the last hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recreated: Vec<Timestamp>,
    /// Remote ID of the object that the operator adopts, or deletes to replace it. The operator creates nothing under an
    /// intent that has an ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Last value of `applink.dev/replace` that the operator acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
    /// Remote ID of our own disconnected object that the operator deletes because it may block the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<String>,
    /// ID of the connection that the object is created on, for connection children.
    #[serde(rename = "parent", default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// Modification marker of the existing object that the call overwrites.
    #[serde(rename = "seen", default, skip_serializing_if = "Option::is_none")]
    pub modified_marker: Option<String>,
}

/// How the last call of this process for the object ended, as far as it matters to the next plan.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// AppLink answered a creation with this ID.
    Created {
        /// Remote ID.
        id: String,
        /// Intent of the creation; the object may have lost its annotation since.
        intent: Intent,
    },
    /// AppLink accepted the deletion of this ID.
    Deleting {
        /// Remote ID.
        id: String,
        /// When AppLink accepted it.
        at: Timestamp,
    },
    /// AppLink refused the call permanently.
    Refused {
        /// Conditions to report.
        report: ConditionReport,
        /// When AppLink refused it.
        at: Timestamp,
        /// Attempt that was refused, if the call was a creation.
        attempt: Option<i64>,
        /// Whether AppLink answered 409 because something exists already.
        conflict: bool,
    },
    /// The call was not carried out; the operator tries again later.
    Deferred {
        /// Conditions to report as long as the object was never Ready.
        report: ConditionReport,
        /// When the call failed.
        at: Timestamp,
        /// When to try again.
        until: Timestamp,
        /// Attempt that was not carried out, if the call was a creation.
        attempt: Option<i64>,
    },
    /// The outcome of a creation is unknown: the answer was lost, or does not say.
    Lost {
        /// Conditions to report as long as the object was never Ready.
        report: ConditionReport,
        /// Until when the call may still take effect; the operator does not repeat it before.
        until: Timestamp,
        /// Attempt whose outcome is unknown.
        attempt: i64,
        /// Whether AppLink answered with an error of its own. The call then takes no effect later, so a listing and a GET
        /// by name together prove that nothing was created.
        finished: bool,
    },
}

/// How this process last read the credential of an authorization for its Secret.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CredentialsState {
    /// Last credential that was written to a Secret.
    pub written: Option<WrittenSecret>,
    /// Failure to read the credential since then.
    pub failure: Option<ReadFailure>,
    /// Names of Secrets that the operator could not delete; Kubernetes collects them with their owner.
    pub undeletable: Vec<String>,
}

/// A credential that was written to a Secret.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrittenSecret {
    /// Remote ID of the authorization.
    pub id: String,
    /// Name of the Secret. The status may not record it yet.
    pub secret: String,
    /// When it was written.
    pub at: Timestamp,
}

/// A series of failures to read a credential.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadFailure {
    /// Conditions to report; the first failure of a series chooses the message.
    pub report: ConditionReport,
    /// When the first attempt failed.
    pub since: Timestamp,
    /// When the last attempt failed.
    pub at: Timestamp,
    /// When to try again.
    pub until: Timestamp,
    /// Number of failed attempts.
    pub tries: u32,
}

/// Everything that is remembered of one object.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReconcileState {
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// `status.observedGeneration`
    pub observed_generation: Option<i64>,
    /// `metadata.creationTimestamp`. Of two objects that want a name, the older one gets it.
    pub created: Timestamp,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// Whether the object has our finalizer.
    pub finalizer: bool,
    /// Last intent that the object wrote itself.
    pub intent: Option<Intent>,
    /// Value of `applink.dev/requestedAt`, if the operator did not handle it yet.
    pub requested: Option<String>,
    /// Value of `applink.dev/replace`, if the operator did not handle it yet.
    pub replace: Option<String>,
    /// Whether `applink.dev/force-orphan` is "true".
    pub force_orphan: bool,
    /// Whether Ready is True.
    pub ready: bool,
    /// Reason of Ready.
    pub reason: Option<Reason>,
    /// When this process first saw the object.
    pub first_seen: Timestamp,
    /// When this process first saw the current generation and request.
    pub changed_at: Timestamp,
    /// How the last call of this process ended.
    pub last_outcome: Option<CallOutcome>,
    /// How this process last read the credential for its Secret.
    pub credentials: CredentialsState,
    /// Number of calls of this process that failed in a row.
    pub call_failures: u32,
    /// When AppLink refused calls of this process permanently, within the last back-off.
    pub refusals: Vec<Timestamp>,
    /// Whether `applink.dev/confirm-cascade` is "true".
    pub confirm_cascade: bool,
}

impl ReconcileState {
    /// Reads what the object stores. The caller adds what the process remembers.
    #[must_use]
    pub fn read(meta: &ObjectMeta, status: &impl ResourceStatus) -> Self {
        let annotation_value = |key: &str| meta.annotations.as_ref().and_then(|a| a.get(key));
        let unhandled =
            |key: &str, handled: Option<&str>| annotation_value(key).filter(|v| Some(v.as_str()) != handled).cloned();
        let ready = condition(status.conditions(), ConditionType::Ready);
        let uid = meta.uid.clone().unwrap_or_default();
        let intent = annotation_value(annotation::INTENT)
            .and_then(|text| serde_json::from_str::<Intent>(text).ok())
            .filter(|intent| intent.uid == uid);
        Self {
            generation: meta.generation.unwrap_or_default(),
            observed_generation: status.observed_generation(),
            created: meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0),
            deleting: meta.deletion_timestamp.is_some(),
            finalizer: meta.finalizers.as_ref().is_some_and(|all| all.iter().any(|f| f == FINALIZER)),
            intent,
            requested: unhandled(annotation::REQUESTED_AT, status.handled_request()),
            replace: unhandled(annotation::REPLACE, status.handled_replace()),
            force_orphan: annotation_value(annotation::FORCE_ORPHAN).is_some_and(|v| v == "true"),
            ready: ready.is_some_and(|c| c.status == "True"),
            reason: ready.and_then(|c| Reason::parse(&c.reason)),
            uid,
            first_seen: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            last_outcome: None,
            credentials: CredentialsState::default(),
            call_failures: 0,
            refusals: Vec::new(),
            confirm_cascade: annotation_value(annotation::CONFIRM_CASCADE).is_some_and(|v| v == "true"),
        }
    }

    /// Whether the status describes the current generation.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.observed_generation == Some(self.generation)
    }
}
