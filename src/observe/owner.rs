//! What the observer and `control` know of each other: the poller of an owner, and the callbacks of the observer.
//!
//! Interfaces only.

use std::sync::Arc;
use std::time::Duration;

use super::pass::Subscription;
use super::trigger::{Key, Trigger};
use crate::budget::Purpose;
use crate::crd::AppLinkAddonStatus;
use crate::heroku::AddonSelector;

/// Callbacks of the observer.
#[derive(Clone)]
pub struct Hooks {
    /// Receives each trigger.
    pub wake: Arc<dyn Fn(Trigger) + Send + Sync>,
    /// Returns what to list on an add-on.
    pub subscription: Arc<dyn Fn(&Key) -> Subscription + Send + Sync>,
}

/// The poller of one owner of remote objects, as a reconcile sees it: an add-on, or something else that has them.
pub trait OwnerPoller: Send + Sync {
    /// Remote ID of the owner, once it is known. Several resources may have the same owner.
    fn owner_id(&self) -> Option<String>;
    /// Requests a poll now. `who` is woken after a poll that began after this call.
    fn request_poll(&self, who: Key, purpose: Purpose);
    /// Sets whether `who` waits for the service. The owner is polled often while somebody waits.
    fn set_waiting(&self, who: &Key, waits: bool);
}

/// How to poll one add-on.
#[derive(Clone, Debug)]
pub struct PollSettings {
    /// Which add-on, with which token.
    pub selector: AddonSelector,
    /// Interval between regular polls.
    pub poll: Duration,
    /// Recorded IDs, which the add-on must still have.
    pub recorded: AppLinkAddonStatus,
}
