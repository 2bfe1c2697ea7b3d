//! Heroku AppLink and the part of the Heroku Platform API around it, as their documentation and the
//! Heroku CLI describe them, for tests and for `make demo`.
//!
//! It shares no type with the operator: a client and a simulator built on the same types would have the same
//! mistakes.
//!
//! Called by the tests, in-process through [`Simulator::router`], and by the `applink-simulator`
//! binary, on a socket.
//!
//! - `state`: the simulated world: accounts, apps, add-ons, connections with their children, authorizations. Pure: the
//!   caller passes the time.
//! - `settings`: a setting for each thing that the documentation leaves open.
//! - `faults`: injected faults. `requests`: the request log.
//! - `simulator`: all of these behind one lock.
//! - `http`: both APIs, and the control API under `/_control/`. `serve`, `tls`: serving them over HTTP and HTTPS.

// The fields of the simulated service need no explanation.
#![allow(missing_docs)]

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
    ACCESS_TOKEN_MARK, Account, Addon, AddonState, App, Archive, ArchiveEntry, Attachment, AuthMethod, CONSENT_MARKS,
    Collection, Edition, NewOrgAccess, NewPublication, NewTarget, Org, OrgAccess, Planted, Provider, Publication,
    RemoteError, StateError, Status, Target, TargetKind, TargetStatus, TargetTransition, Transition, Upload,
    UploadError, World,
};
pub use self::tls::{Tls, TlsError};
pub use self::token::Token;
