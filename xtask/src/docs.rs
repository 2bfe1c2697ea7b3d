//! The pages of `docs/`. People write the part above the mark of a page; this module generates the part below it, from the
//! types and the reasons.
//!
//! Pure: texts in, texts out. `main` reads and writes the files. The part above a mark stays unchanged.

#![deny(clippy::disallowed_methods)]

mod kind;
pub mod links;
pub mod llms;
#[cfg(test)]
mod tests;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use applink_operator::crd::{self, Reason};

/// The line between the two parts of a page.
const MARK: &str = "<!-- Written by `make docs` from here on: change src/crd instead. -->\n";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file name in `docs/`.
    pub file: String,
    title: String,
    generated: String,
}

impl Page {
    /// The page with its generated part. `text` is the current page, or empty if there is none.
    ///
    /// # Errors
    /// If the page has lost its mark.
    pub fn refreshed(&self, text: &str) -> Result<String, String> {
        let written = match text.split_once(MARK) {
            Some((written, _)) => written.to_owned(),
            None if text.is_empty() => format!("# {}\n\n", self.title),
            None => {
                return Err(format!(
                    "{} lacks the line between its two parts; restore it: {}",
                    self.file,
                    MARK.trim_end()
                ));
            }
        };
        Ok(format!("{written}{MARK}\n{}", self.generated))
    }
}

/// All pages with a generated part.
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

/// The table of kinds, with links to their pages.
fn kinds(definitions: &[CustomResourceDefinition]) -> String {
    let row = |definition: &CustomResourceDefinition| {
        let names = &definition.spec.names;
        let short = names.short_names.iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let about = kind::about(definition);
        format!("| [{}]({}) | {short} | {about} |\n", names.kind, file_of(definition))
    };
    let rows: String = definitions.iter().map(row).collect();
    format!("## Kinds\n\n| kind | short name | what it represents |\n|---|---|---|\n{rows}")
}

/// An index of the reasons, and the reasons by group, each with its meaning and what to do.
fn reasons() -> String {
    let mut all = Reason::ALL.to_vec();
    all.sort_unstable_by_key(|reason| reason.as_str());
    let link = |reason: &Reason| format!("[{reason}](#{})", reason.as_str().to_ascii_lowercase());
    let index = all.iter().map(link).collect::<Vec<_>>().join(",\n");
    let section =
        |reason: &Reason| format!("### {reason}\n\n{}\n\n**What to do:** {}\n", reason.meaning(), reason.remedy());
    let group = |(title, reasons): &(&str, &[Reason])| {
        format!("## {title}\n\n{}", reasons.iter().map(section).collect::<Vec<_>>().join("\n"))
    };
    let groups = Reason::GROUPS.iter().map(group).collect::<Vec<_>>().join("\n");
    format!("All reasons: {index}.\n\n{groups}")
}
