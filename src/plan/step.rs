//! Steps: the closed list of effects that a plan can ask for.
//!
//! Pure. A step holds no secret and no content; `control::execute` builds the payload when it runs the step.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::state::Intent;

/// One effect for one object.
#[derive(Deserialize, Clone, Debug, PartialEq, Serialize, Eq, Hash)]
#[serde(tag = "step", rename_all = "camelCase")]
pub enum Step {
    /// Write the finalizer and the intent to the object. This comes before every creation.
    WriteIntent {
        /// What the operator is about to create.
        intent: Intent,
    },
    /// Write the finalizer and an intent that takes over an existing remote object.
    Adopt {
        /// Intent whose `id` is the remote ID.
        intent: Intent,
    },
    /// Write the finalizer only.
    AddFinalizer,
    /// Create the remote object that the intent announced.
    Create {
        /// Remote name.
        name: String,
        /// Whether the object once worked and then disappeared.
        recreate: bool,
    },
    /// Publish over an existing publication. AppLink uses the same call as for the first publication.
    Publish {
        /// Client name of the publication.
        name: String,
        /// Why.
        reason: PublishReason,
    },
    /// Update fields of the remote object in place. AppLink has no such call; other services do.
    Update {
        /// Remote ID.
        id: String,
        /// Names of the fields, sorted.
        fields: Vec<String>,
    },
    /// Delete the remote object.
    Delete {
        /// Remote ID.
        id: String,
    },
    /// Write the consent link of the remote object to the OAuth Secret.
    WriteOAuthSecret {
        /// Remote ID.
        id: String,
    },
    /// Delete the OAuth Secret, whose link is no longer valid.
    DeleteOAuthSecret,
    /// Read one remote object, because a listing may lag or lack fields.
    Get {
        /// Remote ID, or the name of an object whose ID is unknown.
        id: String,
    },
    /// List the data action targets that AppLink would delete together with a connection.
    ListTargets {
        /// Remote ID of the connection.
        id: String,
    },
    /// Read the credential of an authorization and write it to its Secret.
    WriteCredentialsSecret {
        /// Remote ID of the authorization.
        id: String,
        /// Name of the Secret.
        secret: String,
    },
    /// Delete the Secret that holds the credential.
    DeleteCredentialsSecret {
        /// Name of the Secret.
        secret: String,
    },
    /// Make the object the owner of a Secret that lost its owner, for example in a restore from a backup.
    SetSecretOwner {
        /// Name of the Secret.
        secret: String,
    },
    /// List the collections now, and plan again with the result.
    Poll,
    /// Poll often until AppLink has finished.
    AwaitRemote,
    /// Remove the finalizer, so that Kubernetes deletes the object.
    RemoveFinalizer {
        /// Remote ID or name of the object that deliberately stays in AppLink.
        orphaned: Option<String>,
    },
}

/// Why the operator publishes over an existing publication.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize, Hash)]
#[serde(rename_all = "camelCase")]
pub enum PublishReason {
    /// An input changed.
    Changed,
    /// Somebody else published.
    Drifted,
    /// The publication existed before the resource, and its content is unreadable.
    Adopted,
    /// The publication outlived its connection.
    Moved,
}

impl Step {
    /// Whether the step changes something in the remote service, or announces such a change. It then needs a write permit.
    #[must_use]
    pub fn mutates(&self) -> bool {
        matches!(self, Self::WriteIntent { .. } | Self::Delete { .. }) || self.sends_payload()
    }

    /// Whether the step calls the remote service, or announces a call.
    #[must_use]
    pub fn calls_remote(&self) -> bool {
        self.mutates() || matches!(self, Self::Get { .. } | Self::ListTargets { .. })
    }

    /// Whether the step sends the payload.
    #[must_use]
    pub fn sends_payload(&self) -> bool {
        self.needs_intent() || matches!(self, Self::Update { .. })
    }

    /// Whether an intent announces the step, because repeating it could create a second object.
    #[must_use]
    pub fn needs_intent(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Publish { .. })
    }

    /// Name of the step in metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::WriteIntent { .. } => "write_intent",
            Self::Adopt { .. } => "adopt",
            Self::AddFinalizer => "add_finalizer",
            Self::Create { .. } => "create",
            Self::Publish { .. } => "publish",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::WriteOAuthSecret { .. } => "write_oauth_secret",
            Self::DeleteOAuthSecret => "delete_oauth_secret",
            Self::Get { .. } => "get",
            Self::ListTargets { .. } => "list_targets",
            Self::WriteCredentialsSecret { .. } => "write_credentials_secret",
            Self::DeleteCredentialsSecret { .. } => "delete_credentials_secret",
            Self::SetSecretOwner { .. } => "set_secret_owner",
            Self::Poll => "poll",
            Self::AwaitRemote => "await_remote",
            Self::RemoveFinalizer { .. } => "remove_finalizer",
        }
    }

    /// Whether the step only waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self, Self::Poll | Self::AwaitRemote)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteIntent { intent } => write!(f, "write intent {}", intent.attempt),
            Self::Adopt { intent } => write!(f, "adopt {}", intent.id.as_deref().unwrap_or_default()),
            Self::AddFinalizer => f.write_str("add finalizer"),
            Self::Create { name, .. } => write!(f, "create {name}"),
            Self::Publish { name, .. } => write!(f, "publish {name} again"),
            Self::Update { id, fields } => write!(f, "update {} of {id}", fields.join(", ")),
            Self::Delete { id } => write!(f, "delete {id}"),
            Self::WriteOAuthSecret { id } => write!(f, "write OAuth Secret for {id}"),
            Self::DeleteOAuthSecret => f.write_str("delete OAuth Secret"),
            Self::Get { id } => write!(f, "get {id}"),
            Self::ListTargets { id } => write!(f, "list targets of {id}"),
            Self::WriteCredentialsSecret { secret, .. } => write!(f, "write credentials Secret {secret}"),
            Self::DeleteCredentialsSecret { secret } => write!(f, "delete credentials Secret {secret}"),
            Self::SetSecretOwner { secret } => write!(f, "set owner of Secret {secret}"),
            Self::Poll => f.write_str("poll"),
            Self::AwaitRemote => f.write_str("await remote"),
            Self::RemoveFinalizer { orphaned: Some(id) } => write!(f, "remove finalizer, orphan {id}"),
            Self::RemoveFinalizer { orphaned: None } => f.write_str("remove finalizer"),
        }
    }
}
