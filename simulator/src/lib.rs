//! Heroku AppLink and the part of the Heroku Platform API around it, as their documentation and the
//! Heroku CLI describe them, for tests and for `make demo`.
//!
//! It must share no type with the rest of the crate: a client and a simulator built on the same
//! types would be wrong together. Hence only `super::` and `self::` paths below this folder.
//!
//! Called by the tests, in-process through [`Simulator::router`], and by the `applink-simulator`
//! binary, on a socket.
//!
//! - `state`: the world (accounts, apps, add-ons, connections and what hangs on them, authorizations), pure: time is
//!   passed in.
//! - `settings`: the switches for everything that the documentation leaves open.
//! - `faults`: what shall go wrong, and when. `requests`: what was asked.
//! - `http`: both APIs and the control API under `/_control/`. `tls`: the same by HTTPS.

mod faults;
mod http;
mod requests;
mod seed;
mod serve;
mod settings;
mod simulator;
mod state;
mod tls;
mod token;

pub use self::faults::{Fault, FaultError, Faults, What, Where};
pub use self::requests::{Api, RequestLog, RequestRecord};
pub use self::seed::Seed;
pub use self::settings::{
    Abandoned, AcceptedBearer, AccessToken, AddonSegment, ChangeRefusal, CreateAnswer, DeleteAnswer, DeleteStatus,
    Dialect, ErrorShape, JwtFailure, LinkServed, ListedAddonId, NameCase, NamePlace, NameRule, Omitted, OmittedAs,
    OmittedOfPublication, OneAnswer, PageHeader, PendingOrg, PublicationSettings, PublishAnswer, Republish, RetryAfter,
    Settings, SettingsError, SsoCheck, SsoFreshness, SsoRefusal, SsoVariant, StatusAfterDelete, StatusKey, StatusWords,
    TakenAlias, TakenByAnotherApp, TakenName, TakenTarget, TargetFailure, TargetList, TargetSettings, TargetWords,
    UnknownAnswer, UnknownApp,
};
pub use self::simulator::{Clock, Simulator};
pub use self::state::{
    ACCESS_TOKEN_MARK, Access, Account, Addon, AddonState, App, Archive, ArchiveEntry, Attachment, CONSENT_MARKS,
    Collection, Edition, Grant, NewAccess, NewPublication, NewTarget, Org, Planted, Provider, Publication, RemoteError,
    StateError, Status, Target, TargetKind, TargetStatus, TargetTransition, Transition, Upload, UploadError, World,
};
pub use self::tls::{Tls, TlsError};
pub use self::token::Token;
