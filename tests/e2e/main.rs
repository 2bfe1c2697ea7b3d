//! End to end: the operator and the simulator as processes, and a real API server between them and the user.
//!
//! Nothing is faked but AppLink itself. Most tests wait most of the time, so let many run at once
//! (`--test-threads=8`); with two they take twice as long. `harness` has what they stand on.

mod adopt;
mod authorization;
mod canary;
mod consent;
mod crash;
mod dialects;
mod each;
mod harness;
mod health;
mod hosts;
mod inputs;
mod install;
mod kinds;
mod kustomize;
mod life;
mod limits;
mod memory;
mod names;
mod policies;
mod publications;
mod rbac;
mod reading;
mod refused;
mod replace;
mod rest;
mod sets;
mod stop;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod targets;
