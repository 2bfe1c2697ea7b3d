//! What can be done for an object: a closed list, so that a plan can be printed, logged and compared.
//!
//! Pure. Holds no secret: what a creation sends stays with the shell. `control::apply` carries steps out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::remote::PublishReason;
use super::state::Intent;

/// One thing to do for one object.
#[derive(Deserialize, Clone, Debug, PartialEq, Serialize, Eq, Hash)]
#[serde(tag = "step", rename_all = "camelCase")]
pub enum Step {
    /// Write finalizer and intent to the object: the word given before anything is created.
    WriteIntent {
        /// What is about to be created.
        intent: Intent,
    },
    /// Write finalizer and intent to the object, in which it claims a remote object that was there first.
    Adopt {
        /// What is claimed, by its id.
        intent: Intent,
    },
    /// Write the finalizer alone.
    AddFinalizer,
    /// Create the remote object that the intent announced.
    Create {
        /// Remote name.
        name: String,
        /// Whether one was in working order before, and went away.
        anew: bool,
    },
    /// Publish over what is published: AppLink takes the same call for both.
    Publish {
        /// Remote name.
        name: String,
        /// What for.
        again: PublishReason,
    },
    /// Delete the remote object of this id.
    Delete {
        /// Remote id.
        id: String,
    },
    /// Put the link by which a person consents to the remote object of this id into a Secret of ours.
    WriteOAuthSecret {
        /// Remote id.
        id: String,
    },
    /// Delete that Secret: its link leads nowhere any more.
    DeleteOAuthSecret,
    /// Read the remote object of this id: a listing's silence does not prove that it is gone, nor does a list tell all.
    Get {
        /// Remote id.
        id: String,
    },
    /// Have listed what would go with the connection of this id.
    ListTargets {
        /// Remote id.
        id: String,
    },
    /// Read the credential, and keep it in this Secret of ours.
    WriteCredentialsSecret {
        /// Remote id of what it is of.
        id: String,
        /// Name of the Secret.
        secret: String,
    },
    /// Delete the Secret of ours that keeps, or kept, the credential.
    DeleteCredentialsSecret {
        /// Name of the Secret.
        secret: String,
    },
    /// Make the object the owner of this Secret again, which a restore left without one.
    SetSecretOwner {
        /// Name of the Secret.
        secret: String,
    },
    /// Have the collections listed now, and plan again with what they show.
    Poll,
    /// The service is at work: have the collections listed often until it is done.
    AwaitRemote,
    /// Let the object go: take the finalizer off.
    RemoveFinalizer {
        /// The remote object that is left behind on purpose.
        orphaned: Option<String>,
    },
}

impl Step {
    /// Whether this step changes something in AppLink, or announces such a change: it needs a permit to write.
    #[must_use]
    pub fn mutates(&self) -> bool {
        matches!(self, Self::WriteIntent { .. } | Self::Create { .. } | Self::Publish { .. } | Self::Delete { .. })
    }

    /// Whether this step sends what is declared to AppLink: it needs the payload.
    #[must_use]
    pub fn makes(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Publish { .. })
    }

    /// Whether there is only waiting to be done.
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
