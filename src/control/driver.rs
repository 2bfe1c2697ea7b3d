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
use super::outcome::News;
use super::recall::Recall;
use super::report::{report, tell};

use super::roster::key;
use super::unreadable::report_unreadable;
use super::{Error, Shell};
use crate::crd::Reason;
use crate::observe::Key;
use crate::plan::{Plan, Verdict};

/// A plan has fewer steps than this; whoever takes more goes in circles, and comes back later.
const STEPS: usize = 16;

/// Failures in a row before it is said that the API server is busy or broken.
const PATIENCE: u32 = 3;

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
    for roster in shell.rosters.all() {
        roster.complete().await;
    }
    let read = match &object.0 {
        Ok(object) => Arc::new(object.clone()),
        Err(error) => return report_unreadable::<K>(shell, &error.metadata, &error.error).await,
    };
    let who = key(&*read);
    shell.misread().remove(&who);
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
    let mut object = driver.recall.newest(read);
    let mut begun = false;
    let result = go(driver, &mut object, &mut begun).await;
    if let Err(error) = &result {
        report_refusal(driver, &object, error, begun).await;
    }
    result
}

/// `object` is kept as our own writes leave it; `begun` tells whether a step was to be carried out.
async fn go<K: Kind>(driver: &Driver<K>, object: &mut Arc<K>, begun: &mut bool) -> Result<Action, Error> {
    let shell = &*driver.shell;
    let mut hold = Hold::default();
    for _ in 0..STEPS {
        let memory = driver.recall.memory(object, shell.clock.now());
        let inputs = match memory.deleting || object.is_passive() {
            true => object.without_inputs(shell).await,
            false => object.resolve(shell).await?,
        };
        let live = object.live(shell, &memory);
        let plan = object.plan(&inputs, &live, &memory, shell.clock.now());
        *begun = plan.steps.first().is_some_and(|step| !step.waits());
        match apply(driver, object, &inputs, &memory, &plan, &mut hold).await? {
            Next::Plan => {}
            Next::PlanWith(newer) => *object = newer,
            Next::Report => return report(driver, object, &memory, plan, &mut hold).await,
            Next::Stop => return Ok(Action::await_change()),
        }
    }
    tracing::warn!(object = %key(&**object), "went in circles; trying again later");
    Ok(Action::requeue(Duration::from_secs(60)))
}

/// Says in the object's condition what the API server refuses, whatever its code: nobody reads the log of the operator
/// first. What is Ready stays so, unless a step was to be carried out or an edit waits. An API server that is only busy is given time.
async fn report_refusal<K: Kind>(driver: &Driver<K>, object: &Arc<K>, error: &Error, begun: bool) {
    let shell = &*driver.shell;
    let Some(remedy) = error.remedy() else { return };
    if error.is_passing() && driver.recall.failures_of(&key(&**object)) < PATIENCE {
        return;
    }
    let memory = driver.recall.memory(object, shell.clock.now());
    if memory.ready && !begun && memory.judged() && !object.is_blind(shell) {
        return;
    }
    let reason = if memory.deleting { Reason::Deleting } else { K::BEGINNING };
    let mut text = format!("{error}. {remedy}");
    if memory.deleting {
        text.push_str("; to delete without it, set applink.dev/force-orphan: \"true\"");
    }
    let said = Plan {
        steps: Vec::new(),
        report: Verdict::waits(reason, text.clone()).into(),
        again: None,
        status: object.status().cloned().unwrap_or_default(),
    };
    if let Err(error) = report(driver, object, &memory, said, &mut Hold::default()).await
        && !error.is_conflict()
        && driver.recall.refusal_is_new(object, &text)
    {
        // Where the status may not be written either, an Event is the last way to say it.
        tell(shell, &key(&**object), &object.object_ref(&()), News { warning: true, reason, note: text }).await;
    }
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
    let pause = driver.recall.failed(&who, driver.shell.clock.now());
    tracing::warn!(object = %who, "{error}; trying again in {} s", pause.as_secs());
    Action::requeue(pause)
}
