//! The simulated world: one Heroku account, its apps and add-ons, and AppLink's connections and
//! authorizations.
//!
//! Must not read a clock or do I/O: every operation that depends on time is given it. Ids and
//! tokens are drawn at random, as the service's are. Called by `http` and, through
//! `Simulator::world`, by the tests.
//!
//! - `account`: tokens and the rate limit. `budget`: what is left of such a limit. `places`: apps, add-ons and their config vars.
//! - `sso`: the `x-addon-sso` payload. `collection`: connections or authorizations. `access`: one of either, and its
//!   history. `accesses`: what can be done to them. `consent`: who is asked for it, and what comes of it.
//! - `publications`, `targets`: what hangs on connections. `ties`: by what. `uploads`: what is published.
//! - `names`: who holds one. `salesforce`: made-up orgs.

mod access;
mod accesses;
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

pub use self::access::{ACCESS_TOKEN_MARK, Access, Grant, NewAccess, Planted, RemoteError, Status, Transition};
pub use self::account::Account;
pub(crate) use self::addon::is_id;
pub use self::addon::{Addon, AddonState, App, Attachment};
pub use self::collection::{Collection, Provider};
pub use self::consent_link::CONSENT_MARKS;
pub(crate) use self::consent_link::DeadLink;
pub use self::error::StateError;
pub use self::publication::{Edition, NewPublication, Publication};
pub use self::salesforce::Org;
pub(crate) use self::salesforce::SOMEBODY;
pub(crate) use self::sso::Sso;
pub use self::target::{NewTarget, Target, TargetKind, TargetStatus, TargetTransition};
pub use self::uploads::{Archive, ArchiveEntry, Upload, UploadError};
pub use self::world::World;
