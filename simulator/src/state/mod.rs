//! The simulated world: one Heroku account, its apps and add-ons, and AppLink's connections and authorizations.
//!
//! Must not read a clock or do I/O: callers pass the time. Ids and tokens are random, like the service's. Called by `http`
//! and, through `Simulator::world`, by the tests.
//!
//! Types:
//!
//! - `account`: tokens and the rate limit. `budget`: the rest of a rate limit. `addon`: apps and add-ons.
//! - `collection`: connections or authorizations. `org_access`: one of them, with its history. `consent_link`: the link
//!   that it may have. `salesforce`: made-up orgs.
//! - `publication`, `target`: the children of connections. `connection_ref`: how they refer to it. `uploads`: what is
//!   published.
//! - `world`: all of these. `error`: why the service refuses a request.
//!
//! What happens to them:
//!
//! - `apps`: add, change, remove. `sso`: the `x-addon-sso` payload.
//! - `org_accesses`: connect, disconnect, find. `names`: whether a name is free. `consent`: ask for consent, give it.
//! - `publications`, `targets`: create, find, remove. `children`: what both need of their connection.

mod account;
mod addon;
mod apps;
mod budget;
mod children;
mod collection;
mod connection_ref;
mod consent;
mod consent_link;
mod error;
mod names;
mod org_access;
mod org_accesses;
mod publication;
mod publications;
mod salesforce;
mod sso;
mod target;
mod targets;
#[cfg(test)]
mod tests;
mod uploads;
mod world;

pub use self::account::Account;
pub(crate) use self::addon::is_id;
pub use self::addon::{Addon, AddonState, App, Attachment};
pub use self::collection::{Collection, Provider};
pub use self::consent_link::CONSENT_MARKS;
pub(crate) use self::consent_link::LinkError;
pub use self::error::StateError;
pub use self::org_access::{
    ACCESS_TOKEN_MARK, AuthMethod, NewOrgAccess, OrgAccess, Planted, RemoteError, Status, Transition,
};
pub use self::publication::{Edition, NewPublication, Publication};
pub(crate) use self::salesforce::DEFAULT_USERNAME;
pub use self::salesforce::Org;
pub(crate) use self::sso::Sso;
pub use self::target::{NewTarget, Target, TargetKind, TargetStatus, TargetTransition};
pub use self::uploads::{Archive, ArchiveEntry, Upload, UploadError};
pub use self::world::World;
