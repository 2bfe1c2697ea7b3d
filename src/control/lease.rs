//! Leader election with a Lease: only one of several replicas writes.
//!
//! Every write carries the resourceVersion that it is based on, so two replicas cannot both succeed. Another holder counts as
//! gone if its renewTime does not change for the duration of the lease, measured on this process's own clock. `run` holds the
//! lease, and stops when it is lost.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::error::said;
use super::fence::{Deadline, WriteFence};
use super::health::Health;
use crate::clock::Clock;
use crate::crd::FIELD_MANAGER;
use crate::timing::{LEASE_DEADLINE, LEASE_DURATION, LEASE_RENEWAL};

/// Name of the Lease.
pub const NAME: &str = "applink-operator";

/// One Lease, as this replica tries to hold it.
pub(super) struct LeaderLease {
    api: Api<Lease>,
    namespace: String,
    clock: Clock,
    identity: String,
    held: Option<Lease>,
    other: Option<Other>,
    fence: WriteFence,
    health: Health,
}

/// Another holder, as far as it is known.
#[derive(Debug, PartialEq)]
struct Other {
    holder: String,
    renewed: Option<Timestamp>,
    /// When this process first saw that renewal.
    seen: Instant,
}

/// The lease on a task of its own, so that it is renewed in time whatever else takes long.
pub(super) struct Election {
    task: JoinHandle<Lost>,
    held: oneshot::Receiver<()>,
    give_back: Option<oneshot::Sender<()>>,
}

impl Drop for Election {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Election {
    /// Starts the election with this lease.
    pub(super) fn start(mut lease: LeaderLease) -> Self {
        let (hold, held) = oneshot::channel();
        let (give_back, given_back) = oneshot::channel();
        let task = tokio::spawn(async move {
            let keep = async {
                lease.acquire().await;
                // The receiver is dropped only while the process stops.
                let _ = hold.send(());
                lease.keep().await
            };
            let lost = tokio::select! {
                lost = keep => lost,
                _ = given_back => Lost("it was given back".to_owned()),
            };
            lease.release().await;
            lost
        });
        Self { task, held, give_back: Some(give_back) }
    }

    /// Waits until this replica holds the lease.
    pub(super) async fn held(&mut self) {
        if (&mut self.held).await.is_err() {
            // The task has ended; `lost` says why.
            std::future::pending().await
        }
    }

    /// Waits until the lease is lost.
    pub(super) async fn lost(&mut self) -> Lost {
        (&mut self.task).await.unwrap_or_else(|error| Lost(format!("its task ended: {error}")))
    }

