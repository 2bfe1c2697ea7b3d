//! What is said of an object: reason, message and class, and the conditions that follow from them.
//!
//! Pure. `diff` gives verdicts; `control::report` writes the conditions.

// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crd::{Condition, ConditionType, Reason, condition};

/// Who has to act next.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nobody: spec and world agree.
    Current,
    /// The operator or what it waits for: kstatus calls it InProgress.
    InProgress,
    /// The user: kstatus calls it Failed.
    Failed,
    /// Neither: nothing is known, or nothing is to be done.
    Idle,
}

/// Status of the condition Ready.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadyStatus {
    /// Seen as declared.
    True,
    /// Not, or not yet.
    False,
    /// Not seen for too long.
    Unknown,
    /// Whatever it was.
    Unchanged,
}

/// One judgement.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConditionReport {
    /// Status of Ready.
    pub ready: ReadyStatus,
    /// Reason of Ready, and of Reconciling or Stalled.
    pub reason: Reason,
    /// What is wrong, and what the reader can do. Stable text.
    pub message: String,
    /// Who has to act.
    pub progress: Progress,
}

impl ConditionReport {
    /// As declared.
    #[must_use]
    pub fn ready(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::True, reason, message: message.into(), progress: Progress::Current }
    }

    /// Under way, or waiting for something that may come by itself.
    #[must_use]
    pub fn in_progress(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::False, reason, message: message.into(), progress: Progress::InProgress }
    }

    /// Stuck until somebody acts.
    #[must_use]
    pub fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::False, reason, message: message.into(), progress: Progress::Failed }
    }

    /// Unseen for too long to know.
    #[must_use]
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::Unknown, reason, message: message.into(), progress: Progress::Idle }
    }

    /// Stopped by `spec.suspend`.
    #[must_use]
    pub fn suspended(message: impl Into<String>) -> Self {
        Self {
            ready: ReadyStatus::Unchanged,
            reason: Reason::Suspended,
            message: message.into(),
            progress: Progress::Idle,
        }
    }
}

/// What to write of a plan.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum StatusUpdate {
    /// These conditions, for this generation.
    SetConditions(ConditionReport),
    /// The conditions as they are, for this generation.
    KeepConditions,
    /// The remote facts, and the conditions as they are: this generation has not been judged.
    FactsOnly,
    /// Nothing: this generation has not been judged.
    Unchanged,
}

impl From<ConditionReport> for StatusUpdate {
    fn from(report: ConditionReport) -> Self {
        Self::SetConditions(report)
    }
}

/// The conditions after `report`, from those before. A transition time moves only with its status, and conditions that
/// are not ours stay.
#[must_use]
pub fn conditions(before: &[Condition], report: &StatusUpdate, generation: i64, now: Timestamp) -> Vec<Condition> {
    let report = match report {
        StatusUpdate::Unchanged | StatusUpdate::FactsOnly => return before.to_vec(),
        StatusUpdate::KeepConditions => {
            let mut kept = before.to_vec();
            kept.iter_mut().for_each(|c| c.observed_generation = Some(generation));
            return kept;
        }
        StatusUpdate::SetConditions(report) => report,
    };
    let ready = match report.ready {
        ReadyStatus::True => "True",
        ReadyStatus::False => "False",
        ReadyStatus::Unknown => "Unknown",
        ReadyStatus::Unchanged => condition(before, ConditionType::Ready).map_or("Unknown", |c| c.status.as_str()),
    };
    let mut wanted = vec![(ConditionType::Ready, ready)];
    match report.progress {
        Progress::InProgress => wanted.push((ConditionType::Reconciling, "True")),
        Progress::Failed => wanted.push((ConditionType::Stalled, "True")),
        Progress::Current | Progress::Idle => {}
    }
    let ours = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
    // One outage is told once, in the words it began with, whatever face it shows next.
    let same = |told: &&Condition| {
        (told.status.as_str(), told.reason.as_str()) == (ready, report.reason.as_str())
            && told.observed_generation == Some(generation)
    };
    let told = condition(before, ConditionType::Ready).filter(|told| report.reason.is_outage() && same(told));
    let (reason, message) = (report.reason.as_str(), told.map_or(report.message.as_str(), |told| &told.message));
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
    let since = condition(before, kind).filter(|c| c.status == status).map(|c| c.last_transition_time);
    Condition {
        type_: kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: since.unwrap_or_else(|| whole_seconds(now)),
    }
}

/// Kubernetes keeps no fraction of a second in these fields; a fraction would come back changed.
#[must_use]
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
