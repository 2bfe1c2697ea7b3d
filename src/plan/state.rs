//! What the object itself, and this process, remember of what was done.
//!
//! Pure. Correctness rests on what is in the object; what the process adds only saves waiting. `control` reads it off
//! the object before each plan.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::conditions::ConditionReport;
use crate::crd::{Condition, ConditionType, FINALIZER, Reason, annotation, condition};

/// The word given before a creation, in the annotation `applink.dev/intent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Eq, Hash)]
pub struct Intent {
    /// Uid of the object that gave it; another's proves nothing.
    pub uid: String,
    /// UUID of the add-on that the remote object belongs to. Earlier versions wrote it as `addonID`.
    #[serde(rename = "ownerID", alias = "addonID")]
    pub owner_id: String,
    /// Digest of the inputs that are about to be sent.
    pub hash: String,
    /// Counts every creation of this object, from 1.
    pub attempt: i64,
    /// When it was given; deadlines count from here.
    pub at: Timestamp,
    /// When something that once existed was created anew, of late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recreated: Vec<Timestamp>,
    /// The remote object that is adopted, or deleted so that another can take its place. Nothing is created before the
    /// word is given anew without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The last value of `applink.dev/replace` that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
    /// Something of ours, long disconnected, that was asked to go because it kept the name taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<String>,
    /// The connection that it is made on, for what lives on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Where something was there already that is written over: what the service said of its last modification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// How the last call of this process for the object ended, where that matters to the next plan.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// The service answered a creation with this id.
    Created {
        /// Remote id.
        id: String,
        /// The word that was given for it; the object itself may have lost it since.
        intent: Intent,
    },
    /// The service took the deletion of this id.
    Deleting {
        /// Remote id.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// The service refused for good.
    Refused {
        /// What to tell the user.
        report: ConditionReport,
        /// When.
        at: Timestamp,
        /// The creation that was refused, if it was one.
        attempt: Option<i64>,
        /// Whether it was refused since something is there already.
        conflict: bool,
    },
    /// Not now; a call that was never carried out.
    Deferred {
        /// What to tell the user while it never was Ready.
        report: ConditionReport,
        /// When.
        at: Timestamp,
        /// When to try again.
        until: Timestamp,
        /// The creation that did not take place, if it was one.
        attempt: Option<i64>,
    },
    /// No answer to a creation, or one that does not tell whether it took place.
    Lost {
        /// What to tell the user while it never was Ready.
        report: ConditionReport,
        /// Until when it may still bear fruit, and is not repeated.
        until: Timestamp,
        /// The creation.
        attempt: i64,
        /// Whether the service itself answered, with an error of its own. Then nothing comes of the call any more, and what
        /// a listing and a GET by name do not show was not made.
        finished: bool,
    },
}

/// How the credential of an authorization was read of late, for the Secret that keeps it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CredentialsState {
    /// What was last put into a Secret.
    pub written: Option<WrittenSecret>,
    /// Why it could not be read since, if so.
    pub failure: Option<ReadFailure>,
    /// Secrets that could not be deleted with their owner; Kubernetes collects them.
    pub undeletable: Vec<String>,
}

/// A credential that was put into a Secret.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrittenSecret {
    /// Remote id of what it is of.
    pub id: String,
    /// Name of the Secret, which no status may record yet.
    pub secret: String,
    /// When.
    pub at: Timestamp,
}

/// A credential that cannot be read.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadFailure {
    /// What to tell of it.
    pub report: ConditionReport,
    /// When the first try was.
    pub since: Timestamp,
    /// When the last one was.
    pub at: Timestamp,
    /// When to try again.
    pub until: Timestamp,
    /// How many there were.
    pub tries: u32,
}

/// All that is remembered of one object.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReconcileState {
    /// Uid of the object.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// The generation that its status speaks of.
    pub observed_generation: Option<i64>,
    /// When it was made; the older one of two keeps a name.
    pub created: Timestamp,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether our finalizer is on it.
    pub finalizer: bool,
    /// The last word it gave; only one of its own uid.
    pub intent: Option<Intent>,
    /// Whether `applink.dev/requestedAt` has a value that was not acted on.
    pub requested: bool,
    /// `applink.dev/replace`, where its value was not acted on.
    pub replace: Option<String>,
    /// Whether `applink.dev/force-orphan` is "true".
    pub force_orphan: bool,
    /// Whether Ready is True.
    pub ready: bool,
    /// Reason of Ready.
    pub reason: Option<Reason>,
    /// When this process first saw the object.
    pub first_seen: Timestamp,
    /// When this process first saw this generation and this request.
    pub changed_at: Timestamp,
    /// How the last call of this process ended.
    pub last_outcome: Option<CallOutcome>,
    /// How this process last read the credential for its Secret.
    pub credentials: CredentialsState,
    /// Calls of this process that failed in a row.
    pub call_failures: u32,
    /// When the service lately refused calls of this process for good.
    pub refusals: Vec<Timestamp>,
    /// Whether `applink.dev/confirm-cascade` is "true".
    pub confirm_cascade: bool,
}

impl ReconcileState {
    /// Reads what an object remembers; what the process remembers is for the caller to add.
    #[must_use]
    pub fn read(meta: &ObjectMeta, status: StatusFields<'_>) -> Self {
        let note = |key: &str| meta.annotations.as_ref().and_then(|a| a.get(key));
        let unhandled = |key: &str, handled: Option<&str>| note(key).filter(|v| Some(v.as_str()) != handled).cloned();
        let ready = condition(status.conditions, ConditionType::Ready);
        let uid = meta.uid.clone().unwrap_or_default();
        let intent = note(annotation::INTENT)
            .and_then(|text| serde_json::from_str::<Intent>(text).ok())
            .filter(|intent| intent.uid == uid);
        Self {
            generation: meta.generation.unwrap_or_default(),
            observed_generation: status.observed_generation,
            created: meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0),
            deleting: meta.deletion_timestamp.is_some(),
            finalizer: meta.finalizers.as_ref().is_some_and(|all| all.iter().any(|f| f == FINALIZER)),
            intent,
            requested: unhandled(annotation::REQUESTED_AT, status.handled_request).is_some(),
            replace: unhandled(annotation::REPLACE, status.handled_replace),
            force_orphan: note(annotation::FORCE_ORPHAN).is_some_and(|v| v == "true"),
            ready: ready.is_some_and(|c| c.status == "True"),
            reason: ready.and_then(|c| Reason::parse(&c.reason)),
            uid,
            first_seen: Timestamp::UNIX_EPOCH,
            changed_at: Timestamp::UNIX_EPOCH,
            last_outcome: None,
            credentials: CredentialsState::default(),
            call_failures: 0,
            refusals: Vec::new(),
            confirm_cascade: note(annotation::CONFIRM_CASCADE).is_some_and(|v| v == "true"),
        }
    }

    /// Whether its status already speaks of this generation.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.observed_generation == Some(self.generation)
    }
}

/// The parts of a status that `ReconcileState` reads, the same in every kind.
#[derive(Clone, Copy, Debug)]
pub struct StatusFields<'a> {
    /// `status.observedGeneration`
    pub observed_generation: Option<i64>,
    /// `status.conditions`
    pub conditions: &'a [Condition],
    /// `status.lastHandledReconcileAt`
    pub handled_request: Option<&'a str>,
    /// `status.lastHandledReplace`
    pub handled_replace: Option<&'a str>,
}
