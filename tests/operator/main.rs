//! The whole operator in one process, on tokio's paused clock: the in-memory API server on one side, the simulator on the
//! other, and one virtual time for all three. Hours pass in milliseconds, and a kill can strike at any request.
//!
//! No test here opens a socket or waits in real time; what needs the rules of a real API server is tested end to end.

#[path = "../support/mod.rs"]
mod support;

mod log;
mod look;
mod tap;
mod under;
mod world;

mod adopt;
mod answers;
mod authorization;
mod budget;
mod bulkhead;
mod canary;
mod causes;
mod clocks;
mod consent;
mod contest;
mod cost;
mod crash;
mod crash_consent;
mod create;
mod credential;
mod deadlines;
mod deletion;
mod depend;
mod fence;
mod keys;
mod lease;
mod liveness;
mod lodgers;
mod malformed;
mod namespaces;
mod observe;
mod order;
mod outage;
mod partial;
mod permits;
mod phases;
mod publish;
mod publish_again;
mod publish_crash;
mod publish_end;
mod publish_shared;
mod publish_switches;
mod publishing;
mod refusals;
mod refused_writes;
mod rename;
mod replace;
mod resolve;
mod rest;
mod restore;
mod sets;
mod shared_polls;
mod slots;
mod stale;
mod stop;
mod switches;
mod target;
mod teardown;
mod waits;
mod wipe;
mod writes;
