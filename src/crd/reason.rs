//! The reasons of conditions and Events: an enumeration that users script against.
//!
//! Pure. `plan` chooses them; `docs` and tests list them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($group:literal { $($(#[doc = $doc:literal])+ $name:ident => $remedy:literal,)+ })+) => {
        /// Why a condition has its value, or why an Event was published.
        #[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($($(#[doc = $doc])+ $name,)+)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// Every reason, by who acts next, under a heading.
            pub const GROUPS: &'static [(&'static str, &'static [Self])] = &[$(($group, &[$(Self::$name,)+]),)+];

            /// The reason as users read it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)+)+ }
            }

            /// What it means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $($(Self::$name => concat!($($doc),+).trim_ascii(),)+)+ }
            }

            /// What a user can do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $($(Self::$name => $remedy,)+)+ }
            }
        }
    };
}

reasons! {
    "You must act" {
        /// The name of the app or add-on now belongs to another one.
        AddonChanged => "create another AppLinkAddon for the new one, or restore the old one on Heroku. The operator touches neither.",
        /// A remote object of this name existed before the resource, and the operator may not adopt it.
        AdoptionRefused => "follow the message. You can let the operator adopt the object (`adoptionPolicy: IfMatching` and inputs that match), delete the object in AppLink, choose another name, or watch the object with `managementPolicy: Observe`.",
        /// Nobody opened the consent link in time.
        AuthorizationExpired => "set `applink.dev/requestedAt` to a new value when the person is ready. The operator then gets a new link.",
        /// Somebody else keeps deleting the remote object, or keeps publishing over it.
        Contested => "find out who does it. Often a second cluster manages the same add-on; set `managementPolicy: Observe` on its AppLinkAddon. Then set `applink.dev/requestedAt` to a new value.",
        /// Heroku or AppLink refuses the token.
        CredentialInvalid => "create a new token with `heroku authorizations:create`, as a user who may manage the app. Store it in the Secret that `spec.tokenSecretRef` of the AppLinkAddon names.",
        /// The content of a Secret is unusable.
        InvalidSecret => "store what the message asks for. A private key is one RSA key of at least 2048 bits in PEM format (PKCS#1 or PKCS#8), without a passphrase. Certificates beside it do no harm.",
        /// A field, or the thing that it refers to, is unusable: for example, a document that is not OpenAPI, or an app that does not exist.
        InvalidSpec => "correct what the message names. For a document, the message gives the line.",
        /// Another resource holds the remote name.
        NameConflict => "delete one of the two resources, or give one of them another name in AppLink. The resource that holds the name keeps it.",
        /// The connection works, but leads to another org or user than `expect` names.
        OrgMismatch => "correct `spec.expect`, or set `applink.dev/replace` to a new value to connect again and pick the right org. Until then, the operator creates nothing that depends on it.",
        /// AppLink reports that the remote object failed; the message repeats the cause.
        RemoteFailed => "check the key, user, client ID and login URL against Salesforce. If the object never worked, the operator tries a corrected input at once. Otherwise set `applink.dev/replace` to a new value: the operator deletes the object and creates it again. You cannot recreate a DataActionTarget under its name; see [its page](dataactiontarget.md).",
        /// The resource is only observed, and the remote object does not exist.
        RemoteMissing => "set `managementPolicy: Full` to create it, or delete this resource.",
        /// The service refused the request permanently; the message repeats its answer.
        RemoteRejected => "correct what the message says. The operator repeats the same request only after some minutes, or when you set `applink.dev/requestedAt` to a new value.",
        /// A write-only input changed, and `replacePolicy` is `Never`.
        ReplacementRequired => "change the input back, set `applink.dev/replace` to a new value to replace the remote object once, or set `replacePolicy: DeleteAndRecreate` to replace it at every change. Until then the old object keeps working. If it fails, the resource says so instead.",
    }
    "Waiting for something or somebody" {
        /// The AppLinkAddon that this resource refers to is not ready.
        AddonNotReady => "look at the AppLinkAddon; this resource continues when the AppLinkAddon is Ready. If the AppLinkAddon itself has this reason, wait until Heroku has provisioned the add-on.",
        /// Somebody must open the consent link.
        AwaitingUser => "open the link within 15 minutes. It is in key `url` of the Secret that the message and `status.oauthSecretName` name. Give it only to the person who may consent.",
        /// A ConfigMap, or a key in it, does not exist.
        ConfigMapNotFound => "create the ConfigMap or the key that the message names, in the same namespace. The operator notices it at once.",
        /// The Connection that this resource refers to is not connected.
        ConnectionNotReady => "look at the Connection; this resource continues when it is connected.",
        /// Other resources depend on this one, which is being deleted.
        DeletionBlocked => "delete the resources that the message names first. If the message says why they cannot be deleted, remove that cause, such as a missing Secret, before you force anything. For the targets of a Data Cloud connection, `applink.dev/confirm-cascade: \"true\"` allows their deletion together with the connection.",
        /// A resource that this one refers to does not exist.
        DependencyNotFound => "apply the resource that the message names, in the same namespace, or correct the reference.",
        /// A Secret, or a key in it, does not exist.
        SecretNotFound => "create the Secret or the key that the message names, in the same namespace. The operator notices it at once.",
    }
    "The operator is at work" {
        /// AppLink is still connecting.
        Connecting => "nothing; this takes seconds, rarely minutes.",
        /// The operator is creating the remote object.
        Creating => "nothing; the next state follows within one poll. If the message names a request that the API server refused, change the policy, quota or right that forbids it. The operator tries again by itself.",
        /// The operator is deleting the remote object.
        Deleting => "nothing. If the message says that the deletion is stuck, remove the cause that it names. To delete the resource without the remote object, set `applink.dev/force-orphan: \"true\"`.",
        /// The operator has not looked at the resource yet.
        Pending => "nothing. If this lasts for more than a minute, check that the operator runs, and what its `/readyz` says about this namespace. If the API server refuses a request, another reason and its message say so.",
        /// The operator is publishing the API.
        Publishing => "nothing; Salesforce takes seconds, rarely minutes.",
    }
    "The service is away or busy" {
        /// Condition `Reachable`: the operator keeps the rest of its call budget for edits.
        QuotaConstrained => "nothing, or set a longer `pollInterval`. The operator defers polls, but not edits.",
        /// The service asks for fewer calls.
        RateLimited => "nothing; what was Ready stays Ready. If it happens often, set a longer `pollInterval`, and check what else uses the Heroku account.",
        /// Condition `Reachable`: the service answers.
        Reachable => "nothing.",
        /// The service does not answer, or answers with an error of its own.
        RemoteUnavailable => "nothing; the operator tries again, and what was Ready stays Ready. If it lasts, see [status.heroku.com](https://status.heroku.com).",
    }
    "All is well" {
        /// The operator found the add-on, and its credential works.
        AddonReady => "nothing.",
        /// The authorization works.
        Authorized => "nothing.",
        /// The connection works.
        Connected => "nothing.",
        /// The data action target exists. As an Event: the operator created the remote object.
        Created => "nothing.",
        /// The API is published.
        Published => "nothing.",
        /// `spec.suspend` is true, so `Ready` keeps its last status.
        Suspended => "set `spec.suspend: false` to resume. A deletion waits for that, too.",
    }
    "Events only" {
        /// The operator adopted a remote object that existed before the resource.
        Adopted => "nothing.",
        /// The operator deleted the remote object.
        Deleted => "nothing.",
        /// A field is in use that Salesforce has deprecated.
        Deprecated => "move to what the message names before Salesforce removes the old way.",
        /// Somebody else published over the API, and the operator published it again.
        DriftCorrected => "find out who published, if it was not you. Often a deploy script still calls `heroku salesforce:publish`.",
        /// The operator left the remote object in AppLink.
        Orphaned => "nothing, if you asked for it. The remote object stays in AppLink as it is. Delete it there if you do not need it.",
        /// The remote object was gone, and the operator created it again.
        Recreated => "find out who deleted it, if it was not you.",
        /// The operator published the API again because the document, its names, its metadata or its connection changed.
        Republished => "nothing.",
    }
}

impl Reason {
    /// The reason with this spelling, if it is one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.as_str() == text)
    }

    /// Whether the service is unreachable or asks for fewer calls. Both pass, and nothing else is wrong.
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
