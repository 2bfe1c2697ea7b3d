//! The rooms of the operator, and which of them may use which; and what holds for the source files of all crates.
//!
//! Reads the code and runs nothing. A line that uses a room that it must not know fails here, with its file and line.
//!
//! - this file: the rules. `source`: files without comments, texts and tests. `imports`: what modules use of each other.
//!   `circles`: modules that use each other.

mod circles;
mod imports;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each room may use of the crate. Rooms that are not named may use anything.
const ROOMS: [(&str, &[&str]); 20] = [
    ("timing", &[]),
    ("crd", &[]),
    ("conditions", &["crd"]),
    ("facts", &["conditions", "crd", "timing"]),
    ("document", &[]),
    ("plan", &["conditions", "crd", "document", "facts", "timing"]),
    ("wire", &["facts"]),
    ("clock", &[]),
    ("liveness", &[]),
    ("budget", &[]),
    ("metrics", &["budget"]),
    ("telemetry", &[]),
    ("transport", &["budget", "clock", "metrics", "timing", "wire"]),
    ("heroku", &["budget", "clock", "crd", "facts", "timing", "transport", "wire"]),
    ("applink", &["budget", "facts", "heroku", "transport", "wire"]),
    (
        "observe",
        &[
            "applink",
            "budget",
            "clock",
            "conditions",
            "crd",
            "facts",
            "heroku",
            "liveness",
            "metrics",
            "timing",
            "transport",
        ],
    ),
    (
        "control",
        &[
            "applink",
            "budget",
            "clock",
            "conditions",
            "crd",
            "facts",
            "heroku",
            "liveness",
            "metrics",
            "observe",
            "plan",
            "readiness",
            "timing",
            "transport",
        ],
    ),
    ("admin", &["liveness", "metrics", "readiness"]),
    ("readiness", &[]),
    ("kubeconfig", &["timing"]),
];

/// What no line of a pure room may name.
const IMPURE: [&str; 8] =
    ["tokio", "reqwest", "tracing", "kube::Client", "kube::Api", "std::fs", "std::env", "async fn"];
const PURE: [&str; 7] = ["conditions", "crd", "document", "facts", "plan", "timing", "wire"];

/// The crates of the workspace by their folders.
const CRATES: [&str; 4] = ["src", "benches", "simulator/src", "xtask/src"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every source file of the operator with its room.
fn rooms() -> BTreeMap<PathBuf, String> {
    let src = root("src");
    let room = |path: &Path| {
        let inner = path.strip_prefix(&src).unwrap();
        inner.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    source::files(&src).into_iter().map(|path| (path.clone(), room(&path))).collect()
}

/// The lines of a file, without comments, texts and tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = source::read(path);
    text.lines().enumerate().map(|(n, line)| (n + 1, line.trim().to_owned())).collect()
}

/// The rooms that a line names by `crate::room`.
fn named(line: &str) -> Vec<&str> {
    line.match_indices("crate::")
        .map(|(at, found)| &line[at + found.len()..])
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .collect()
}

#[test]
fn every_room_uses_only_what_it_may() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, room) in rooms() {
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        for (number, line) in code(&path) {
            for other in named(&line) {
                seen += 1;
                if other != room && !allowed.contains(&other) {
                    wrong.push(format!("{}:{number}: {room} must not use {other}", path.display()));
                }
            }
        }
    }
    assert!(seen > 50, "the imports are no longer found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_is_known_here() {
    let known = ["lib", "main"];
    for (path, room) in rooms() {
        let listed = ROOMS.iter().any(|(name, _)| *name == room) || known.contains(&room.as_str());
        assert!(listed, "{}: say in tests/rooms/main.rs what {room} may use", path.display());
    }
}

#[test]
fn pure_rooms_do_no_input_or_output() {
    for (path, room) in rooms().into_iter().filter(|(_, room)| PURE.contains(&room.as_str())) {
        for (number, line) in code(&path) {
            let found = IMPURE.iter().find(|word| line.contains(**word));
            assert_eq!(found, None, "{}:{number}: {room} is pure", path.display());
        }
    }
}

#[test]
fn no_modules_import_from_each_other_in_a_circle() {
    for folder in CRATES {
        let uses = imports::uses(&imports::modules(&root(folder)));
        assert!(uses.values().any(|used| !used.is_empty()), "the imports in {folder} are no longer found");
        let circles = circles::circles(&uses);
        assert!(circles.is_empty(), "{folder}: these modules import from each other in a circle: {circles:#?}");
    }
}

#[test]
fn the_operator_and_the_simulator_share_nothing() {
    let manifest = std::fs::read_to_string(root("simulator/Cargo.toml")).unwrap();
    assert!(!manifest.contains("applink-operator"), "the simulator must not use the operator");
    for path in rooms().into_keys() {
        let found = source::read(&path).contains("applink_simulator");
        assert!(!found, "{}: only tests may use the simulator", path.display());
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let folders = CRATES.into_iter().chain(["tests", "simulator/tests"]);
    for path in folders.flat_map(|folder| source::files(&root(folder))) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} begins without saying what it is", path.display());
        assert!(text.lines().count() < 400, "{} is too long", path.display());
    }
}

/// What reads the real clock, of what `std::time` has.
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];

#[test]
fn no_test_asserts_how_long_anything_takes_in_real_time() {
    let tests = root("tests");
    // It needs the clock to give up.
    let harness = tests.join("e2e/harness");
    for path in source::files(&tests).into_iter().filter(|path| !path.starts_with(&harness)) {
        for (number, line) in code(&path).into_iter().filter(|(_, line)| line.contains("std::time::")) {
            let clock = CLOCKS.iter().find(|clock| line.contains(**clock));
            assert_eq!(clock, None, "{}:{number}: use virtual time, or wait on a condition", path.display());
        }
    }
}
