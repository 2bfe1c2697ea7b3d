//! `docs/llms.txt`, an index of the pages for language models that write manifests. The layout is that of llmstxt.org.
//!
//! Pure: texts in, texts out.

/// The pages in the order of the index, by their names in `docs/`.
pub const PAGES: &[&str] = &[
    "getting-started.md",
    "install.md",
    "gitops.md",
    "applinkaddon.md",
    "connection.md",
    "authorization.md",
    "publication.md",
    "dataactiontarget.md",
    "policies.md",
    "admission.md",
    "rotate-a-key.md",
    "recover.md",
    "upgrade.md",
    "operator.md",
    "security-model.md",
    "troubleshooting.md",
    "errors.md",
    "comparison.md",
    "simulator.md",
];

const HEAD: &str = "# applink-operator

> A Kubernetes operator that manages Heroku AppLink with custom resources: it connects Heroku apps to Salesforce and Data
> Cloud orgs, and publishes their APIs there. The API group is applink.dev, the version v1alpha1.

All references are to objects in the same namespace. Tokens and private keys are in Secrets. `kubectl get applink -A -o
wide` shows all resources and what they wait for.
";

/// The title of a page, and the first sentence after it.
fn summary(text: &str) -> Option<(&str, String)> {
    let (title, rest) = text.strip_prefix("# ")?.split_once("\n\n")?;
    let paragraph = rest.split("\n\n").next()?.replace('\n', " ");
    let sentence = paragraph.split_once(". ").map_or(paragraph.trim_end_matches(['.', ':']), |(first, _)| first);
    Some((title, plain(sentence)))
}

/// A text without its links: relative ones would lead nowhere in an index.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((label, link)) = after.split_once("](") else { break };
        let Some((_, after)) = link.split_once(')') else { break };
        plain.push_str(before);
        plain.push_str(label);
        rest = after;
    }
    plain + rest
}

/// The index, from the pages with their names.
///
/// # Errors
/// If a page does not begin with a title and a paragraph.
pub fn index(pages: &[(&str, String)]) -> Result<String, String> {
    let mut index = format!("{HEAD}\n## Pages\n\n");
    for (name, text) in pages {
        let (title, sentence) =
            summary(text).ok_or(format!("docs/{name} does not begin with a title and a paragraph"))?;
        index.push_str(&format!("- [{title}]({name}): {sentence}.\n"));
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    #[test]
    fn index_has_the_first_sentence_without_links() {
        let page = "# Title\n\nThis [page](a.md) says\nmuch. And more.\n\nText.\n".to_owned();
        let index = super::index(&[("page.md", page)]).expect("a page");
        assert!(index.ends_with("- [Title](page.md): This page says much.\n"), "{index}");
        assert!(super::index(&[("page.md", "no title".to_owned())]).is_err());
    }
}
