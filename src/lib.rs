//! applink-operator: Heroku AppLink as Kubernetes resources.
//!
//! There is one way through. What is declared ([`crd`]), what is observed ([`observe`]) and what is remembered go into one
//! pure [`plan`]; [`control`] executes its first step and plans again. [`wire`], [`transport`], [`heroku`] and [`applink`]
//! reach the two remote APIs, within the limits of [`budget`]. [`kubeconfig`] finds the API server.

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
pub mod timing;
pub mod transport;
pub mod wire;
