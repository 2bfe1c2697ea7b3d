//! Condition reports, and the conditions Ready, Reconciling and Stalled that follow from them.
//!
//! Pure. `plan` makes reports; `control::status` writes the conditions.

// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crd::{Condition, ConditionType, Reason, condition};

/// Who must act next.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nobody: the remote object matches the spec.
    Current,
    /// The operator, or something that it waits for. kstatus calls this InProgress.
    InProgress,
    /// The user. kstatus calls this Failed.
    Failed,
    /// Nobody: the state is unknown, or the resource is suspended.
    Idle,
}

/// Status of the condition Ready.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadyStatus {
    /// The remote object matches the spec.
    True,
    /// The remote object does not match the spec, or not yet.
    False,
    /// The operator has not observed the remote object for too long.
    Unknown,
    /// Ready keeps its status.
    Unchanged,
}

/// What the conditions of an object should say.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConditionReport {
    /// Status of Ready.
    pub ready: ReadyStatus,
    /// Reason of Ready, and of Reconciling or Stalled.
    pub reason: Reason,
    /// What is wrong, then what to do. It contains no times or counters, so that it stays the same.
    pub message: String,
    /// Who must act next.
    pub progress: Progress,
}

impl ConditionReport {
    /// Ready is True.
    #[must_use]
    pub fn ready(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::True, reason, message: message.into(), progress: Progress::Current }
    }

    /// Ready is False; the operator works, or waits for something that may happen by itself.
    #[must_use]
    pub fn in_progress(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::False, reason, message: message.into(), progress: Progress::InProgress }
    }

    /// Ready is False until the user acts.
    #[must_use]
    pub fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::False, reason, message: message.into(), progress: Progress::Failed }
    }

    /// Ready is Unknown.
    #[must_use]
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: ReadyStatus::Unknown, reason, message: message.into(), progress: Progress::Idle }
    }

    /// `spec.suspend` is true; Ready keeps its status.
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

/// What a plan writes to the status.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum StatusUpdate {
    /// These conditions, as observed for this generation.
    SetConditions(ConditionReport),
    /// The current conditions, as observed for this generation.
    KeepConditions,
    /// Only the remote facts; this generation is not observed yet.
    FactsOnly,
    /// Nothing; this generation is not observed yet.
    Unchanged,
}

impl From<ConditionReport> for StatusUpdate {
    fn from(report: ConditionReport) -> Self {
        Self::SetConditions(report)
    }
}

/// The conditions after `update`. A transition time changes only together with its status. Conditions of other types stay.
#[must_use]
pub fn conditions(before: &[Condition], update: &StatusUpdate, generation: i64, now: Timestamp) -> Vec<Condition> {
    let report = match update {
        StatusUpdate::Unchanged | StatusUpdate::FactsOnly => return before.to_vec(),
        StatusUpdate::KeepConditions => {
            let mut current = before.to_vec();
            current.iter_mut().for_each(|c| c.observed_generation = Some(generation));
            return current;
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
    // An outage keeps its first message, even if its symptoms change.
    let same = |current: &&Condition| {
        (current.status.as_str(), current.reason.as_str()) == (ready, report.reason.as_str())
            && current.observed_generation == Some(generation)
    };
    let current = condition(before, ConditionType::Ready).filter(|current| report.reason.is_outage() && same(current));
    let (reason, message) =
        (report.reason.as_str(), current.map_or(report.message.as_str(), |current| &current.message));
    let mut after: Vec<_> = wanted
        .into_iter()
        .map(|(kind, status)| build_condition(before, kind, status, reason, message, generation, now))
        .collect();
    after.extend(before.iter().filter(|c| !ours.iter().any(|kind| kind.as_str() == c.type_)).cloned());
    after
}

/// One condition. If its status does not change, it keeps its transition time.
#[must_use]
pub fn build_condition(
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

/// The time in whole seconds, because Kubernetes drops fractions of a second.
#[must_use]
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
