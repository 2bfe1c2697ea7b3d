//! The calls to a remote service that the steps of a kind need.
//!
//! One call per method, and no decision. Every answer goes to the observer, where the next snapshot reads it.

use super::context::Context;
use super::error::Error;
use super::gather::Gather;
use super::owned_secrets::SecretContent;
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::{ConsentLink, Phase};
use crate::plan::inputs::OrgAccessPayload;
use crate::plan::inputs::publication::PublicationPayload;
use crate::plan::transition::{CallFailure, FailureKind};

/// A kind whose steps can be executed. A kind implements the calls that its plans ask for, and no others.
pub(super) trait Effects: Gather {
    /// What a creation, a publish call or an update sends.
    type Payload: Payload;

    /// Builds the payload. `None` if the inputs have become unusable.
    fn payload(&self, _ctx: &Context) -> impl Future<Output = Result<Option<Self::Payload>, Error>> + Send {
        std::future::ready(Ok(None))
    }
    /// A part of the owner that accepts one writer at a time, even if the owner accepts several.
    fn exclusive_scope(&self, _ctx: &Context) -> Option<String> {
        None
    }
    /// Creates the remote object, or publishes over it.
    fn create(
        &self,
        _ctx: &Context,
        _payload: &Self::Payload,
    ) -> impl Future<Output = Result<Made, CallFailure>> + Send {
        unsupported()
    }
    /// Updates the remote object with this ID.
    fn update(
        &self,
        _ctx: &Context,
        _id: &str,
        _payload: &Self::Payload,
    ) -> impl Future<Output = Result<(), CallFailure>> + Send {
        unsupported()
    }
    /// Deletes the remote object with this ID.
    fn delete(&self, _ctx: &Context, _id: &str) -> impl Future<Output = Result<(), CallFailure>> + Send {
        unsupported()
    }
    /// Reads the remote object with this ID.
    fn get(&self, _ctx: &Context, _id: &str) -> impl Future<Output = Result<(), CallFailure>> + Send {
        unsupported()
    }
    /// Lists the targets that AppLink would delete together with the connection with this ID.
    fn list_targets(&self, _ctx: &Context, _id: &str) -> impl Future<Output = Result<(), CallFailure>> + Send {
        unsupported()
    }
    /// Reads the credential of the authorization with this ID. `urgent` if somebody waits for it.
    fn read_credentials(
        &self,
        _ctx: &Context,
        _id: &str,
        _urgent: bool,
    ) -> impl Future<Output = Result<SecretContent, CallFailure>> + Send {
        unsupported()
    }
    /// The consent link of the remote object with this ID, if it is known.
    fn consent_link(&self, _ctx: &Context, _id: &str) -> Option<ConsentLink> {
        None
    }
}

/// What a creation, a publish call or an update sends.
pub(super) trait Payload: Send + Sync {
    /// Digest of the inputs that it was built from. The intent that announces the call has the same digest.
    fn hash(&self) -> &str;
}

impl Payload for OrgAccessPayload {
    fn hash(&self) -> &str {
        &self.hash
    }
}

impl Payload for PublicationPayload {
    fn hash(&self) -> &str {
        &self.hash
    }
}

/// The payload of a kind whose call sends nothing but fields of the spec.
impl Payload for String {
    fn hash(&self) -> &str {
        self
    }
}

/// The answer to a creation.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) phase: Phase,
}

/// A plan asked for a call that its kind does not have. That is a bug, and must not end the process.
fn unsupported<T: Send>() -> impl Future<Output = Result<T, CallFailure>> + Send {
    let text = "the operator has no call for this step; please report this as a bug".to_owned();
    let report = ConditionReport::in_progress(Reason::Pending, text.clone());
    std::future::ready(Err(CallFailure { report, kind: FailureKind::NotCarriedOut, text, retry_after: None }))
}
