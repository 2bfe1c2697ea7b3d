//! The whole operator in one process on tokio's paused clock, between the in-memory API server and the simulator. All
//! three share one virtual time, so hours pass in milliseconds, and a kill can strike at any request.
//!
//! No test here opens a socket or waits in real time. What needs the rules of a real API server is tested in
//! `tests/e2e`.

#[path = "../support/mod.rs"]
mod support;

mod behaviours;
mod inspect;
mod log;
mod tap;
mod world;

mod addon_lookup;
mod adopt;
mod app_renamed;
mod authorization;
mod budget;
mod bulkhead;
mod canary;
mod clocks;
mod connection_children;
mod consent;
mod contested;
mod crash;
mod crash_consent;
mod create;
mod create_responses;
mod credential;
mod deadlines;
mod deletion;
mod dependencies;
mod fence;
mod idle;
mod keys;
mod lagging_lists;
mod lease;
mod list_outage;
mod liveness;
mod malformed;
mod metadata_wiped;
mod namespaces;
mod outage;
mod permits;
mod phases;
mod policies;
mod poll_cost;
mod publication;
mod publication_behaviours;
mod publication_crash;
mod publication_deletion;
mod publication_ownership;
mod publish;
mod refusals;
mod refused_writes;
mod replace;
mod reported_cause;
mod republish;
mod restore;
mod service_behaviours;
mod sets;
mod shared_polls;
mod slots;
mod stop;
mod target;
mod teardown;
mod waits;
mod write_order;
mod writes;
