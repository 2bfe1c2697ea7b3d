//! Import circles: modules that use each other, be it through others.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Code, Uses, uses};

/// The circles among modules, each with all modules that are in it.
pub fn circles(uses: &Uses) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<_, _> = uses.keys().map(|module| (module, reach(uses, module))).collect();
    let together = |module| -> BTreeSet<_> {
        let others = reached[module].iter().filter(|other| reached[*other].contains(module));
        others.map(|names| shown(names)).collect()
    };
    let found: BTreeSet<_> = uses.keys().map(together).filter(|circle| !circle.is_empty()).collect();
    found.into_iter().collect()
}

/// All modules that a module uses, be it through others.
fn reach<'a>(uses: &'a Uses, from: &Vec<String>) -> BTreeSet<&'a Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = uses[from].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(&uses[module]);
        }
    }
    reached
}

fn shown(module: &[String]) -> String {
    [&["crate".to_owned()], module].concat().join("::")
}

/// The circles of a made-up crate, whose modules are given as `a::b: code`.
fn found(modules: &[(&str, &str)]) -> Vec<Vec<String>> {
    let names = |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let code: Code = modules.iter().map(|(path, code)| (names(path), super::source::code(code))).collect();
    circles(&uses(&code)).into_iter().map(|circle| circle.into_iter().collect()).collect()
}

const ROOT: (&str, &str) = ("", "mod a; mod b; mod c;");

#[test]
fn a_circle_is_found_whatever_the_path_looks_like() {
    for to_b in ["use crate::b::B;", "use super::b::{self, B}; fn f() { b::g() }", "fn f() { crate::b::g() }"] {
        for to_c in
            ["use super::{c::{C, D}, x};", "pub use super::c::C; struct S(C);", "use crate::c as d; type T = d::C;"]
        {
            let modules = [ROOT, ("a", to_b), ("b", to_c), ("c", "fn f(a: super::a::A) {}")];
            assert_eq!(found(&modules), [["crate::a", "crate::b", "crate::c"]], "{to_b} {to_c}");
        }
    }
}

#[test]
fn a_line_of_imports_is_no_circle() {
    let tested = "use super::c::C;\n#[cfg(test)]\nmod tests { use crate::a::A; }\n// use crate::a::A;";
    assert!(found(&[ROOT, ("a", "use crate::b::B;"), ("b", tested), ("c", "use std::c;")]).is_empty());
}

#[test]
fn a_parent_that_only_declares_and_reexports_is_in_no_circle() {
    let parent = "mod x; mod y;\npub use self::x::X;\npub(crate) use self::y::{Y, f};";
    let x = "use super::Y;\nstruct X(Y);";
    assert!(found(&[("", "mod p;"), ("p", parent), ("p::x", x), ("p::y", "use std::f;")]).is_empty());
    // A re-exported name stands for the module that it comes from.
    let y = "use crate::p::X;";
    assert_eq!(found(&[("", "mod p;"), ("p", parent), ("p::x", x), ("p::y", y)]), [["crate::p::x", "crate::p::y"]]);
}

#[test]
fn a_parent_and_a_child_that_import_from_each_other_are_a_circle() {
    for parent in [
        "mod x; use self::x::X; struct P(X);",
        "mod x; pub use self::x::X; struct P(X);",
        "mod x; fn p() { x::f() } struct P;",
    ] {
        let modules = [("", "mod p;"), ("p", parent), ("p::x", "use super::P;")];
        assert_eq!(found(&modules), [["crate::p", "crate::p::x"]], "{parent}");
    }
}
