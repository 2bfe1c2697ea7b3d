//! The mixed dialect: objects with the keys of both dialects, or some of each, and with fields that neither has.
//!
//! Must not depend on the kind of object. Called by `dialect`, `publications`
//! and `targets`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::timestamp;
use super::overrides::omit;
use crate::settings::{Dialect, KeySet, OmittedAs, Settings};

/// The body of an object in the dialect of its serial number. `dropped` are the fields to drop if it gets some
/// keys of each dialect.
pub(super) fn body_in_dialect(
    settings: &Settings,
    serial: u64,
    reference: impl FnOnce() -> Map<String, Value>,
    cli: impl FnOnce() -> Map<String, Value>,
    dropped: &[&[&str]],
) -> Map<String, Value> {
    let mut body = match settings.key_set_of(serial) {
        KeySet::Reference => reference(),
        KeySet::Cli => cli(),
        KeySet::Both => merged(reference(), cli()),
        KeySet::Crossed => {
            let mut body = merged(reference(), cli());
            for path in dropped {
                omit(&mut body, path, OmittedAs::Absent);
            }
            body
        }
    };
    if settings.dialect == Dialect::Mixed {
        add_unknown(&mut body);
    }
    body
}

/// A time in the format of the dialect. The mixed one has no fraction.
pub(super) fn timestamp_in(dialect: Dialect, at: Timestamp) -> String {
    match dialect {
        Dialect::Mixed => format!("{at:.0}"),
        Dialect::Reference | Dialect::Cli => timestamp(at),
    }
}

/// All keys of both. If both have a key, the value of the first counts.
fn merged(mut one: Map<String, Value>, other: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in other {
        match (one.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => *inner = merged(std::mem::take(inner), value),
            (Some(_), _) => {}
            (None, value) => {
                one.insert(key, value);
            }
        }
    }
    one
}

/// Adds fields of several types, as a later release may.
fn add_unknown(body: &mut Map<String, Value>) {
    let later = [("revision", json!(3)), ("labels", json!(["later"])), ("links", json!({"self": null}))];
    body.extend(later.map(|(key, value)| (key.to_owned(), value)));
    if let Some(Value::Object(org)) = body.get_mut("org") {
        org.insert("is_sandbox".to_owned(), json!(false));
    }
}
