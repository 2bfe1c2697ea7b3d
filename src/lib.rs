//! applink-operator: Heroku AppLink as Kubernetes resources.
//!
//! One way through: what is declared ([`crd`]), what is live ([`observe`]) and what is remembered go into one pure
//! [`plan`]; one shell ([`control`]) carries out its first step, and plans again. [`wire`], [`transport`], [`heroku`]
//! and [`applink`] lead to the two remote APIs, as far as [`budget`] lets them. [`kubeconfig`] leads to the API server.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod admin;
pub mod applink;
pub mod budget;
pub mod clock;
pub mod conditions;
pub mod control;
pub mod crd;
pub mod document;
pub mod facts;
pub mod heroku;
pub mod kubeconfig;
pub mod liveness;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod readiness;
pub mod telemetry;
pub mod transport;
pub mod wire;
