//! The poller of one add-on: when to list, what to keep, whom to wake.
//!
//! Writes nothing anywhere. A pass is a fixed number of list calls; asking for one early is cheap, since all who ask
//! share it. Where the budget of calls is short, passes are put off, but not those that an edit waits for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Cause, Following, Key, Waiters, Wake, trouble};
use crate::applink::AppLink;
use crate::budget::{Purpose, Refused, Why};
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

/// Calls of a pass to AppLink. One that can make only some of them is better put off.
const CALLS: u32 = 2;

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
    /// What the next pass is for.
    purpose: Purpose,
    attending: Waiters,
    schedule: Schedule,
}

/// When to list next.
struct Schedule {
    due: Timestamp,
    /// Nobody's asking brings a pass nearer than this.
    not_before: Timestamp,
    /// Whether the next one was put off to spare the budget: only an edit brings it nearer.
    put_off: bool,
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
            purpose: Purpose::Poll,
            attending: Waiters::new(),
            schedule: Schedule { due: now, not_before: now, put_off: false, last_good: now, failures: 0 },
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

    pub(super) fn look(&self, who: Key, purpose: Purpose) {
        {
            let mut view = self.view();
            view.looking.insert(who);
            if purpose == Purpose::Look {
                view.purpose = purpose;
            }
        }
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
            let (looked, purpose) = self.next_pass(began);
            let result = self.pass(purpose).await;
            if let Err(AccessError::Budget(refused)) = &result
                && self.put_off(began, refused, &looked, purpose)
            {
                metrics.pass("put_off");
                continue;
            }
            metrics.pass(if result.is_ok() { "ok" } else { "failed" });
            let causes = self.take_in(began, result, looked);
            causes.into_iter().for_each(|cause| (self.wake)(cause));
        }
    }

    /// Who asked for the pass that begins now, and what it is for.
    fn next_pass(&self, now: Timestamp) -> (BTreeSet<Key>, Purpose) {
        let mut view = self.view();
        let (looked, asked) = (std::mem::take(&mut view.looking), std::mem::replace(&mut view.purpose, Purpose::Poll));
        (looked, if now < self.blind(&view) { asked } else { Purpose::Overdue })
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
        let Schedule { due, not_before, put_off, .. } = view.schedule;
        let began = view.live.at;
        let early = if put_off && view.purpose == Purpose::Poll {
            due
        } else if !view.looking.is_empty() {
            due.min(began.map_or(now, |at| at + GAP))
        } else if let Some(since) = view.attending.values().max().filter(|_| self.is_plenty(&view)) {
            let pace = if now.duration_since(*since) < FRESH { FAST } else { self.poll() };
            due.min(began.map_or(now, |at| at + pace))
        } else {
            due
        };
        let silence = (view.live.trouble.is_some() && !view.live.silent).then(|| self.blind(&view));
        (early.max(not_before), silence)
    }

    fn fall_silent(&self) {
        self.view().live.silent = true;
        (self.wake)(Cause::Addon(self.addon.clone()));
        (self.wake)(Cause::Everything(self.addon.clone()));
    }

    async fn pass(&self, purpose: Purpose) -> Result<Pass, AccessError> {
        let link = self.link.with_purpose(purpose);
        let found = link.found().await?;
        self.same(&found.facts)?;
        found.budget.affords(CALLS, purpose)?;
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
        if self.is_plenty(&view) {
            view.live.constrained = None;
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

    /// Puts a pass off that the budget forbids now, and tells so. Not where nothing was ever seen, or not for so long that
    /// nothing is known any more: then it counts as failed.
    fn put_off(&self, began: Timestamp, refused: &Refused, looked: &BTreeSet<Key>, purpose: Purpose) -> bool {
        if refused.why == Why::Held {
            return false;
        }
        let now = self.clock.now();
        let mut view = self.view();
        let told = view.live.constrained.is_some();
        view.live.constrained.get_or_insert_with(|| {
            format!("{refused}: what is live is read less often until that has recovered, and edits go first")
        });
        let blind = self.blind(&view);
        let waits = view.live.facts.is_some() && now < blind;
        if waits {
            view.live.at = Some(began);
            view.looking.extend(looked.iter().cloned());
            if purpose == Purpose::Look {
                view.purpose = purpose;
            }
            let due = now + SignedDuration::try_from(refused.wait).unwrap_or(SignedDuration::MAX);
            view.schedule.put_off(due.min(blind), purpose);
        }
        drop(view);
        if !told {
            (self.wake)(Cause::Addon(self.addon.clone()));
        }
        waits
    }

    fn failed(&self, view: &mut View, error: &AccessError, now: Timestamp) {
        let verdict = trouble(error);
        tracing::warn!(addon = %self.addon, reason = %verdict.reason, "{}", verdict.message);
        let outage = is_outage(verdict.reason);
        // One outage is told once, in the words it began with, whatever face it shows next.
        if !outage || !view.live.trouble.as_ref().is_some_and(|known| is_outage(known.reason)) {
            view.live.trouble = Some(verdict);
        }
        view.live.silent = now >= self.blind(view);
        view.schedule.bad(now, self.poll(), outage, error.retry_after());
    }

    fn poll(&self) -> SignedDuration {
        SignedDuration::try_from(self.following.poll).unwrap_or(SignedDuration::from_mins(1))
    }

    fn is_plenty(&self, view: &View) -> bool {
        let addon_id = view.live.facts.as_ref().map(|facts| facts.addon_id.as_str());
        self.link.access().is_plenty(addon_id)
    }

    /// From when on nothing counts as known, unless something is seen.
    fn blind(&self, view: &View) -> Timestamp {
        view.schedule.last_good + SILENCE.max(self.poll() * 3)
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
        *self = Self { due: now + poll + jitter, not_before, put_off: false, last_good: now, failures };
    }

    fn put_off(&mut self, due: Timestamp, purpose: Purpose) {
        self.due = due;
        self.put_off = true;
        if purpose == Purpose::Look {
            self.not_before = due;
        }
    }

    fn bad(&mut self, now: Timestamp, poll: SignedDuration, outage: bool, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        self.put_off = false;
        let asked = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
        self.due = now + asked.unwrap_or(if outage { backoff(self.failures, poll) } else { poll });
        self.not_before = if outage { self.due } else { now + FAST };
    }
}

/// 5 s, 10 s, 20 s … up to the poll interval.
fn backoff(failures: u32, poll: SignedDuration) -> SignedDuration {
    (FAST * 2_i32.saturating_pow(failures.clamp(1, 10) - 1)).min(poll)
}
