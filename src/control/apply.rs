//! Carries out the first step of a plan: at most one change, in AppLink or in Kubernetes.
//!
//! Decides nothing: what came of the step goes into memory or to the observer, and the next plan reads it there.

use std::sync::Arc;

use kube::ResourceExt;
use serde_json::json;

use super::driver::Driver;
use super::gate::Effect;
use super::kind::Kind;
use super::outcome::{Failed, News, answer, delayed, news_of, refusals, unread};
use super::owned::{self, Content};
use super::patch::{Part, patch, preconditions};
use super::permits::Permit;
use super::report::{announce, tell};
use super::roster::key;
use super::{Error, Shell};
use crate::budget::Purpose;
use crate::crd::{FINALIZER, Reason, annotation};
use crate::heroku::AccessError;
use crate::plan::live::Phase;
use crate::plan::memory::{Answer, Intent, Memory, Reading, Written};
use crate::plan::verdict::{Report, Verdict};
use crate::plan::{Plan, Step};

/// What is held from the first effect to the report: leave to write, and a place within the gate.
#[derive(Default)]
pub(super) struct Hold {
    permit: Option<Permit>,
    /// To be the only writer in a place within the add-on.
    alone: Option<Permit>,
    effect: Option<Effect>,
    /// What is to be told once it is written down.
    news: Vec<News>,
}

impl Hold {
    /// Enters the gate, once. Tells whether effects are still allowed.
    pub(super) fn enter(&mut self, shell: &Shell) -> bool {
        if self.effect.is_none() {
            self.effect = shell.gate.enter();
        }
        self.effect.is_some()
    }

    /// Gives back what is held, and gives out what is to be told.
    pub(super) fn let_go(&mut self) -> Vec<News> {
        std::mem::take(self).news
    }
}

/// What follows a step.
pub(super) enum Next<K> {
    /// Plan again.
    Plan,
    /// Plan again, with the object as this write left it.
    PlanWith(Arc<K>),
    /// Nothing can be done at once: report.
    Report,
    /// Nothing more may be done, or nothing is left.
    Stop,
}

/// Carries out the first step of `plan`.
pub(super) async fn apply<K: Kind>(
    driver: &Driver<K>,
    object: &Arc<K>,
    inputs: &K::Inputs,
    memory: &Memory,
    plan: &Plan<K::Status>,
    hold: &mut Hold,
) -> Result<Next<K>, Error> {
    let shell = &*driver.shell;
    let (me, addon) = (key(&**object), object.addon(shell).unwrap_or_else(|| key(&**object)));
    shell.observer.attend(&addon, &me, plan.steps.first() == Some(&Step::AwaitRemote));
    let Some(step) = plan.steps.first().filter(|step| **step != Step::AwaitRemote) else { return Ok(Next::Report) };
    let urgent = memory.deleting || memory.requested || !memory.judged();
    if *step == Step::Look {
        shell.observer.look(&addon, me, if urgent { Purpose::Look } else { Purpose::Poll });
        return Ok(Next::Report);
    }
    if step.mutates() && hold.permit.is_none() {
        // Several resources may stand for one add-on.
        let facts = shell.observer.addon(&addon).and_then(|live| live.facts);
        let whole = facts.map_or_else(|| addon.to_string(), |facts| facts.addon_id);
        if let Some(place) = object.writes_alone_to(shell) {
            hold.alone = Some(shell.permits.acquire_alone(&format!("{whole}/{place}"), urgent).await);
        }
        hold.permit = Some(shell.permits.acquire(&whole, urgent).await);
        // The world moved while we waited.
        return Ok(Next::Plan);
    }
    if !hold.enter(shell) {
        return Ok(Next::Stop);
    }
    if matches!(plan.report, Report::Say(_)) && memory.ready {
        let newer = announce(driver, object, memory, plan).await?;
        if newer.resource_version() != object.resource_version() {
            return Ok(Next::PlanWith(newer));
        }
    }
    shell.metrics.step(K::KIND, label(step));
    tracing::info!(object = %me, "{step}");
    match step {
        Step::Remember { intent } => remember(driver, object, Some(intent)).await,
        Step::Adopt { intent } => {
            let id = intent.id.as_deref().unwrap_or_default();
            let note = format!("took over {id}, which was there first in AppLink");
            hold.news.push(News { warning: false, reason: Reason::Adopted, note });
            remember(driver, object, Some(intent)).await
        }
        Step::HandOver { id } => hand_over(shell, &**object, id).await.map(|()| Next::Plan),
        Step::Withdraw => withdraw(shell, &**object).await.map(|()| Next::Plan),
        Step::TakeSecret { secret } => owned::take(shell, &**object, secret).await.map(|()| Next::Plan),
        Step::Retract { secret } => retract(driver, object, memory, secret).await,
        Step::Export { id, secret } => export(driver, object, memory, step, (id, secret)).await,
        Step::Guard => remember(driver, object, None).await,
        Step::Release { orphaned } => release(driver, object, orphaned.as_deref()).await,
        Step::Create { .. }
        | Step::Publish { .. }
        | Step::Delete { .. }
        | Step::Confirm { .. }
        | Step::Survey { .. } => call(driver, object, inputs, memory, step, hold).await,
        Step::Look | Step::AwaitRemote => Ok(Next::Report),
    }
}

