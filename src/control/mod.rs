//! The shell: the only writer to AppLink and to Kubernetes.
//!
//! It carries out what `plan` says, one effect at a time, and decides nothing itself. `driver` is the way through,
//! `run` wires it up; the rest are the driver's hands.

mod apply;
mod driver;
mod gate;
mod hand_off;
mod kind;
pub mod lease;
mod patch;
mod permits;
mod recall;
mod report;
mod roster;
pub mod run;
mod secrets;

use std::sync::Arc;

use kube::Client;
use kube::runtime::events::Recorder;

use crate::clock::Clock;
use crate::crd::{AppLinkAddon, Connection};
use crate::metrics::Metrics;
use crate::observe::{Cause, Observer};
use crate::transport::AllowedHosts;

use gate::Gate;
use permits::Permits;
use roster::{AnyRoster, Roster};

/// What went wrong on the way to Kubernetes. Trouble with AppLink is no error: it is planned with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the API server.
    #[error("cannot {what}: {cause}")]
    Kube {
        /// What it was for.
        what: String,
        /// What came back.
        cause: Box<kube::Error>,
    },
    /// An object that cannot be written as JSON, which is a bug.
    #[error("cannot write {0} as JSON")]
    Json(&'static str),
}

impl Error {
    fn kube(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |cause| Self::Kube { what: what.into(), cause: Box::new(cause) }
    }

    /// The object changed since it was read: plan again, soon.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Kube { cause, .. } if matches!(&**cause, kube::Error::Api(status) if status.is_conflict()))
    }

    fn is_not_found(&self) -> bool {
        matches!(self, Self::Kube { cause, .. } if matches!(&**cause, kube::Error::Api(status) if status.is_not_found()))
    }
}

/// What all kinds' drivers share.
pub struct Shell {
    client: Client,
    clock: Clock,
    hosts: AllowedHosts,
    observer: Observer,
    addons: Arc<Roster<AppLinkAddon>>,
    connections: Arc<Roster<Connection>>,
    permits: Permits,
    gate: Gate,
    recorder: Recorder,
    metrics: Metrics,
}

impl Shell {
    /// Every kind, one line each: this is where a kind is registered for causes that concern them all.
    fn rosters(&self) -> [&dyn AnyRoster; 2] {
        [&*self.addons, &*self.connections]
    }

    /// Has planned again whom a cause concerns.
    fn wake(&self, cause: &Cause) {
        self.rosters().iter().for_each(|roster| roster.wake(cause));
    }

    /// Has planned again whoever refers to this Secret.
    fn wake_users_of(&self, namespace: &str, secret: &str) {
        self.rosters().iter().for_each(|roster| roster.wake_users_of(namespace, secret));
    }
}
