//! The reasons of conditions and Events: an enumeration that users script against.
//!
//! Pure. `plan` picks them; `docs` and tests list them.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $remedy:literal,)+) => {
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

            /// What it means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// What a user can do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)+ }
            }
        }
    };
}

reasons! {
    /// A connection was seen connected.
    Connected => "nothing.",
    /// An authorization was seen authorized.
    Authorized => "nothing.",
    /// The API was seen published.
    Published => "nothing.",
    /// An add-on was found and its credential works.
    AddonReady => "nothing.",
    /// Nobody has looked yet.
    Pending => "nothing; if it stays so for more than a minute, see whether the operator runs, and what its `/readyz` says of this namespace. Whatever the API server refuses is in the message of another reason, not here.",
    /// The remote object is being created.
    Creating => "nothing; the next state follows within a poll. If the message names a request that the API server refused, change the policy, quota or right that forbids it; the operator tries again by itself.",
    /// The service is still connecting.
    Connecting => "nothing; AppLink takes seconds, rarely minutes.",
    /// The API is being published.
    Publishing => "nothing; Salesforce takes seconds, rarely minutes.",
    /// Somebody must open a link and consent.
    AwaitingUser => "open the link, key `url` of the Secret that the message and `status.oauthSecretName` name, within 15 minutes. Give it to nobody but the person who may consent.",
    /// Nobody did in time.
    AuthorizationExpired => "set `applink.dev/requestedAt` to a new value when the person is there: that gets a new link.",
    /// The remote object is being deleted.
    Deleting => "nothing. If the message says that the deletion cannot go on, remove the cause that it names. To delete the resource without the remote object, set `applink.dev/force-orphan: \"true\"`.",
    /// The add-on this object refers to is not ready.
    AddonNotReady => "see what the AppLinkAddon says; this object goes on once that is Ready. For an add-on that says so itself: wait until Heroku has set it up.",
    /// The connection this object refers to is not connected.
    ConnectionNotReady => "see what the Connection says; this object goes on once that is connected.",
    /// An object this one refers to does not exist.
    DependencyNotFound => "apply the object that the message names, in the same namespace, or correct the reference.",
    /// A Secret, or a key of it, does not exist.
    SecretNotFound => "create the Secret or the key that the message names, in the same namespace; it is noticed at once.",
    /// A ConfigMap, or a key of it, does not exist.
    ConfigMapNotFound => "create the ConfigMap or the key that the message names, in the same namespace; it is noticed at once.",
    /// A field cannot be used as it is, or what it names: an OpenAPI document that is none, an app that is not there.
    InvalidSpec => "correct what the message names. For a document it tells the line.",
    /// A Secret's content cannot be used as it is.
    InvalidSecret => "put into the Secret what the message asks for. A private key is one RSA key of 2048 bits or more in PEM (PKCS#1 or PKCS#8), without a passphrase; certificates beside it do no harm.",
    /// Heroku or AppLink refuses the token.
    CredentialInvalid => "make a new token with `heroku authorizations:create`, as a user who may manage the app, and put it into the Secret that `spec.tokenSecretRef` of the AppLinkAddon names.",
    /// The service says that the remote object failed; the message repeats its cause.
    RemoteFailed => "check key, user, client id and login URL against Salesforce. A corrected input is tried at once where it never worked before; `applink.dev/replace` with a new value has it deleted and made anew. A DataActionTarget cannot be made anew under its name: see its page.",
    /// The service refused the request for good; the message repeats what it said.
    RemoteRejected => "correct what the message says. The same request is tried again only after some minutes, or when `applink.dev/requestedAt` gets a new value.",
    /// Another resource holds the remote name.
    NameConflict => "delete one of the two, or give one another name in AppLink. The one that has the name keeps it.",
    /// A remote object of this name was there first.
    AdoptionRefused => "do what the message says: let it be taken over (`adoptionPolicy: IfMatching` and inputs that match), delete it in AppLink, choose another name, or only watch it with `managementPolicy: Observe`.",
    /// Connected, but not to the org or user that `expect` names.
    OrgMismatch => "correct `spec.expect`, or set `applink.dev/replace` to a new value to connect anew and pick the right org. Until then nothing that depends on it is made.",
    /// The add-on or app of that name is now another one.
    AddonChanged => "create another AppLinkAddon for the new one, or restore the old one on Heroku. Nothing on either is touched.",
    /// Somebody else keeps deleting, or publishing over, what is made here.
    Contested => "find out who: often a second cluster that manages the same add-on, where `managementPolicy: Observe` on the AppLinkAddon ends it. Then set `applink.dev/requestedAt` to a new value.",
    /// A write-only input changed and `replacePolicy` is Never.
    ReplacementRequired => "change the input back, set `applink.dev/replace` to a new value to have the remote object deleted and made anew once, or set `replacePolicy: DeleteAndRecreate` for good. Until then the old one goes on working; if it fails, that is said instead.",
    /// Observed, and nothing is there.
    RemoteMissing => "set `managementPolicy: Full` to have it made, or delete this object.",
    /// Other objects depend on this one.
    DeletionBlocked => "delete the objects that the message names first. If it says why they cannot be deleted, remove that cause, such as a missing Secret, before you force anything. For the targets of a Data Cloud connection, `applink.dev/confirm-cascade: \"true\"` lets them go with it.",
    /// The service asks for fewer calls.
    RateLimited => "nothing; what was Ready stays so. If it comes back often, set a longer `pollInterval`, and see what else uses the Heroku account.",
    /// Reachable: what is left of the operator's budget of calls is kept for edits.
    QuotaConstrained => "nothing, or set a longer `pollInterval`: polls are put off, edits are not.",
    /// The service does not answer, or answers with an error of its own.
    RemoteUnavailable => "nothing; it is tried again, and what was Ready stays so. See [status.heroku.com](https://status.heroku.com) if it lasts.",
    /// The service answers.
    Reachable => "nothing.",
    /// `spec.suspend` is true.
    Suspended => "set `spec.suspend: false` to go on; a deletion waits for that, too.",
    /// A data action target was seen created; Event: the remote object was created.
    Created => "nothing.",
    /// Event: a remote object that was there first was taken over.
    Adopted => "nothing.",
    /// Event: the remote object was deleted.
    Deleted => "nothing.",
    /// Event: the remote object was let go of.
    Orphaned => "nothing, if you asked for it. The remote object stays in AppLink as it is: delete it there if you want it gone.",
    /// Event: the remote object had gone and was created anew.
    Recreated => "find out who deleted it, if it was not you.",
    /// Event: the API was published again, since what it is published with changed.
    Republished => "nothing.",
    /// Event: somebody else published over it, and the API was published again.
    DriftCorrected => "find out who published, if it was not you: often a deploy script that still calls `heroku salesforce:publish`.",
    /// Event: a field is used that Salesforce has deprecated.
    Deprecated => "move to what the message names before Salesforce takes the old way away.",
}

impl Reason {
    /// The reason of that spelling, if it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.as_str() == text)
    }

    /// Whether the service is away or asks for fewer calls, which passes; nothing else is wrong then.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(self, Self::RateLimited | Self::RemoteUnavailable)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
