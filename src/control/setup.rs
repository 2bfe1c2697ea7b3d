//! What the operator is started with: the options that the user chooses, and the ways to the outside.
//!
//! Plain data. `main` and the tests fill it in.

use kube::Client;
use tokio::sync::watch;

use crate::budget::Limits;
use crate::clock::Clock;
use crate::liveness::Liveness;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::transport::{AllowedHosts, Transport};

/// The options that the user chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Namespaces to watch; all if empty.
    pub namespaces: Vec<String>,
    /// Hosts that tokens may be sent to.
    pub hosts: AllowedHosts,
    /// Writers to each add-on at a time.
    pub write_concurrency: usize,
    /// Reconciles at a time, of all kinds together.
    pub reconcile_concurrency: usize,
    /// Namespace of the Lease; `None` runs without leader election.
    pub lease_namespace: Option<String>,
    /// Limits of the calls to each add-on and with each Heroku account.
    pub limits: Limits,
}

/// The ways to the outside.
pub struct Dependencies {
    /// The API server.
    pub client: Client,
    /// Heroku and AppLink.
    pub transport: Transport,
    /// The clock.
    pub clock: Clock,
    /// The metrics to count in.
    pub metrics: Metrics,
    /// Receives whether the operator is ready, and what it waits for.
    pub ready: watch::Sender<Readiness>,
    /// Receives the heartbeats of the background tasks.
    pub liveness: Liveness,
}
