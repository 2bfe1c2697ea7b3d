//! How a remote object is let go of when its resource is deleted.
//!
//! Pure. Deletes go by the recorded id, or by the id that a listing shows for an intent of our own; never by name. The
//! kinds' plans call [`Case::leave`].

use jiff::SignedDuration;

use super::{Addon, Case, Course, DELETION_REST, Holder, elapsed};
use crate::crd::{DeletionPolicy, Reason};
use crate::plan::Step;
use crate::plan::live::{Phase, RemoteObject, Sighting};
use crate::plan::memory::Answer;
use crate::plan::verdict::{Report, Verdict};

/// The pauses between looks for an object that is on its way out begin with this, and end with that.
const FIRST_LOOK: SignedDuration = SignedDuration::from_millis(300);
const LAST_LOOK: SignedDuration = SignedDuration::from_secs(5);

/// The way out where a deletion is stuck.
const WAY_OUT: &str = "to delete without it, set applink.dev/force-orphan: \"true\"";

impl<R: RemoteObject> Case<'_, R> {
    /// How to let go of an object that is being deleted. `fits` as for [`Case::holder`].
    pub fn leave(&self, fits: impl Fn(&R) -> bool) -> Course {
        let deleting = || Verdict::waits(Reason::Deleting, format!("deleting {} {}", self.noun, self.title));
        let release =
            |orphaned: Option<&str>| Course::act(vec![Step::Release { orphaned: orphaned.map(str::to_owned) }]);
        if let Some(course) = self.let_go() {
            return course;
        }
        let id = self.record.id.as_deref();
        if id.is_none() && self.posted_intent().is_none() {
            return release(None);
        }
        if self.policies.deletion == DeletionPolicy::Orphan {
            return release(id.or(Some(self.title)));
        }
        if let Some(course) = self.obstacle() {
            return self.stuck(course);
        }
        self.after_answer().unwrap_or_else(|| self.remove(fits, release(None), deleting()))
    }

    /// What comes of a deletion whatever is there: nothing of ours holds it up, or the user says what is to be done.
    #[must_use]
    pub fn let_go(&self) -> Option<Course> {
        let release = |orphaned| Some(Course::act(vec![Step::Release { orphaned }]));
        if !self.memory.finalizer {
            return Some(Course::hold());
        }
        if self.memory.force_orphan {
            return release(Some(self.record.id.as_deref().unwrap_or(self.title).to_owned()));
        }
        if self.policies.suspend {
            let text = "suspended: the deletion waits for spec.suspend: false";
            return Some(Course::say(Verdict::suspended(text)));
        }
        if self.policies.observes() { release(None) } else { None }
    }

    /// A deletion that cannot go on says so even where the object was Ready, and names the way out.
    pub(super) fn stuck(&self, course: Course) -> Course {
        match (&course.report, self.addon) {
            (Report::Say(verdict), _) => {
                let text = verdict.message.clone();
                Course { report: Verdict { message: format!("{text}; {WAY_OUT}"), ..verdict.clone() }.into(), ..course }
            }
            (_, Addon::Troubled { verdict, .. }) => self.stuck_at(verdict, course),
            _ => course,
        }
    }

    /// The same, where it is known at what.
    pub(super) fn stuck_at(&self, cause: &Verdict, course: Course) -> Course {
        let text = format!("deleting {} {} waits: {}; {WAY_OUT}", self.noun, self.title, cause.message);
        Course { report: Verdict::waits(Reason::Deleting, text).into(), ..course }
    }

    /// What to do while the service carries out a deletion that it took from us: ask for the object by its id, soon at
    /// first, then leave it to the passes.
    #[must_use]
    pub fn own_deletion(&self, seen: &Sighting<R>, meanwhile: &Verdict) -> Option<Course> {
        let Some(Answer::Deleting { id, at }) = &self.memory.answer else { return None };
        let past = elapsed(*at, self.now);
        if id != seen.object.id() || past >= DELETION_REST {
            return None;
        }
        let wait = Course::attend(meanwhile.clone());
        let pace = (past / 2).max(FIRST_LOOK);
        if pace >= LAST_LOOK {
            return Some(wait.again(DELETION_REST - past));
        }
        let left = pace - elapsed(seen.at, self.now);
        if left.is_positive() {
            return Some(wait.again(left));
        }
        Some(Course::act(vec![Step::Confirm { id: id.clone() }]))
    }

    fn remove(&self, fits: impl Fn(&R) -> bool, release: Course, deleting: Verdict) -> Course {
        let target = match self.holder(fits) {
            Holder::Recorded(seen) | Holder::Intended(seen) => Some(seen),
            Holder::Foreign(_) | Holder::Nobody => None,
        };
        let Some(seen) = target else {
            if let Some(id) = self.unconfirmed() {
                return Course::act(vec![Step::Confirm { id: id.to_owned() }]);
            }
            if let Some(course) = self.unproven() {
                return course;
            }
            if let Some(wait) = self.settling() {
                return Course::attend(deleting).again(wait);
            }
            // What an intent may have made is not ruled out by its predecessor's being gone.
            let settled = self.live.complete || self.posted_intent().is_none() || self.accounted();
            return if settled { release } else { Course::act(vec![Step::Look]) };
        };
        let id = seen.object.id();
        if let Some(course) = self.refused() {
            return course;
        }
        if let Some(course) = self.own_deletion(seen, &deleting) {
            return course;
        }
        if seen.object.phase() == Phase::Leaving {
            return Course::attend(deleting);
        }
        let mut steps = vec![Step::Delete { id: id.to_owned() }];
        steps.extend(release.steps);
        Course::act(steps)
    }
}
