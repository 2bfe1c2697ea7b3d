//! The poller of one add-on: when to list, what to keep, whom to wake.
//!
//! Writes nothing anywhere. A pass is a few list calls, however many objects there are; asking for one early is cheap,
//! since all who ask share it. Where the budget of calls is short, passes are put off, but not those that an edit waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::pass::{self, Grants, Page, Wanted};
use super::schedule::{FAST, Schedule, patience};
use super::shared::Shared;
use super::shelf::{Shelf, Shelves, partly};
use super::view::{Pass, View};
use super::{Ask, Cause, Following, Key, Waiters, trouble};
use crate::applink::AppLink;
use crate::budget::{Purpose, Refused, Why};
use crate::clock::Clock;
use crate::crd::Reason;
use crate::heroku::AccessError;
use crate::metrics::Metrics;
use crate::plan::collection::Witness;
use crate::plan::diff::connection::Targets;
use crate::plan::live::{AddonLive, GrantKind, Live, Phase, RemoteObject};

/// Passes begin no closer together than this, however many ask.
const GAP: SignedDuration = SignedDuration::from_millis(500);
/// Whoever waits for the service waits at that pace for so long: a person takes a few minutes to consent, or many.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Targets that the service does not list are read one by one, at a pace slower by this factor.
const SLOWER: i32 = 5;

/// One add-on, followed.
pub(super) struct Poller {
    addon: Key,
    following: Following,
    link: AppLink,
    clock: Clock,
    ask: Ask,
    shared: Shared,
    asked: Notify,
    view: Mutex<View>,
}

/// What it shared is of no use to itself any more.
impl Drop for Poller {
    fn drop(&mut self) {
        self.shared.leave(&self.addon);
    }
}

