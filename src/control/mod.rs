//! The control room: the only writer to AppLink and to Kubernetes.
//!
//! It executes what the plan says, one effect at a time, and decides nothing itself. From the ground up:
//!
//! - `kind`, `gather`, `effects`: what a kind is, how its snapshot is gathered, what its effects call; `kinds` has them all.
//! - `stores`, `index`, `triggers`: the objects as the watches show them, and whom a change concerns.
//! - `context`: what all reconcilers share. `fence`, `guarded`, `permits`, `slots`: who may write, and how many at a time.
//! - `reconcile`, `execute`, `status`: the one way through, for one object.
//! - `run`, `queues`, `source`, `inputs`: the watches and queues, put together. `lease`: who leads.

mod context;
mod digests;
mod effects;
mod error;
mod events;
mod execute;
mod fence;
mod forbidden;
mod gather;
mod guarded;
mod health;
mod index;
mod inputs;
mod kind;
mod kinds;
pub mod lease;
mod outcome;
mod owned_secrets;
mod patch;
mod permits;
mod queues;
mod reconcile;
mod reconciler;
pub mod run;
pub mod scope;
mod setup;
mod slots;
mod source;
mod state_cache;
mod status;
mod stores;
#[cfg(test)]
mod tests;
mod triggers;
mod unreadable;
