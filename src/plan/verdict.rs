//! What is said of an object: reason, message and class, and the conditions that follow from them.
//!
//! Pure. `diff` gives verdicts; `control::report` writes the conditions.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::crd::{ConditionType, Reason, condition};

/// Who has to act next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nobody: spec and world agree.
    Settled,
    /// The operator or what it waits for: kstatus calls it InProgress.
    Waits,
    /// The user: kstatus calls it Failed.
    NeedsUser,
    /// Neither: nothing is known, or nothing is to be done.
    Idle,
}

/// Status of the condition Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Seen as declared.
    True,
    /// Not, or not yet.
    False,
    /// Not seen for too long.
    Unknown,
    /// Whatever it was.
    Same,
}

/// One judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Status of Ready.
    pub ready: Readiness,
    /// Reason of Ready, and of Reconciling or Stalled.
    pub reason: Reason,
    /// What is wrong, and what the reader can do. Stable text.
    pub message: String,
    /// Who has to act.
    pub class: Class,
}

impl Verdict {
    /// As declared.
    #[must_use]
    pub fn settled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Readiness::True, reason, message: message.into(), class: Class::Settled }
    }

    /// Under way, or waiting for something that may come by itself.
    #[must_use]
    pub fn waits(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Readiness::False, reason, message: message.into(), class: Class::Waits }
    }

    /// Stuck until somebody acts.
    #[must_use]
    pub fn needs_user(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Readiness::False, reason, message: message.into(), class: Class::NeedsUser }
    }

    /// Unseen for too long to know.
    #[must_use]
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: Readiness::Unknown, reason, message: message.into(), class: Class::Idle }
    }

    /// Stopped by `spec.suspend`.
    #[must_use]
    pub fn suspended(message: impl Into<String>) -> Self {
        Self { ready: Readiness::Same, reason: Reason::Suspended, message: message.into(), class: Class::Idle }
    }
}

/// What to write of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// These conditions, for this generation.
    Say(Verdict),
    /// The conditions as they are, for this generation.
    Keep,
    /// The remote facts, and the conditions as they are: this generation has not been judged.
    Note,
    /// Nothing: this generation has not been judged.
    Hold,
}

impl From<Verdict> for Report {
    fn from(verdict: Verdict) -> Self {
        Self::Say(verdict)
    }
}

/// The conditions after `report`, from those before. A transition time moves only with its status, and conditions that
/// are not ours stay.
#[must_use]
pub fn conditions(before: &[Condition], report: &Report, generation: i64, now: Timestamp) -> Vec<Condition> {
    let verdict = match report {
        Report::Hold | Report::Note => return before.to_vec(),
        Report::Keep => {
            let mut kept = before.to_vec();
            kept.iter_mut().for_each(|c| c.observed_generation = Some(generation));
            return kept;
        }
        Report::Say(verdict) => verdict,
    };
    let ready = match verdict.ready {
        Readiness::True => "True",
        Readiness::False => "False",
        Readiness::Unknown => "Unknown",
        Readiness::Same => condition(before, ConditionType::Ready).map_or("Unknown", |c| c.status.as_str()),
    };
    let mut wanted = vec![(ConditionType::Ready, ready)];
    match verdict.class {
        Class::Waits => wanted.push((ConditionType::Reconciling, "True")),
        Class::NeedsUser => wanted.push((ConditionType::Stalled, "True")),
        Class::Settled | Class::Idle => {}
    }
    let ours = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
    // One outage is told once, in the words it began with, whatever face it shows next.
    let same = |told: &&Condition| {
        (told.status.as_str(), told.reason.as_str()) == (ready, verdict.reason.as_str())
            && told.observed_generation == Some(generation)
    };
    let told = condition(before, ConditionType::Ready).filter(|told| verdict.reason.is_outage() && same(told));
    let (reason, message) = (verdict.reason.as_str(), told.map_or(verdict.message.as_str(), |told| &told.message));
    let mut after: Vec<_> =
        wanted.into_iter().map(|(kind, status)| say(before, kind, status, reason, message, generation, now)).collect();
    after.extend(before.iter().filter(|c| !ours.iter().any(|kind| kind.as_str() == c.type_)).cloned());
    after
}

/// One condition, with the transition time of the one before where the status is the same.
#[must_use]
pub fn say(
    before: &[Condition],
    kind: ConditionType,
    status: &str,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> Condition {
    let since = condition(before, kind).filter(|c| c.status == status).map(|c| c.last_transition_time.clone());
    Condition {
        type_: kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: since.unwrap_or_else(|| Time(whole_seconds(now))),
    }
}

/// Kubernetes keeps no fraction of a second in these fields; a fraction would come back changed.
#[must_use]
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