impl Poller {
    pub(super) fn new(addon: Key, following: Following, link: AppLink, clock: Clock, ask: Ask, shared: Shared) -> Self {
        let now = clock.now();
        let view = View {
            live: AddonLive::default(),
            shelves: Shelves::default(),
            outages: Vec::new(),
            read: BTreeMap::new(),
            looking: BTreeSet::new(),
            purpose: Purpose::Poll,
            attending: Waiters::new(),
            anew: false,
            schedule: Schedule { due: now, not_before: now, put_off: false, last_good: now, failures: 0 },
        };
        Self { addon, following, link, clock, ask, shared, asked: Notify::new(), view: Mutex::new(view) }
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

    pub(super) fn see<R: RemoteObject>(
        &self,
        shelf: &Shelf<R>,
        id: Option<&str>,
        name: &str,
        since: Timestamp,
    ) -> Live<R> {
        let mut view = self.view();
        let collection = view.shelves.at(shelf);
        id.iter().for_each(|id| collection.know(id, name));
        collection.view(id, name, since)
    }

    pub(super) fn survey(&self, connection: &str) -> Targets {
        self.view().shelves.survey(connection)
    }

    /// Whether the connection of this id is known to be gone, by a listing that began at `since` or later.
    pub(super) fn severed(&self, connection: &str, since: Timestamp) -> bool {
        let mut view = self.view();
        let live = view.shelves.at(&Shelf::grants(GrantKind::Connection)).view(Some(connection), "", since);
        let seen = live.of_id(connection).map(|seen| seen.object.phase);
        seen == Some(Phase::Gone) || (seen.is_none() && (live.complete || live.gone.iter().any(|id| id == connection)))
    }

    pub(super) fn list_page(&self, page: Page) {
        self.view().shelves.list_page(page);
    }

    pub(super) fn look(&self, who: Key, purpose: Purpose) {
        {
            let mut view = self.view();
            // The first pass resolves anyway.
            view.anew |= who == self.addon && view.live.at.is_some();
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

    pub(super) fn witness<R: RemoteObject>(&self, shelf: &Shelf<R>, at: Timestamp, witness: Witness<R>) {
        // Whoever made the call plans again anyway; others of the name learn it by the next pass at the latest.
        self.view().shelves.at(shelf).witness(at, witness);
    }

    /// Lists for ever.
    pub(super) async fn run(self: Arc<Self>, metrics: Metrics) {
        loop {
            self.wait().await;
            let began = self.clock.now();
            let (looked, purpose) = self.next_pass(began);
            let result = self.pass(began, purpose, &looked).await;
            if let Err(AccessError::Budget(refused)) = &result
                && self.put_off(began, refused, &looked, purpose)
            {
                metrics.pass("put_off");
                continue;
            }
            metrics.pass(if result.is_ok() { "ok" } else { "failed" });
            let causes = self.take_in(began, result, looked);
            causes.into_iter().for_each(|cause| (self.ask.wake)(cause));
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
        (self.ask.wake)(Cause::Object(self.addon.clone()));
        (self.ask.wake)(Cause::Everything(self.addon.clone()));
    }

    async fn pass(&self, began: Timestamp, purpose: Purpose, looked: &BTreeSet<Key>) -> Result<Pass, AccessError> {
        let link = self.link.with_purpose(purpose);
        let anew = std::mem::take(&mut self.view().anew);
        if anew {
            link.access().forget_found().await;
        }
        let mut found = link.found().await?;
        let mut wanted = (self.ask.wanted)(&self.addon);
        found.budget.affords(wanted.calls(), purpose)?;
        let urgent = !looked.is_empty() || !self.view().attending.is_empty();
        let place = (found.facts.addon_id.clone(), found.facts.app_id.clone());
        let sharing = self.shared.sharing(&self.addon, place, self.clock, self.not_before(began, urgent));
        let grants = pass::grants(&link, self.clock, began, &mut found, &sharing).await?;
        let listed = grants.connections.0;
        let mut whole = grants.connections.1.whole;
        whole &= !wanted.authorizations || grants.authorizations.as_ref().is_ok_and(|(_, listing)| listing.whole);
        let mut moved = self.shelve(grants);
        let (slow, mut due) = self.due(&mut wanted);
        due.extend(looked.iter().cloned());
        let is_due = |connection: &str, who: &Key| slow.contains(connection) || due.contains(who);
        let pages = pass::pages(&link, self.clock, &wanted, &sharing, is_due).await;
        let now = self.clock.now();
        let mut view = self.view();
        view.shelves.asked_for(&wanted);
        for page in pages {
            match page {
                Ok(page) => {
                    if slow.contains(&page.connection) {
                        view.read.insert(page.connection.clone(), now);
                    }
                    moved.extend(view.shelves.list_page(page));
                }
                // It is tried again at the next pass.
                Err(missed) => {
                    whole = false;
                    view.shelves.miss(now, missed, patience(self.poll()));
                }
            }
        }
        Ok(Pass { facts: found.facts.clone(), listed, whole, moved })
    }

    /// When a listing must have begun to serve a pass that begins at `began`: now where somebody waits for it, else after the
    /// last pass, and not long ago.
    fn not_before(&self, began: Timestamp, urgent: bool) -> Timestamp {
        let last = self.view().live.at.unwrap_or(Timestamp::MIN);
        let recent = began.checked_sub(self.poll() / 2).unwrap_or(Timestamp::MIN);
        if urgent { began } else { last.max(recent) }
    }

    /// Takes in what lives on the add-on itself, and gives what moved.
    fn shelve(&self, grants: Grants) -> BTreeSet<String> {
        let Grants { connections: (began, connections), authorizations } = grants;
        let mut view = self.view();
        let mut moved = view.shelves.list_grants(GrantKind::Connection, began, connections);
        match authorizations {
            Ok((began, listing)) => moved.extend(view.shelves.list_grants(GrantKind::Authorization, began, listing)),
            Err((began, verdict)) => {
                view.shelves.at(&Shelf::grants(GrantKind::Authorization)).missed(began, verdict, patience(self.poll()))
            }
        }
        moved
    }

    /// On which of the connections targets are to be read one by one, all of them, and for whom on the others. What lives
    /// on a connection that is not in working order cannot be read.
    fn due(&self, wanted: &mut Wanted) -> (BTreeSet<String>, BTreeSet<Key>) {
        let now = self.clock.now();
        let view = self.view();
        wanted.publications.retain(|id| view.shelves.is_up(id));
        wanted.targets.retain(|id, _| view.shelves.is_up(id));
        let pace = self.poll() * SLOWER;
        let slow = |id: &&String| view.read.get(*id).is_none_or(|at| now.duration_since(*at) >= pace);
        (wanted.targets.keys().filter(slow).cloned().collect(), view.attending.keys().cloned().collect())
    }

    fn take_in(&self, began: Timestamp, result: Result<Pass, AccessError>, looked: BTreeSet<Key>) -> Vec<Cause> {
        let now = self.clock.now();
        let mut view = self.view();
        let before = view.live.clone();
        let mut moved = BTreeSet::new();
        view.live.at = Some(began);
        match result {
            Ok(pass) => {
                moved = pass.moved;
                self.link.access().keep(&pass.facts);
                view.live.facts = Some(pass.facts);
                view.live.trouble = None;
                view.live.silent = false;
                view.live.connections = view.shelves.count(GrantKind::Connection);
                view.live.authorizations = view.shelves.count(GrantKind::Authorization);
                // What another poller listed a while ago is that much older: so both soon poll at the same time, and only one does.
                let age = if pass.listed < began { now.duration_since(pass.listed) } else { SignedDuration::ZERO };
                view.schedule.good(now, self.poll(), pass.whole, age);
            }
            Err(error) => self.failed(&mut view, &error, now),
        }
        if self.is_plenty(&view) {
            view.live.constrained = None;
        }
        let mut causes = Vec::new();
        let outages = view.shelves.outages();
        if view.live.trouble.is_none() {
            view.live.partly = outages.first().map(|(what, outage)| partly(what, outage));
        }
        let partly = std::mem::replace(&mut view.outages, outages) != view.outages;
        let turned =
            before.trouble != view.live.trouble || before.silent != view.live.silent || before.facts != view.live.facts;
        if turned || (AddonLive { at: None, ..before }) != (AddonLive { at: None, ..view.live.clone() }) {
            causes.push(Cause::Object(self.addon.clone()));
        }
        if turned || partly {
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
            (self.ask.wake)(Cause::Object(self.addon.clone()));
        }
        waits
    }

    fn failed(&self, view: &mut View, error: &AccessError, now: Timestamp) {
        let verdict = trouble(error);
        tracing::warn!(addon = %self.addon, reason = %verdict.reason, "{}", verdict.message);
        let outage = verdict.reason.is_outage();
        // One outage is told once, in the words it began with, whatever face it shows next.
        if !outage || !view.live.trouble.as_ref().is_some_and(|known| known.reason.is_outage()) {
            // It may answer elsewhere by now. Where it said that it is gone, that was looked into at once.
            let unavailable = verdict.reason == Reason::RemoteUnavailable && matches!(error, AccessError::AppLink(_));
            view.anew |= unavailable && !error.says_gone();
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
        view.schedule.last_good + patience(self.poll())
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
