//! What a connection is to those who live on it: what counts is its remote state, not its Ready.
//!
//! Pure. `diff::connection` judges it, the plans of publications and targets wait for it.

use super::{Case, Course};
use crate::crd::Reason;
use crate::plan::Step;
use crate::plan::live::RemoteObject;
use crate::plan::verdict::Verdict;

/// The connection that a resource refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// There is no such Connection.
    Missing {
        /// Its name.
        name: String,
    },
    /// It can never serve: why.
    Unfit(String),
    /// It cannot serve now: why.
    NotReady(String),
    /// Only a list's silence speaks against it; its own resource is finding out.
    Unsure,
    /// It is connected.
    Ready {
        /// Its id in AppLink.
        id: String,
        /// Its name.
        name: String,
        /// Whether its resource is being deleted: what lives on it stays, but nothing new comes.
        leaving: bool,
    },
}

impl Parent {
    /// Its id, where it is connected.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Ready { id, .. } => Some(id),
            _ => None,
        }
    }
}

impl<R: RemoteObject> Case<'_, R> {
    /// What to say where there is no such Connection, or it can never serve.
    #[must_use]
    pub fn unparented(&self, parent: &Parent) -> Option<Course> {
        match parent {
            Parent::Missing { name } => {
                let text = format!("Connection {name} does not exist in this namespace; waiting for it");
                Some(self.missing(Reason::DependencyNotFound, text))
            }
            Parent::Unfit(why) => Some(Course::say(Verdict::needs_user(Reason::InvalidSpec, why.clone()))),
            // Without its Connection, nobody knows its add-on.
            Parent::NotReady(why) if self.addon_name.is_empty() => {
                Some(self.missing(Reason::ConnectionNotReady, why.clone()))
            }
            Parent::NotReady(_) | Parent::Unsure | Parent::Ready { .. } => None,
        }
    }

    /// What to say while it cannot serve.
    #[must_use]
    pub fn wait_for(&self, parent: &Parent) -> Option<Course> {
        match parent {
            Parent::NotReady(why) => Some(self.missing(Reason::ConnectionNotReady, why.clone())),
            Parent::Unsure => Some(Course::hold()),
            _ => None,
        }
    }

    /// The course, unless it would make something on a connection that is about to go.
    #[must_use]
    pub fn unless_leaving(&self, parent: &Parent, course: Course) -> Course {
        match parent {
            Parent::Ready { name, leaving: true, .. } if course.steps.iter().any(Step::mutates) => {
                let text = format!("Connection {name} is being deleted; nothing is made on it any more");
                Course::say(Verdict::waits(Reason::ConnectionNotReady, text))
            }
            _ => course,
        }
    }
}
