//! The only source of remote state: one poller per add-on lists the collections, however many objects there are.
//!
//! Writes neither to Kubernetes nor to AppLink. `control` says which add-ons to poll, requests polls, passes on the answers
//! to its own writes, and is woken when something changes.
//!
//! - `observer` has the pollers. A `poller` decides when to poll (`schedule`), whatever its `source` is.
//! - `addon` is the source for an add-on: a `pass` makes the list calls (`shared` between pollers of the same add-on), and the
//!   `cache` keeps what they show.
//! - `owner`, `trigger`: what the observer and `control` know of each other.

mod addon;
mod cache;
mod observer;
mod owner;
mod pass;
mod poller;
mod report;
mod schedule;
mod shared;
mod source;
mod trigger;

pub use cache::CollectionRef;
pub use observer::Observer;
pub use owner::{Hooks, OwnerPoller, PollSettings, Wait};
pub use pass::{ChildListing, ChildObservations, Subscription};
pub use poller::Poller;
pub use report::report_for;
pub use source::{Pass, PassFailure, PassResult, Source};
pub use trigger::{Key, Trigger};
