//! What the modules of a crate use of each other. A module is a file.
//!
//! A name that a module re-exports counts for the module that it comes from. To declare a module, or to re-export from
//! it, is no use of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::{blanked, files, read};

/// The segments of a path.
type Names = Vec<String>;

/// A module's code with its path in the crate; the root has an empty one.
pub type Code = BTreeMap<Names, String>;

/// Which module uses which.
pub type Uses = BTreeMap<Names, BTreeSet<Names>>;

/// The code of the crate in this folder.
pub fn modules(src: &Path) -> Code {
    let root = if src.join("lib.rs").exists() { "lib.rs" } else { "main.rs" };
    let all = files(src).into_iter().filter(|path| root == "main.rs" || *path != src.join("main.rs"));
    let module = |path: &Path| {
        let inner = path.strip_prefix(src).unwrap().with_extension("");
        let mut names: Names = inner.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if names.last().is_some_and(|last| last == "mod") || path == src.join(root) {
            names.pop();
        }
        names
    };
    let all = all.map(|path| (module(&path), read(&path)));
    all.filter(|(names, _)| !names.iter().any(|name| name == "tests")).collect()
}

/// What each module of a crate uses.
pub fn uses(crate_code: &Code) -> Uses {
    let parsed = crate_code.iter().map(|(names, code)| (names.clone(), Module::parse(code))).collect();
    let library = Crate(parsed);
    let of = |names: &Names| library.used_by(names).into_iter().filter(|used| used != names).collect();
    crate_code.keys().map(|names| (names.clone(), of(names))).collect()
}

/// A path that a `use` brings in, and the name that it has then.
struct Import {
    path: Names,
    name: String,
    is_reexport: bool,
}

struct Module {
    imports: Vec<Import>,
    /// All paths outside of `use`; a single name is one too.
    paths: Vec<Names>,
}

impl Module {
    fn parse(code: &str) -> Self {
        let mut code = code.to_owned();
        let mut imports = Vec::new();
        while let Some((start, keyword)) = find_use(&code) {
            let end = code[keyword..].find(';').map_or(code.len(), |at| keyword + at);
            let is_reexport = start < keyword;
            let tree = code[keyword + "use".len()..end].split_whitespace().collect::<Vec<_>>().join(" ");
            for (path, name) in expand(&tree) {
                imports.push(Import { path, name, is_reexport });
            }
            code = blanked(&code, start, end);
        }
        Self { imports, paths: paths(&code) }
    }
}

/// Where a `use` begins with its `pub`, and where its keyword does.
fn find_use(code: &str) -> Option<(usize, usize)> {
    let is_item = |at: usize| {
        let before = code[..at].trim_end_matches(|c: char| c != ';' && c != '{' && c != '}' && c != ']' && c != '\n');
        let visibility = code[before.len()..at].trim();
        visibility.is_empty() || visibility == "pub" || (visibility.starts_with("pub(") && visibility.ends_with(')'))
    };
    let keyword = code.match_indices("use ").map(|(at, _)| at).find(|at| is_item(*at))?;
    let before = code[..keyword].trim_end();
    let start = match before.rfind("pub") {
        Some(at) if before[at + 3..].is_empty() || (before[at + 3..].starts_with('(') && before.ends_with(')')) => at,
        _ => keyword,
    };
    Some((start, keyword))
}

/// The paths of a tree like `a::{b, c as d}`, each with its name.
fn expand(tree: &str) -> Vec<(Names, String)> {
    let tree = tree.trim();
    if let Some((prefix, inner)) = tree.split_once('{') {
        let inner = inner.trim_end().trim_end_matches('}');
        let inner = &format!("{inner}{}", "}".repeat(inner.matches('{').count() - inner.matches('}').count()));
        let prefix = names(prefix);
        return split(inner)
            .into_iter()
            .flat_map(expand)
            .map(|(path, name)| ([prefix.clone(), path].concat(), name))
            .collect();
    }
    if tree.is_empty() {
        return Vec::new();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path = names(path);
    // `a::{self}` is `a`.
    let last = path.last().cloned().unwrap_or_default();
    if last == "self" && path.len() > 1 {
        path.pop();
    }
    vec![(path, alias.map_or(last, str::to_owned))]
}

fn names(path: &str) -> Names {
    path.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The parts of a list, at whose commas no brace is open.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0;
    list.split(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0 && c == ','
    })
    .collect()
}

/// The paths in code. Fields and methods, and other names in lowercase that are not called, are none.
fn paths(code: &str) -> Vec<Names> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let Some(start) = rest.find(is_name) else { break };
        let length = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
        let mut end = start + length(&rest[start..]);
        while rest[end..].starts_with("::") && rest[end + 2..].starts_with(is_name) {
            end += 2 + length(&rest[end + 2..]);
        }
        let path = names(&rest[start..end]);
        let is_member = rest[..start].ends_with('.') && !rest[..start].ends_with("..");
        let is_used = path.len() > 1 || path[0].starts_with(char::is_uppercase) || rest[end..].starts_with('(');
        if is_used && !is_member {
            found.push(path);
        }
        at += end;
    }
    found
}

struct Crate(BTreeMap<Names, Module>);

impl Crate {
    fn used_by(&self, from: &Names) -> BTreeSet<Names> {
        let module = &self.0[from];
        let imported =
            module.imports.iter().filter(|import| !import.is_reexport && !self.is_module(from, &import.path));
        let imported = imported.filter_map(|import| self.resolve(from, &import.path));
        let inline = module.paths.iter().filter_map(|path| self.resolve_inline(from, path));
        imported.chain(inline).collect()
    }

    /// The module where a path in the code of `from` leads.
    fn resolve_inline(&self, from: &Names, path: &[String]) -> Option<Names> {
        let import = self.0[from].imports.iter().find(|import| import.name == path[0]);
        let is_child = self.0.contains_key(&[from.clone(), vec![path[0].clone()]].concat());
        match import {
            Some(import) => self.resolve(from, &[import.path.clone(), path[1..].to_vec()].concat()),
            None if is_child && path.len() > 1 => self.resolve(from, path),
            None if matches!(path[0].as_str(), "crate" | "self" | "super") => self.resolve(from, path),
            None => None,
        }
    }

    fn is_module(&self, from: &Names, path: &[String]) -> bool {
        self.walk(from, path).is_some_and(|(_, item)| item.is_empty())
    }

    /// The module that defines what a path means.
    fn resolve(&self, from: &Names, path: &[String]) -> Option<Names> {
        let (module, item) = self.walk(from, path)?;
        let name = item.first();
        let reexport = self.0[&module].imports.iter().find(|import| import.is_reexport && Some(&import.name) == name);
        match reexport {
            Some(import) if module != *from || import.path != path => {
                self.resolve(&module, &[import.path.clone(), item[1..].to_vec()].concat())
            }
            _ => Some(module),
        }
    }

    /// The module where a path leads, and what is left of the path then. None leads out of the crate.
    fn walk<'a>(&self, from: &Names, path: &'a [String]) -> Option<(Names, &'a [String])> {
        let (mut module, mut rest) = (from.clone(), path);
        match path.first()?.as_str() {
            "crate" => (module, rest) = (Names::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while let Some("super") = rest.first().map(String::as_str) {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            child if self.0.contains_key(&[module.clone(), vec![child.to_owned()]].concat()) => {}
            _ => return None,
        }
        while let Some(next) = rest.first().map(|name| [module.clone(), vec![name.clone()]].concat()) {
            if !self.0.contains_key(&next) {
                break;
            }
            (module, rest) = (next, &rest[1..]);
        }
        Some((module, rest))
    }
}