fn label(step: &Step) -> &'static str {
    match step {
        Step::Remember { .. } => "remember",
        Step::Adopt { .. } => "adopt",
        Step::HandOver { .. } => "hand_over",
        Step::Withdraw => "withdraw",
        Step::Guard => "guard",
        Step::Create { .. } => "create",
        Step::Publish { .. } => "publish",
        Step::Survey { .. } => "survey",
        Step::Export { .. } => "export",
        Step::Retract { .. } => "retract",
        Step::Delete { .. } => "delete",
        Step::Confirm { .. } => "confirm",
        Step::TakeSecret { .. } => "take_secret",
        Step::Look => "look",
        Step::AwaitRemote => "await_remote",
        Step::Release { .. } => "release",
    }
}

async fn hand_over<K: Kind>(shell: &Shell, object: &K, id: &str) -> Result<(), Error> {
    let (Some(name), Some(link)) = (object.link_secret(), object.link(shell, id)) else { return Ok(()) };
    owned::write(shell, object, &name, &Content::link(link.expose(), id)).await
}

async fn withdraw<K: Kind>(shell: &Shell, object: &K) -> Result<(), Error> {
    match object.link_secret() {
        Some(name) => owned::remove(shell, object, &name).await,
        None => Ok(()),
    }
}

/// Deletes the Secret that keeps the credential. A deletion of its owner does not wait for a right that is missing: the
/// Secret goes with its owner all the same.
async fn retract<K: Kind>(
    driver: &Driver<K>,
    object: &Arc<K>,
    memory: &Memory,
    secret: &str,
) -> Result<Next<K>, Error> {
    let mut reading = Reading::default();
    match owned::remove(&driver.shell, &**object, secret).await {
        Err(error) if memory.deleting && !error.is_conflict() => {
            tracing::warn!(object = %key(&**object), "{error}; leaving it to Kubernetes, which collects it with its owner");
            reading.left_behind = memory.reading.left_behind.clone();
            reading.left_behind.push(secret.to_owned());
        }
        result => result?,
    }
    driver.recall.has_read(object, reading);
    Ok(Next::Plan)
}

/// Reads the credential and keeps it, and remembers how that ended apart from how the object's own calls did.
async fn export<K: Kind>(
    driver: &Driver<K>,
    object: &Arc<K>,
    memory: &Memory,
    step: &Step,
    (id, secret): (&str, &str),
) -> Result<Next<K>, Error> {
    let shell = &*driver.shell;
    let now = shell.clock.now();
    let before = &memory.reading;
    let reading = match object.credentials(shell, id, memory.requested || before.kept.is_none()).await {
        Ok(content) => {
            // What cannot be written is not there, however fresh what was written before.
            driver.recall.has_read(object, Reading::default());
            owned::write(shell, &**object, secret, &content).await?;
            let kept = Written { id: id.to_owned(), secret: secret.to_owned(), at: now };
            Reading { kept: Some(kept), ..Reading::default() }
        }
        Err(error) => {
            tracing::warn!(object = %key(&**object), "cannot {step}: {error}");
            let trouble = unread(&error, step, before.trouble.as_ref(), now);
            Reading { trouble: Some(trouble), ..before.clone() }
        }
    };
    driver.recall.has_read(object, reading);
    Ok(Next::Plan)
}

