//! The poller of one add-on: when to list, what to keep, whom to wake.
//!
//! Writes nothing anywhere. A pass is a fixed number of list calls; asking for one early is cheap, since all who ask
//! share it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Cause, Following, Key, Waiters, Wake, trouble};
use crate::applink::AppLink;
use crate::budget::Purpose;
use crate::clock::Clock;
use crate::crd::AppLinkAddonStatus;
use crate::heroku::AccessError;
use crate::metrics::Metrics;
use crate::plan::collection::{Collection, Listing, Witness};
use crate::plan::diff::addon::{identify, is_outage};
use crate::plan::live::{AddonFacts, AddonLive, Live, RemoteConnection};

/// Passes begin no closer together than this, however many ask.
const GAP: SignedDuration = SignedDuration::from_millis(500);
/// The pace while somebody waits for the service, and the first pause after a failure.
const FAST: SignedDuration = SignedDuration::from_secs(5);
/// Whoever waits for the service waits at that pace for so long: a person takes a few minutes to consent, or many.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Nothing counts as silent before this.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// One add-on, followed.
pub(super) struct Poller {
    addon: Key,
    following: Following,
    link: AppLink,
    clock: Clock,
    wake: Wake,
    asked: Notify,
    view: Mutex<View>,
}

struct View {
    live: AddonLive,
    connections: Collection<RemoteConnection>,
    looking: BTreeSet<Key>,
    attending: Waiters,
    schedule: Schedule,
}

/// When to list next.
struct Schedule {
    due: Timestamp,
    /// Nobody's asking brings a pass nearer than this.
    not_before: Timestamp,
    last_good: Timestamp,
    /// Failed passes in a row, or passes in a row that did not show the whole.
    failures: u32,
}

impl Poller {
    pub(super) fn new(addon: Key, following: Following, link: AppLink, clock: Clock, wake: Wake) -> Self {
        let now = clock.now();
        let view = View {
            live: AddonLive::default(),
            connections: Collection::default(),
            looking: BTreeSet::new(),
            attending: Waiters::new(),
            schedule: Schedule { due: now, not_before: now, last_good: now, failures: 0 },
        };
        Self { addon, following, link, clock, wake, asked: Notify::new(), view: Mutex::new(view) }
    }

    pub(super) fn following(&self) -> &Following {
        &self.following
    }

    pub(super) fn link(&self) -> &AppLink {
        &self.link
    }

    pub(super) fn addon(&self) -> AddonLive {
        self.view().live.clone()
    }

    pub(super) fn connection(&self, id: Option<&str>, name: &str, since: Timestamp) -> Live<RemoteConnection> {
        let mut view = self.view();
        id.iter().for_each(|id| view.connections.know(id, name));
        view.connections.view(id, name, since)
    }

    pub(super) fn look(&self, who: Key) {
        self.view().looking.insert(who);
        self.asked.notify_one();
    }

    pub(super) fn attend(&self, who: &Key, waits: bool) {
        let now = self.clock.now();
        let mut view = self.view();
        if !waits {
            view.attending.remove(who);
        } else if !view.attending.contains_key(who) {
            view.attending.insert(who.clone(), now);
            drop(view);
            self.asked.notify_one();
        }
    }

    pub(super) fn witness(&self, at: Timestamp, witness: Witness<RemoteConnection>) {
        // Whoever made the call plans again anyway; others of the name learn it by the next pass at the latest.
        self.view().connections.witness(at, witness);
    }

    /// Lists for ever.
    pub(super) async fn run(self: Arc<Self>, metrics: Metrics) {
        loop {
            self.wait().await;
            let began = self.clock.now();
            let looked = std::mem::take(&mut self.view().looking);
            let result = self.pass().await;
            metrics.pass(result.is_ok());
            let causes = self.take_in(began, result, looked);
            causes.into_iter().for_each(|cause| (self.wake)(cause));
        }
    }

