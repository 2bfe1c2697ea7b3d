//! The sides of a comparison, and what each of them used in one run.
//!
//! Knows no metric. The scenarios start sides and compare what they used.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::audit::Requests;
use crate::floor;
use crate::objects::{self, ADDON, Watch, authorization, create_all, delete_all};
use crate::process::Process;
use crate::simulator::Calls;
use crate::world::{OPERATOR, OTHER, Setup, World};

/// An account is quiet when it has sent nothing for so long.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for that.
const NEVER_QUIET: Duration = Duration::from_secs(60);

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The least that must be done.
    Floor,
    /// The operator.
    Operator,
    /// A controller as most people write it.
    Naive,
}

/// A side at work in its world.
pub struct Subject<'a> {
    /// Which side.
    pub side: Side,
    /// The process.
    pub process: Mutex<Process>,
    world: &'a World,
}

/// What one side used for one piece of work.
#[derive(Clone, Debug)]
pub struct Used {
    /// From the user's first request to the last effect that the user sees.
    pub wall: Duration,
    /// CPU time of the side.
    pub cpu: Duration,
    /// CPU time of etcd and the API server.
    pub server_cpu: Duration,
    /// Requests to the API server.
    pub requests: Requests,
    /// Calls to AppLink.
    pub calls: Calls,
    /// Most resident memory, in KiB.
    pub peak: u64,
}

impl<'a> Subject<'a> {
    /// Starts a side with so many writers, and waits until it can work.
    pub async fn start(world: &'a World, side: Side, writers: usize, sample: &Value) -> Result<Self> {
        let mut process = match side {
            Side::Floor => world.floor(writers, sample).await?,
            Side::Operator => world.operator(writers).await?,
            Side::Naive => world.naive().await?,
        };
        match side {
            Side::Operator => drop(objects::ready(&world.client, "AppLinkAddon", ADDON).await?),
            Side::Floor | Side::Naive => drop(process.first_line().await?),
        }
        Ok(Self { side, process: Mutex::new(process), world })
    }

    fn account(&self) -> (&'static str, &'static str) {
        if self.side == Side::Operator { OPERATOR } else { OTHER }
    }

    /// The floor must be told what to do.
    async fn tell(&self, verb: &str, name: &str, uid: &str) -> Result<()> {
        match self.side {
            Side::Floor => self.process.lock().await.tell(&format!("{verb} {name} {uid}")),
            Side::Operator | Side::Naive => Ok(()),
        }
    }

    /// A user creates these Authorizations; ends when all are Ready and the side is quiet.
    pub async fn apply(&self, names: &[String]) -> Result<Used> {
        self.measure(async |watch| {
            let manifests = names.iter().map(|name| authorization(name)).collect();
            let told = async |name: &str, uid: &str| self.tell("create", name, uid).await;
            let created = create_all(&self.world.client, manifests, told);
            let (created, ready) = tokio::join!(created, watch.all_ready(names));
            created.and(ready)
        })
        .await
    }

    /// A user deletes these Authorizations; ends when none is left and the side is quiet.
    pub async fn delete(&self, names: &[String]) -> Result<Used> {
        self.measure(async |watch| {
            let told = async |name: &str| self.tell("delete", name, "-").await;
            let deleted = delete_all(&self.world.client, "Authorization", names, told);
            let (deleted, gone) = tokio::join!(deleted, watch.all_gone(names));
            deleted.and(gone)
        })
        .await
    }

    /// What it uses for `work`, which returns when its last effect was seen.
    async fn measure(&self, work: impl AsyncFnOnce(&mut Watch) -> Result<Instant>) -> Result<Used> {
        let world = self.world;
        let mut watch = Watch::start(&world.client, "Authorization").await?;
        world.simulator.clear_calls().await?;
        self.process.lock().await.reset_peak()?;
        let (mark, before) = (world.mark(), self.process.lock().await.usage()?);
        let (server, began) = (world.control_plane.usage()?, Instant::now());
        let ended = tokio::select! {
            done = work(&mut watch) => done,
            () = self.ended() => Err(anyhow::anyhow!("it has ended")),
        };
        let ended = ended.map_err(|error| self.explain(error))?;
        drop(watch);
        let requests = self.quiet(mark).await?;
        let (after, server_after) = (self.process.lock().await.usage()?, world.control_plane.usage()?);
        Ok(Used {
            wall: ended - began,
            cpu: after.cpu - before.cpu,
            server_cpu: server_after.cpu - server.cpu,
            requests,
            calls: world.simulator.calls().await?,
            peak: after.peak,
        })
    }

    async fn ended(&self) {
        while !self.process.lock().await.has_ended() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let tail = self.process.try_lock().map(|process| process.tail()).unwrap_or_default();
        error.context(format!("{:?}; the end of its log:\n{tail}", self.side))
    }

    /// Waits until it sends nothing more. Returns its requests since the mark.
    pub async fn quiet(&self, mark: u64) -> Result<Requests> {
        let began = Instant::now();
        let mut last = self.world.requests(mark, self.account())?;
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.world.requests(mark, self.account())?;
            if now.each == last.each {
                return Ok(now);
            }
            if began.elapsed() > NEVER_QUIET {
                bail!("{:?} does not come to rest", self.side);
            }
            last = now;
        }
    }

    /// Requests to the API server since the mark.
    pub fn requests(&self, mark: u64) -> Result<Requests> {
        self.world.requests(mark, self.account())
    }

    /// Stops it.
    pub async fn stop(self) -> Result<()> {
        self.process.into_inner().stop().await
    }
}

/// What the operator makes of one object, for the floor to copy.
pub async fn sample(setup: &Setup) -> Result<Value> {
    let world = World::start(setup, "sample").await?;
    let operator = Subject::start(&world, Side::Operator, 1, &Value::Null).await?;
    let name = "sample";
    create_all(&world.client, vec![authorization(name)], async |_, _| Ok(())).await?;
    let sample = floor::sample(&world, "Authorization", name, &setup.key).await.map_err(|e| operator.explain(e))?;
    operator.stop().await?;
    world.stop().await?;
    Ok(sample)
}
