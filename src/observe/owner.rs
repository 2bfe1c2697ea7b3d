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
    /// Sets whether and for what `who` waits. The owner is polled often while an object waits.
    fn set_waiting(&self, who: &Key, wait: Option<Wait>);
}

/// What an object waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For progress that may already have happened, so the first poll comes soon.
    Progress,
    /// For the end of a deletion. The object reads it by ID, because lists may lag, so polls need not come soon.
    Deletion,
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