/// Calls AppLink, and remembers how that ended.
async fn call<K: Kind>(
    driver: &Driver<K>,
    object: &Arc<K>,
    inputs: &K::Inputs,
    memory: &Memory,
    step: &Step,
    hold: &mut Hold,
) -> Result<Next<K>, Error> {
    let shell = &*driver.shell;
    let began = shell.clock.now();
    let result = match step {
        Step::Create { .. } | Step::Publish { .. } => object.create(shell, inputs).await.map(Some),
        Step::Survey { id } => object.survey(shell, id).await.map(|()| None),
        Step::Delete { id } => object.delete(shell, id).await.map(|()| None),
        Step::Confirm { id } => object.confirm(shell, id).await.map(|()| None),
        _ => return Ok(Next::Report),
    };
    let now = shell.clock.now();
    let makes = matches!(step, Step::Create { .. } | Step::Publish { .. });
    let attempt = memory.intent.as_ref().map(|i| i.attempt).filter(|_| makes);
    let answer = match (&result, step) {
        (Ok(Some(made)), Step::Create { name, .. }) if made.phase == Phase::Gone => {
            let text = format!("AppLink answered to the creation of {name} with {}, which is disconnected", made.id);
            let verdict = Verdict::needs_user(Reason::RemoteRejected, text);
            Some(Answer::Refused { verdict, at: now, attempt, conflict: false })
        }
        (Ok(made), Step::Create { .. } | Step::Publish { .. }) => {
            // Told once its id is written down: until then, nothing may come between.
            hold.news.extend(news_of(step));
            let deprecated = object.deprecation();
            hold.news.extend(deprecated.map(|note| News { warning: true, reason: Reason::Deprecated, note }));
            let word = memory.intent.clone();
            made.as_ref().zip(word).map(|(made, word)| Answer::Created { id: made.id.clone(), word })
        }
        (Ok(_), Step::Delete { id }) => Some(Answer::Deleting { id: id.clone(), at: now }),
        (Ok(_), _) => memory.answer.clone(),
        (Err(error), _) => {
            // What was not even sent says nothing of how the next call will fare.
            let nth = if matches!(error, AccessError::Budget(_)) { 0 } else { driver.recall.call_failed(object) };
            if step.mutates()
                && let Some(requests) = refusals(error)
            {
                driver.recall.refused(object, now, requests);
            }
            let intent = memory.intent.as_ref().filter(|_| makes);
            let mut answer = answer(&Failed { error, step, intent, began, nth }, now);
            // A creation that was not carried out is not: another call that fails since does not change that.
            if let (Answer::Later { attempt: none @ None, .. }, Some(Answer::Later { attempt: not_made, .. })) =
                (&mut answer, &memory.answer)
            {
                *none = *not_made;
            }
            if nth == 1 && memory.ready && makes {
                hold.news.extend(delayed(&answer));
            }
            Some(answer)
        }
    };
    match &result {
        // One that only reads tells nothing of those that write.
        Ok(_) if step.mutates() => driver.recall.call_worked(object),
        Ok(_) => {}
        Err(error) => tracing::warn!(object = %key(&**object), "cannot {step}: {error}"),
    }
    driver.recall.answered(object, answer);
    Ok(Next::Plan)
}

/// Writes finalizer and intent in one merge patch that fails on an object that is not the one planned for.
async fn remember<K: Kind>(driver: &Driver<K>, object: &Arc<K>, intent: Option<&Intent>) -> Result<Next<K>, Error> {
    let mut metadata = preconditions(&**object);
    let mut finalizers = object.finalizers().to_vec();
    if !finalizers.iter().any(|f| f == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
        metadata["finalizers"] = json!(finalizers);
    }
    if let Some(intent) = intent {
        let text = serde_json::to_string(intent).map_err(|_| Error::Json("intent"))?;
        metadata["annotations"] = json!({ annotation::INTENT: text });
    }
    // From here on no answer of an earlier attempt counts.
    driver.recall.answered(object, None);
    let newer = patch(driver, object, Part::Object("remember"), json!({ "metadata": metadata })).await?;
    Ok(Next::PlanWith(newer))
}

/// Takes the finalizer off.
async fn release<K: Kind>(driver: &Driver<K>, object: &Arc<K>, orphaned: Option<&str>) -> Result<Next<K>, Error> {
    let shell = &*driver.shell;
    let news = match orphaned {
        Some(id) => {
            Some(News { warning: true, reason: Reason::Orphaned, note: format!("left {id} in AppLink as it is") })
        }
        None if object.meta().deletion_timestamp.is_some() && driver.recall.deleted(object) => {
            Some(News { warning: false, reason: Reason::Deleted, note: "deleted from AppLink".to_owned() })
        }
        None => None,
    };
    let rest: Vec<_> = object.finalizers().iter().filter(|f| *f != FINALIZER).collect();
    let mut metadata = preconditions(&**object);
    metadata["finalizers"] = json!(rest);
    let newer = patch(driver, object, Part::Object("release"), json!({ "metadata": metadata })).await?;
    object.released(shell);
    if let Some(news) = news {
        tell(shell, &key(&**object), &object.object_ref(&()), news).await;
    }
    if object.meta().deletion_timestamp.is_none() {
        return Ok(Next::PlanWith(newer));
    }
    if let Some(addon) = object.addon(shell) {
        shell.observer.attend(&addon, &key(&**object), false);
    }
    driver.recall.forget(&key(&**object));
    Ok(Next::Stop)
}
