//! Whether the links in Markdown files resolve: each leads to a file of the repository, and each anchor to a heading.
//!
//! Reads files, and asks no server: links to other hosts are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What a page has: the anchors of its headings, and where its links lead.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outline {
    anchors: BTreeSet<String>,
    links: Vec<String>,
}

fn outline(markdown: &str) -> Outline {
    let mut outline = Outline::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = slug(&heading.take().unwrap_or_default());
                // A second heading of the same text gets a number.
                let same = (1..).map(|n| format!("{anchor}-{n}"));
                let free = std::iter::once(anchor.clone()).chain(same).find(|anchor| !outline.anchors.contains(anchor));
                outline.anchors.extend(free);
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                outline.links.push(dest_url.into_string());
            }
            _ => {}
        }
    }
    outline
}

/// The anchor that a forge gives a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

/// The links that lead nowhere. `pages` are the Markdown files below `root`, by their path there; `exists` tells whether
/// another path is there.
pub fn broken(pages: &BTreeMap<PathBuf, String>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let outlines: BTreeMap<_, _> = pages.iter().map(|(path, text)| (path.clone(), outline(text))).collect();
    let mut broken = Vec::new();
    for (page, its) in &outlines {
        for link in its.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { normal(&page.with_file_name("").join(path)) };
            let resolves = match outlines.get(&target) {
                Some(outline) => anchor.is_empty() || outline.anchors.contains(anchor),
                None => anchor.is_empty() && exists(&target),
            };
            if !resolves {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_leads_nowhere() {
        let page = "# One `Two`: three\n\n[a](#one-two-three) [b](#one) [c](other.md#x) [d](other.md) [e](../up) [f](gone.md)\n\n\
                    ```sh\n[g](in-code.md)\n```\n\n[h](https://example.com/x) [i](other.md#x-1)\n";
        let pages = BTreeMap::from([
            (PathBuf::from("docs/page.md"), page.to_owned()),
            (PathBuf::from("docs/other.md"), "## X\n\n## X\n".to_owned()),
        ]);
        let found = broken(&pages, |path| path == Path::new("up"));
        assert_eq!(found, ["docs/page.md: #one", "docs/page.md: gone.md"]);
    }
}
