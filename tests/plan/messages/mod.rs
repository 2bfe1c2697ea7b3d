//! The message for every reason of every kind, as one snapshot file each. Messages are an interface: users read them.
//!
//! After a change of a message, write the snapshots and read their diff:
//!
//! ```text
//! INSTA_UPDATE=always cargo test --test plan messages && git diff tests/plan/snapshots
//! ```
//!
//! A case table or a property test whose plan reports a reason without a snapshot fails, too, see [`assert_covered`].

mod addon;
mod children;
mod org_access;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use applink_operator::conditions::{ConditionReport, StatusUpdate};
use applink_operator::crd::Reason;
use applink_operator::plan::Plan;
use applink_operator::plan::remote::OwnerState;
use serde_json::{Value, json};

use crate::fixture::{ADDON, payload};
use crate::keys::pem;

/// Reasons that only Events have, and the one that `control` writes before the first plan.
const NOT_IN_PLANS: [Reason; 8] = [
    Reason::Adopted,
    Reason::Deleted,
    Reason::Deprecated,
    Reason::DriftCorrected,
    Reason::Orphaned,
    Reason::Pending,
    Reason::Recreated,
    Reason::Republished,
];

/// The consent link in the snapshots of these tests. No message may contain it.
const LINK: &str = "https://login/?state=ey";

/// One message: kind, reason and what the snapshot file contains.
#[derive(Clone)]
pub struct Message {
    name: String,
    reason: Reason,
    text: String,
}

/// The plan of a kind, which must report a reason, under a name that says what the situation is.
fn message<T>(kind: &str, situation: &str, plan: &Plan<T>) -> Message {
    let StatusUpdate::SetConditions(report) = &plan.update else {
        panic!("{kind}, {situation}: reports nothing: {:?} {:?}", plan.steps, plan.update)
    };
    with_reason(kind, situation, report.reason, plan, Value::Null)
}

/// The same for a condition other than Ready, with its reason.
fn with_reason<T>(kind: &str, situation: &str, reason: Reason, plan: &Plan<T>, condition: Value) -> Message {
    let mut plan = json!({
        "steps": plan.steps,
        "update": plan.update,
        "requeueAfterSeconds": plan.requeue_after.map(|after| after.as_secs_f64()),
    });
    if !condition.is_null() {
        plan["condition"] = condition;
    }
    redact_digests(&mut plan);
    let text = serde_json::to_string_pretty(&plan).unwrap();
    Message { name: format!("{kind}__{reason}__{}", situation.replace([' ', ',', '\''], "_")), reason, text }
}

/// Keys differ in each run, and so do their digests.
fn redact_digests(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("v1:") => *text = "[digest]".to_owned(),
        Value::Array(items) => items.iter_mut().for_each(redact_digests),
        Value::Object(fields) => fields.values_mut().for_each(redact_digests),
        _ => {}
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/snapshots")
}

/// Names of all snapshot files, without their extension.
fn stored() -> BTreeSet<String> {
    let Ok(files) = std::fs::read_dir(folder()) else { return BTreeSet::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".snap").map(str::to_owned)).collect()
}

/// Fails if the plan of a kind reports a reason that has no snapshot.
pub fn assert_covered(kind: &str, reason: Reason) {
    static COVERED: LazyLock<BTreeSet<(String, String)>> = LazyLock::new(|| {
        let part = |name: &String| {
            let mut parts = name.split("__").map(str::to_owned);
            parts.next().zip(parts.next())
        };
        stored().iter().filter_map(part).collect()
    });
    let updating = std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always");
    let covered = COVERED.contains(&(kind.to_owned(), reason.to_string()));
    assert!(covered || updating, "{kind} reports {reason}, which has no snapshot: add it to tests/plan/messages");
}

fn all() -> Vec<Message> {
    [addon::messages(), org_access::messages(), children::publication(), children::target()].concat()
}

#[test]
fn every_message_is_as_stored() {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let names: BTreeSet<_> = all().iter().map(|message| message.name.clone()).collect();
    assert_eq!(names.len(), all().len(), "two messages have the same name");
    settings.bind(|| all().iter().for_each(|message| insta::assert_snapshot!(message.name.clone(), message.text)));
    let unused: Vec<_> = stored().into_iter().filter(|name| !names.contains(name)).collect();
    assert!(unused.is_empty(), "delete these snapshots from {}: {unused:#?}", folder().display());
}

#[test]
fn every_reason_that_a_plan_can_report_has_a_message() {
    let reported: BTreeSet<_> = all().iter().map(|message| message.reason.to_string()).collect();
    for reason in Reason::ALL {
        let elsewhere = NOT_IN_PLANS.contains(reason);
        assert_ne!(
            reported.contains(reason.as_str()),
            elsewhere,
            "{reason}: cover it here, or list it in NOT_IN_PLANS"
        );
    }
}

#[test]
fn no_message_contains_a_secret() {
    let key = pem("Z29vZA==");
    assert!(payload("Z29vZA==").hash.starts_with("v1:"), "the key is in use");
    let secrets: Vec<_> = key.lines().filter(|line| !line.starts_with('-')).chain([LINK, "state=ey"]).collect();
    for message in all() {
        let found = secrets.iter().find(|secret| message.text.contains(**secret));
        assert_eq!(found, None, "{}", message.name);
    }
}

#[test]
fn every_message_ends_without_a_full_stop_and_has_one_line() {
    for message in all() {
        let plan: Value = serde_json::from_str(&message.text).unwrap();
        let Some(text) = plan.pointer("/update/SetConditions/message").and_then(Value::as_str) else { continue };
        assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{}: {text}", message.name);
        assert!(!text.contains("..") && !text.contains("  "), "{}: {text}", message.name);
    }
}

/// An add-on that is unusable for this reason.
fn unusable(reason: Reason, stale: bool) -> OwnerState {
    let report = ConditionReport::in_progress(reason, "[cause]");
    OwnerState::Unusable { id: Some(ADDON.into()), report, stale }
}

/// Why an input is unusable.
fn unusable_input(reason: Reason) -> ConditionReport {
    match reason {
        Reason::SecretNotFound | Reason::ConfigMapNotFound => ConditionReport::in_progress(reason, "[cause]"),
        _ => ConditionReport::stalled(reason, "[cause]"),
    }
}
