//! The mixed dialect: objects with the keys of both spellings, or some of each, and with fields that neither has.
//!
//! Must not know what an object is about: it changes what the two spellings wrote. Called by `dialect`, `publications`
//! and `targets`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::stamp;
use super::spelling::omit;
use crate::settings::{Dialect, OmittedAs, Settings, Spelling};

/// What one object is spelled like, by its serial number; `spare` are the keys that go where one of each is wanted.
pub(super) fn spelled(
    settings: &Settings,
    serial: u64,
    reference: impl FnOnce() -> Map<String, Value>,
    cli: impl FnOnce() -> Map<String, Value>,
    spare: &[&[&str]],
) -> Map<String, Value> {
    let mut body = match settings.spelling_of(serial) {
        Spelling::Reference => reference(),
        Spelling::Cli => cli(),
        Spelling::Both => merged(reference(), cli()),
        Spelling::Crossed => {
            let mut body = merged(reference(), cli());
            for path in spare {
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

/// A moment as the dialect writes it: the mixed one without a fraction.
pub(super) fn stamp_in(dialect: Dialect, at: Timestamp) -> String {
    match dialect {
        Dialect::Mixed => format!("{at:.0}"),
        Dialect::Reference | Dialect::Cli => stamp(at),
    }
}

/// All keys of both; the value of the first counts where both have one.
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

/// What a later release may add, of every type.
fn add_unknown(body: &mut Map<String, Value>) {
    let later = [("revision", json!(3)), ("labels", json!(["later"])), ("links", json!({"self": null}))];
    body.extend(later.map(|(key, value)| (key.to_owned(), value)));
    if let Some(Value::Object(org)) = body.get_mut("org") {
        org.insert("is_sandbox".to_owned(), json!(false));
    }
}
