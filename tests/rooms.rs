//! The rooms of the library, and who may use whom: reads the `use` lines and the paths of `src`.
//!
//! Runs nothing. A line of code that reaches into a room it must not know fails here, with its file and line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each room may use of the crate. Rooms that are not named may use anything.
const ROOMS: [(&str, &[&str]); 18] = [
    ("crd", &[]),
    ("conditions", &["crd"]),
    ("facts", &["conditions", "crd"]),
    ("document", &[]),
    ("plan", &["conditions", "crd", "document", "facts"]),
    ("wire", &["facts"]),
    ("clock", &[]),
    ("budget", &[]),
    ("metrics", &["budget", "transport"]),
    ("telemetry", &[]),
    ("transport", &["budget", "clock", "wire", "metrics"]),
    ("heroku", &["budget", "clock", "crd", "facts", "transport", "wire"]),
    ("applink", &["budget", "facts", "heroku", "transport", "wire"]),
    ("observe", &["applink", "budget", "clock", "conditions", "crd", "facts", "heroku", "metrics", "transport"]),
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
            "metrics",
            "observe",
            "plan",
            "readiness",
            "transport",
        ],
    ),
    ("admin", &["metrics", "readiness"]),
    ("readiness", &[]),
    ("kubeconfig", &[]),
];

/// What no line of a pure room may name.
const IMPURE: [&str; 8] =
    ["tokio", "reqwest", "tracing", "kube::Client", "kube::Api", "std::fs", "std::env", "async fn"];
const PURE: [&str; 6] = ["conditions", "crd", "document", "facts", "plan", "wire"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// Every source file with the room it is in.
fn rooms() -> BTreeMap<PathBuf, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let room = |path: &Path| {
        let inner = path.strip_prefix(&src).unwrap();
        inner.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    sources(&src).into_iter().map(|path| (path.clone(), room(&path))).collect()
}

/// The lines of a file that are code, up to its tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim().to_owned()));
    lines.take_while(|(_, line)| line != "#[cfg(test)]").filter(|(_, line)| !line.starts_with("//")).collect()
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
        assert!(listed, "{}: say in tests/rooms.rs what {room} may use", path.display());
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
fn files_are_short_and_say_what_they_are() {
    let tests = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    for path in rooms().into_keys().chain(tests) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} begins without saying what it is", path.display());
        assert!(text.lines().count() < 400, "{} is too long", path.display());
    }
}

/// What reads the real clock, of what `std::time` has.
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];

#[test]
fn no_test_asserts_how_long_anything_takes_in_real_time() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    // It needs the clock to give up.
    let harness = tests.join("e2e/harness");
    for path in sources(&tests).into_iter().filter(|path| !path.starts_with(&harness)) {
        for (number, line) in code(&path).into_iter().filter(|(_, line)| line.contains("std::time::")) {
            let clock = CLOCKS.iter().find(|clock| line.contains(**clock));
            assert_eq!(clock, None, "{}:{number}: use virtual time, or wait on a condition", path.display());
        }
    }
}