    async fn wait(&self) {
        loop {
            let (next, silence) = self.next();
            if self.clock.until(next).is_zero() {
                return;
            }
            if silence.is_some_and(|at| self.clock.until(at).is_zero()) {
                self.fall_silent();
                continue;
            }
            let first = silence.map_or(next, |at| at.min(next));
            tokio::select! {
                () = tokio::time::sleep(self.clock.until(first)) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    /// When to list next, and when what is known becomes too old.
    fn next(&self) -> (Timestamp, Option<Timestamp>) {
        let now = self.clock.now();
        let view = self.view();
        let Schedule { due, not_before, last_good, .. } = view.schedule;
        let began = view.live.at;
        let early = if !view.looking.is_empty() {
            due.min(began.map_or(now, |at| at + GAP))
        } else if let Some(since) = view.attending.values().max() {
            let pace = if now.duration_since(*since) < FRESH { FAST } else { self.poll() };
            due.min(began.map_or(now, |at| at + pace))
        } else {
            due
        };
        let silence = (view.live.trouble.is_some() && !view.live.silent).then(|| last_good + self.silence());
        (early.max(not_before), silence)
    }

    fn fall_silent(&self) {
        self.view().live.silent = true;
        (self.wake)(Cause::Addon(self.addon.clone()));
        (self.wake)(Cause::Everything(self.addon.clone()));
    }

    async fn pass(&self) -> Result<Pass, AccessError> {
        let link = self.link.with_purpose(Purpose::Poll);
        let found = link.found().await?;
        self.same(&found.facts)?;
        let began = self.clock.now();
        // The number of authorizations is only shown; it must not cost us the connections.
        let count = async { Ok(link.count_authorizations().await.unwrap_or_default()) };
        let (connections, authorizations) = tokio::try_join!(link.list_connections(), count)?;
        Ok(Pass { began, facts: found.facts.clone(), connections, authorizations })
    }

    fn same(&self, found: &AddonFacts) -> Result<(), AccessError> {
        let resolved = self.view().live.facts.clone();
        let known = resolved.map(|facts| AppLinkAddonStatus {
            app_id: Some(facts.app_id),
            addon_id: Some(facts.addon_id),
            ..AppLinkAddonStatus::default()
        });
        identify(found, known.as_ref().unwrap_or(&self.following.recorded)).map_err(AccessError::Changed)
    }

    fn take_in(&self, began: Timestamp, result: Result<Pass, AccessError>, looked: BTreeSet<Key>) -> Vec<Cause> {
        let now = self.clock.now();
        let mut view = self.view();
        let before = view.live.clone();
        let mut moved = BTreeSet::new();
        view.live.at = Some(began);
        match result {
            Ok(pass) => {
                let whole = pass.connections.whole;
                moved = view.connections.list(pass.began, pass.connections);
                view.live.facts = Some(pass.facts);
                view.live.trouble = None;
                view.live.silent = false;
                view.live.connections = view.connections.count();
                view.live.authorizations = pass.authorizations.or(before.authorizations);
                view.schedule.good(now, self.poll(), whole);
            }
            Err(error) => self.failed(&mut view, &error, now),
        }
        let mut causes = Vec::new();
        let turned = before.trouble != view.live.trouble || before.silent != view.live.silent || before.facts.is_none();
        if turned || (AddonLive { at: None, ..before }) != (AddonLive { at: None, ..view.live.clone() }) {
            causes.push(Cause::Addon(self.addon.clone()));
        }
        if turned {
            causes.push(Cause::Everything(self.addon.clone()));
        } else if !moved.is_empty() {
            causes.push(Cause::Moved(self.addon.clone(), moved));
        }
        if !looked.is_empty() {
            causes.push(Cause::Looked(looked));
        }
        causes
    }

    fn failed(&self, view: &mut View, error: &AccessError, now: Timestamp) {
        let verdict = trouble(error);
        tracing::warn!(addon = %self.addon, reason = %verdict.reason, "{}", verdict.message);
        let outage = is_outage(verdict.reason);
        // One outage is told once, in the words it began with, whatever face it shows next.
        if !outage || !view.live.trouble.as_ref().is_some_and(|known| is_outage(known.reason)) {
            view.live.trouble = Some(verdict);
        }
        view.live.silent = now >= view.schedule.last_good + self.silence();
        view.schedule.bad(now, self.poll(), outage, error.retry_after());
    }

    fn poll(&self) -> SignedDuration {
        SignedDuration::try_from(self.following.poll).unwrap_or(SignedDuration::from_mins(1))
    }

    fn silence(&self) -> SignedDuration {
        SILENCE.max(self.poll() * 3)
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pass {
    began: Timestamp,
    facts: AddonFacts,
    connections: Listing<RemoteConnection>,
    authorizations: Option<i64>,
}

impl Schedule {
    fn good(&mut self, now: Timestamp, poll: SignedDuration, whole: bool) {
        // Up to a tenth more, so that many add-ons do not poll in step.
        let jitter = poll / 1000 * i32::try_from(Uuid::new_v4().as_u128() % 100).unwrap_or_default();
        // Whoever waits for a list that proves something asks again at once; one that proved nothing slows that down.
        let failures = if whole { 0 } else { self.failures.saturating_add(1) };
        let not_before = if whole { now } else { now + backoff(failures, poll) };
        *self = Self { due: now + poll + jitter, not_before, last_good: now, failures };
    }

    fn bad(&mut self, now: Timestamp, poll: SignedDuration, outage: bool, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let asked = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
        self.due = now + asked.unwrap_or(if outage { backoff(self.failures, poll) } else { poll });
        self.not_before = if outage { self.due } else { now + FAST };
    }
}

/// 5 s, 10 s, 20 s … up to the poll interval.
fn backoff(failures: u32, poll: SignedDuration) -> SignedDuration {
    (FAST * 2_i32.saturating_pow(failures.clamp(1, 10) - 1)).min(poll)
}
