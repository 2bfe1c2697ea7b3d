//! End to end: the operator and the simulator as processes, with a real API server.
//!
//! Only AppLink is simulated. Most tests spend their time waiting, so run many in parallel (`--test-threads=8`); two
//! threads take twice as long. The harness is in `harness`.

mod admission;
mod admission_policies;
mod adopt;
mod authorization;
mod canary;
mod connection;
mod consent;
mod crash;
mod dialects;
mod docs;
mod harness;
mod health;
mod helm;
mod hosts;
mod idle;
mod inputs;
mod install;
mod kinds;
mod kubectl_output;
mod kustomize;
mod lifecycles;
mod memory;
mod name_conflicts;
mod policies;
mod publications;
mod rate_limits;
mod rbac;
mod replace;
mod samples;
mod sets;
mod stop;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod targets;
