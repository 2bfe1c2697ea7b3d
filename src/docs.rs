//! The pages of `docs/`: below a mark in each stands what the types and the reasons say of themselves, above it what
//! people wrote.
//!
//! Pure: texts in, texts out. `main` reads and writes the files; what is written above a mark is kept as it is.

#![deny(clippy::disallowed_methods)]

mod kind;
#[cfg(test)]
mod tests;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::crd::{self, Reason};

/// What parts a page.
const MARK: &str = "<!-- Written by `make docs` from here on: change src/crd instead. -->\n";

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file in `docs/`.
    pub file: String,
    title: String,
    generated: String,
}

impl Page {
    /// The page with its lower part as it is to be; `text` is the page as it was, empty where there was none.
    ///
    /// # Errors
    /// Where the page has lost its mark, for people.
    pub fn refreshed(&self, text: &str) -> Result<String, String> {
        let written = match text.split_once(MARK) {
            Some((written, _)) => written.to_owned(),
            None if text.is_empty() => format!("# {}\n\n", self.title),
            None => {
                return Err(format!("{} lacks the line that parts it; put it back: {}", self.file, MARK.trim_end()));
            }
        };
        Ok(format!("{written}{MARK}\n{}", self.generated))
    }
}

/// All pages that have a part which is generated.
#[must_use]
pub fn pages() -> Vec<Page> {
    let definitions = crd::definitions();
    let mut pages = vec![
        Page { file: "README.md".to_owned(), title: "Reference".to_owned(), generated: kinds(&definitions) },
        Page { file: "errors.md".to_owned(), title: "Reasons".to_owned(), generated: reasons() },
    ];
    pages.extend(definitions.iter().map(|definition| Page {
        file: file_of(definition),
        title: definition.spec.names.kind.clone(),
        generated: kind::reference(definition),
    }));
    pages
}

fn file_of(definition: &CustomResourceDefinition) -> String {
    format!("{}.md", definition.spec.names.kind.to_ascii_lowercase())
}

/// The kinds, each with its page.
fn kinds(definitions: &[CustomResourceDefinition]) -> String {
    let row = |definition: &CustomResourceDefinition| {
        let names = &definition.spec.names;
        let short = names.short_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let about = kind::about(definition);
        format!("| [{}]({}) | {short} | {about} |\n", names.kind, file_of(definition))
    };
    let rows: String = definitions.iter().map(row).collect();
    format!("## Kinds\n\n| kind | short | what it stands for |\n|---|---|---|\n{rows}")
}

/// The reasons, each with its meaning and a way out.
fn reasons() -> String {
    let section =
        |reason: &Reason| format!("## {reason}\n\n{}\n\n**What to do:** {}\n", reason.meaning(), reason.remedy());
    Reason::ALL.iter().map(section).collect::<Vec<_>>().join("\n")
}
