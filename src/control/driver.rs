//! The one way through, the same for every kind: resolve, live, plan, apply, and report once nothing is left to do at
//! once.
//!
//! Holds no knowledge of any kind and takes no decision. `run` calls [`reconcile`] for each queue entry.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;

use super::apply::{Hold, Next, apply};
use super::kind::Kind;
use super::recall::Recall;
use super::report::{malformed, report};
use super::roster::key;
use super::{Error, Shell};
use crate::observe::Key;

/// A plan has fewer steps than this; whoever takes more goes in circles, and comes back later.
const STEPS: usize = 16;

/// The driver of one kind.
pub(super) struct Driver<K> {
    pub(super) shell: Arc<Shell>,
    pub(super) recall: Recall<K>,
}

/// Brings one object a step nearer to what it declares, until it must wait for something.
pub(super) async fn reconcile<K: Kind>(
    object: Arc<DeserializeGuard<K>>,
    driver: Arc<Driver<K>>,
) -> Result<Action, Error> {
    let shell = &driver.shell;
    for roster in shell.rosters() {
        roster.complete().await;
    }
    let read = match &object.0 {
        Ok(object) => Arc::new(object.clone()),
        Err(error) => return malformed::<K>(shell, &error.metadata, &error.error).await,
    };
    let who = key(&*read);
    let result = drive(&driver, read).await;
    let outcome = match &result {
        Ok(_) => "ok",
        Err(error) if error.is_conflict() => "conflict",
        Err(_) => "error",
    };
    shell.metrics.reconcile(K::KIND, outcome);
    if result.is_ok() {
        driver.recall.succeeded(&who);
    }
    result
}

async fn drive<K: Kind>(driver: &Driver<K>, read: Arc<K>) -> Result<Action, Error> {
    let shell = &*driver.shell;
    let mut object = driver.recall.newest(read);
    let mut hold = Hold::default();
    for _ in 0..STEPS {
        let inputs = object.resolve(shell).await?;
        let memory = driver.recall.memory(&object, shell.clock.now());
        let live = object.live(shell, &memory);
        let plan = object.plan(&inputs, &live, &memory, shell.clock.now());
        match apply(driver, &object, &inputs, &memory, &plan, &mut hold).await? {
            Next::Plan => {}
            Next::PlanWith(newer) => object = newer,
            Next::Report => return report(driver, &object, &memory, plan, &mut hold).await,
            Next::Stop => return Ok(Action::await_change()),
        }
    }
    tracing::warn!(object = %key(&*object), "went in circles; trying again later");
    Ok(Action::requeue(Duration::from_secs(60)))
}

/// How long to pause after an error.
pub(super) fn error_policy<K: Kind>(object: Arc<DeserializeGuard<K>>, error: &Error, driver: Arc<Driver<K>>) -> Action {
    let who = Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() };
    if error.is_conflict() {
        tracing::debug!(object = %who, "changed meanwhile; planning again");
        return Action::requeue(Duration::from_millis(200));
    }
    if error.is_not_found() {
        driver.recall.forget(&who);
        return Action::await_change();
    }
    let pause = driver.recall.failed(&who);
    tracing::warn!(object = %who, "{error}; trying again in {} s", pause.as_secs());
    Action::requeue(pause)
}
