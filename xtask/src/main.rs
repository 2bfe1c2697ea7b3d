//! The commands of this repository that are no part of the product: they write `crds/`, what else follows from the kinds,
//! and the generated parts of `docs/`, or check that those files are up to date.
//!
//! Called as `cargo run -p xtask -- COMMAND` by the Makefile.

mod chart;
mod crds;
mod docs;
mod schemas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Parser, Subcommand};

/// Writes what this repository generates from its code.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the custom resource definitions, a file each: into crds/, into the Helm chart, and as JSON schemas into schemas/.
    Crds(Mode),
    /// Write the part of each page of docs/ below its mark, and llms.txt; and fail if a link in a Markdown file leads nowhere.
    Docs(Mode),
}

#[derive(Args)]
struct Mode {
    /// Write nothing; fail if a file is out of date.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Crds(mode) => crds(&mode),
        Command::Docs(mode) => docs(&mode),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A directory of the repository, whatever the working directory is.
fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn crds(mode: &Mode) -> anyhow::Result<()> {
    let places = [
        ("crds", crds::files()?),
        ("deploy/helm/applink-operator/templates/crds", chart::files()?),
        ("schemas", schemas::files()?),
    ];
    let place = |(place, files): (&str, Vec<(String, String)>)| {
        files.into_iter().map(|(name, text)| (directory(place).join(name), text)).collect::<Vec<_>>()
    };
    write_or_check(&places.into_iter().flat_map(place).collect::<Vec<_>>(), mode, "make crds")
}

fn docs(mode: &Mode) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for page in docs::pages() {
        let path = directory("docs").join(&page.file);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            result => result.with_context(|| format!("cannot read {}", path.display()))?,
        };
        files.push((path, page.refreshed(&text).map_err(|text| anyhow!(text))?));
    }
    write_or_check(&files, mode, "make docs")?;
    // Made from the pages as they are now.
    let pages = docs::llms::PAGES.iter().map(|name| Ok((*name, read(&directory("docs").join(name))?)));
    let pages = pages.collect::<anyhow::Result<Vec<_>>>()?;
    let index = docs::llms::index(&pages).map_err(|text| anyhow!(text))?;
    write_or_check(&[(directory("docs").join("llms.txt"), index)], mode, "make docs")?;
    check_links()
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Fails with the links in the Markdown files of the repository that lead nowhere.
fn check_links() -> anyhow::Result<()> {
    let root = directory("");
    let mut pages = BTreeMap::new();
    for place in ["", "docs", "docs/design"] {
        for entry in std::fs::read_dir(root.join(place)).with_context(|| format!("cannot list {place}"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "md") {
                pages.insert(path.strip_prefix(&root)?.to_owned(), read(&path)?);
            }
        }
    }
    match docs::links::broken(&pages, |path| root.join(path).exists()).as_slice() {
        [] => Ok(()),
        broken => Err(anyhow!("these links lead nowhere:\n  {}", broken.join("\n  "))),
    }
}

/// Writes the files, or fails with the names of those that are out of date and the command that writes them.
fn write_or_check(files: &[(PathBuf, String)], mode: &Mode, command: &str) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for (path, text) in files {
        if !mode.check {
            path.parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(path, text))
                .with_context(|| format!("cannot write {}", path.display()))?;
        } else if std::fs::read_to_string(path).ok().as_ref() != Some(text) {
            stale.push(path.display().to_string());
        }
    }
    match stale.as_slice() {
        [] => Ok(()),
        _ => Err(anyhow!("out of date: {}; run `{command}`", stale.join(", "))),
    }
}