    /// Gives the lease back, so that the next leader does not have to wait.
    pub(super) async fn give_back(mut self) {
        let asked = self.give_back.take().map(|give_back| give_back.send(()));
        if asked.is_some_and(|asked| asked.is_ok()) {
            let _lost = self.lost().await;
        }
    }
}

/// This replica no longer holds the lease.
#[derive(Debug, thiserror::Error)]
#[error("the lease was lost: {0}")]
pub struct Lost(String);

impl LeaderLease {
    /// The Lease in `namespace`. It keeps `fence` open while this replica holds it.
    pub(super) fn new(client: Client, namespace: &str, clock: Clock, fence: WriteFence, health: Health) -> Self {
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "applink-operator".to_owned());
        // Nothing may be written before this replica holds the lease.
        fence.close();
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            clock,
            identity: format!("{host}_{}", Uuid::new_v4()),
            held: None,
            other: None,
            fence,
            health,
        }
    }

    /// Waits until this replica holds the lease.
    async fn acquire(&mut self) {
        let mut logged = String::new();
        loop {
            match self.attempt().await {
                Ok(None) => {
                    tracing::info!(identity = self.identity, "leading");
                    return self.health.holds_lease();
                }
                Ok(Some(holder)) => {
                    self.health.standing_by();
                    if logged != holder {
                        tracing::info!(%holder, "another replica leads; standing by");
                        logged = holder;
                    }
                }
                // Another replica was faster; the next attempt shows which one.
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {}
                Err(error) => {
                    let problem = self.problem(&error);
                    self.health.lease_fails(problem.clone());
                    if logged != problem {
                        tracing::warn!("{problem}");
                        logged = problem;
                    }
                }
            }
            tokio::time::sleep(LEASE_RENEWAL).await;
        }
    }

    /// Renews the lease until that fails for too long. It does not try after the deadline, when another replica may hold the
    /// lease.
    async fn keep(&mut self) -> Lost {
        loop {
            tokio::time::sleep(LEASE_RENEWAL).await;
            if !self.fence.is_open() {
                return Lost("not renewed in time: the process or the machine stood still".to_owned());
            }
            let until = self.fence.deadline().map_or_else(Instant::now, |deadline| deadline.monotonic());
            match tokio::time::timeout_at(until, self.attempt()).await {
                Ok(Ok(None)) => self.health.holds_lease(),
                Ok(Ok(Some(holder))) => return Lost(format!("{holder} took it")),
                Ok(Err(error)) if self.fence.is_open() => {
                    self.health.lease_fails(self.problem(&error));
                    tracing::warn!("cannot renew Lease {NAME}: {}", said(&error))
                }
                Ok(Err(error)) => return Lost(format!("not renewed in time: {}", said(&error))),
                Err(_) => return Lost("not renewed in time: the API server does not answer".to_owned()),
            }
        }
    }

    /// Gives the lease back, so that the next leader does not have to wait.
    async fn release(&mut self) {
        let Some(mut lease) = self.held.take().filter(|_| self.fence.is_open()) else { return };
        self.fence.close();
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = None;
        }
        if let Err(error) = self.api.replace(NAME, &params(), &lease).await {
            tracing::warn!("cannot give Lease {NAME} back: {}", said(&error));
        }
    }

    /// One attempt. Returns the other holder, if there is one.
    async fn attempt(&mut self) -> Result<Option<String>, kube::Error> {
        let began = Deadline::now(&self.clock);
        let lease = match self.held.take() {
            Some(lease) => lease,
            None => match self.api.get_opt(NAME).await? {
                None => return self.take(began, self.new_lease()).await,
                Some(lease) => lease,
            },
        };
        if let Some(holder) = self.living_holder(&lease) {
            return Ok(Some(holder));
        }
        self.take(began, self.renewed(lease)).await
    }

    /// Writes this replica into the Lease. A conflict is an error like any other; the next attempt reads the Lease again.
    async fn take(&mut self, began: Deadline, lease: Lease) -> Result<Option<String>, kube::Error> {
        let written = if lease.metadata.resource_version.is_none() {
            self.api.create(&params(), &lease).await?
        } else {
            self.api.replace(NAME, &params(), &lease).await?
        };
        self.held = Some(written);
        self.fence.open_until(began.after(LEASE_DEADLINE));
        Ok(None)
    }

    /// Why the operator cannot use the Lease, and what to do.
    fn problem(&self, error: &kube::Error) -> String {
        let advice = match error {
            kube::Error::Api(status) if status.code == 403 => {
                ". Grant the operator what deploy/parts/operator has for it"
            }
            kube::Error::Api(status) if status.code == 404 => {
                ". Create that namespace, or name another by --leader-elect-namespace"
            }
            _ => "; trying again",
        };
        format!("cannot read or write Lease {NAME} in namespace {}: {}{advice}", self.namespace, said(error))
    }

    /// The other holder, unless it counts as gone.
    fn living_holder(&mut self, lease: &Lease) -> Option<String> {
        let spec = lease.spec.as_ref()?;
        let holder = spec.holder_identity.clone().filter(|h| !h.is_empty() && *h != self.identity)?;
        let renewed = spec.renew_time.as_ref().map(|t| t.0);
        let known = self.other.as_ref().filter(|o| o.holder == holder && o.renewed == renewed);
        let seen = known.map_or_else(Instant::now, |o| o.seen);
        self.other = Some(Other { holder: holder.clone(), renewed, seen });
        let length =
            spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).map_or(LEASE_DURATION, Duration::from_secs);
        (seen.elapsed() < length).then_some(holder)
    }

    fn new_lease(&self) -> Lease {
        self.renewed(Lease {
            metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
            spec: None,
        })
    }

    fn renewed(&self, mut lease: Lease) -> Lease {
        let old = lease.spec.take().unwrap_or_default();
        let ours = old.holder_identity.as_ref() == Some(&self.identity);
        let from_another = !ours && old.acquire_time.is_some();
        let now = MicroTime(micros(self.clock.now()));
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: if ours { old.acquire_time } else { Some(now.clone()) },
            lease_transitions: Some(old.lease_transitions.unwrap_or_default().saturating_add(i32::from(from_another))),
            renew_time: Some(now),
            ..old
        });
        lease
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// The API server keeps microseconds.
fn micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
