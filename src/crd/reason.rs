//! The reasons of conditions and Events: an enumeration that users script against.
//!
//! Pure. `plan` picks them; `docs` and tests list them.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition has its value, or what an Event tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The reason as users read it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// A connection was seen connected.
    Connected,
    /// An authorization was seen authorized.
    Authorized,
    /// The API was seen published.
    Published,
    /// An add-on was found and its credential works.
    AddonReady,
    /// Nobody has looked yet.
    Pending,
    /// The remote object is being created.
    Creating,
    /// The service is still connecting.
    Connecting,
    /// The API is being published.
    Publishing,
    /// Somebody must open a link and consent.
    AwaitingUser,
    /// Nobody did in time.
    AuthorizationExpired,
    /// The remote object is being deleted.
    Deleting,
    /// The add-on this object refers to is not ready.
    AddonNotReady,
    /// The connection this object refers to is not connected.
    ConnectionNotReady,
    /// An object this one refers to does not exist.
    DependencyNotFound,
    /// A Secret, or a key of it, does not exist.
    SecretNotFound,
    /// A ConfigMap, or a key of it, does not exist.
    ConfigMapNotFound,
    /// A field cannot be used as it is.
    InvalidSpec,
    /// A Secret's content cannot be used as it is.
    InvalidSecret,
    /// Heroku or AppLink refuses the token.
    CredentialInvalid,
    /// The service says that the remote object failed.
    RemoteFailed,
    /// The service refused the request for good.
    RemoteRejected,
    /// Another resource holds the remote name.
    NameConflict,
    /// A remote object of this name was there first.
    AdoptionRefused,
    /// Connected, but not to the org or user that `expect` names.
    OrgMismatch,
    /// The add-on or app of that name is now another one.
    AddonChanged,
    /// Somebody else keeps deleting what is created here.
    Contested,
    /// A write-only input changed and `replacePolicy` is Never.
    ReplacementRequired,
    /// Observed, and nothing is there.
    RemoteMissing,
    /// Other objects depend on this one.
    DeletionBlocked,
    /// The service asks for fewer calls.
    RateLimited,
    /// Reachable: what is left of the operator's budget of calls is kept for edits.
    QuotaConstrained,
    /// The service does not answer, or answers with an error of its own.
    RemoteUnavailable,
    /// The service answers.
    Reachable,
    /// `spec.suspend` is true.
    Suspended,
    /// A data action target was seen created; Event: the remote object was created.
    Created,
    /// Event: a remote object that was there first was taken over.
    Adopted,
    /// Event: the remote object was deleted.
    Deleted,
    /// Event: the remote object was let go of.
    Orphaned,
    /// Event: the remote object had gone and was created anew.
    Recreated,
    /// Event: the API was published again, since what it is published with changed.
    Republished,
    /// Event: somebody else published over it, and the API was published again.
    DriftCorrected,
    /// Event: a field is used that Salesforce has deprecated.
    Deprecated,
}

impl Reason {
    /// The reason of that spelling, if it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.as_str() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
