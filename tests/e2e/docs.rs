//! The documentation, tried: the API server accepts each manifest in it, the chart accepts its values, and the commands of
//! "Getting started" do what the page says. `xtask docs` checks the links.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use serde_json::Value;

use crate::harness::deploy::source;
use crate::harness::{Stage, e2e_alone, text};

/// Groups of kinds that this API server does not have. Their manifests must be YAML with apiVersion and kind.
const ELSEWHERE: [&str; 5] = [
    "argoproj.io",
    "helm.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
    "kustomize.config.k8s.io",
];

fn pages() -> Vec<PathBuf> {
    let markdown = |directory: &str| {
        let entries =
            std::fs::read_dir(source(directory)).expect("a directory").map(|entry| entry.expect("a file").path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect::<Vec<_>>()
    };
    let mut pages = [markdown("."), markdown("docs")].concat();
    pages.sort();
    pages
}

/// The code blocks of this language in a page.
fn blocks(page: &Path, language: &str) -> Vec<String> {
    let markdown = std::fs::read_to_string(page).expect("a page");
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for event in Parser::new(&markdown) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(of))) if &*of == language => block = Some(String::new()),
            Event::Text(text) => block.iter_mut().for_each(|block| block.push_str(&text)),
            Event::End(TagEnd::CodeBlock) => blocks.extend(block.take()),
            _ => {}
        }
    }
    blocks
}

/// The manifests that a page has the shell apply: what is between `<<'END'` and `END`.
fn here_documents(page: &Path) -> Vec<String> {
    let inside = |block: String| {
        let parts = block.split("<<'END'\n").skip(1);
        parts.map(|part| part.split("\nEND").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    blocks(page, "sh").into_iter().flat_map(inside).collect()
}

/// What a block contains, and how it was checked.
async fn check(stage: &Stage, namespaces: &mut BTreeSet<String>, block: &str) -> Result<&'static str, String> {
    if block.starts_with("# values.yaml\n") {
        let values: Value = serde_saphyr::from_str(block).map_err(|error| error.to_string())?;
        let (chart, values) = (source("deploy/helm/applink-operator"), values.to_string());
        let chart = chart.to_str().expect("UTF-8");
        let (ok, said) = stage.try_helm(&["template", "any", chart, "--set-json", &values]).await;
        return if ok { Ok("values") } else { Err(said) };
    }
    let objects: Vec<Value> = serde_saphyr::from_multiple(block).map_err(|error| error.to_string())?;
    if objects.iter().all(|object| object.get("kind").is_none()) {
        return Ok("a fragment");
    }
    for object in &objects {
        let group = text(object, "/apiVersion").split('/').next().unwrap_or_default();
        if text(object, "/kind").is_empty() || group.is_empty() {
            return Err(format!("no kind or apiVersion: {object:#}"));
        }
        if ELSEWHERE.contains(&group) {
            return Ok("of another API server");
        }
        let namespace = text(object, "/metadata/namespace");
        if !namespace.is_empty() && namespaces.insert(namespace.to_owned()) {
            stage.kubectl(&["create", "namespace", namespace], "").await;
        }
    }
    let dry = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    let (ok, said) = stage.try_kubectl(&dry, block).await;
    if ok && !said.contains("Warning") { Ok("accepted") } else { Err(said) }
}

async fn install_crds(stage: &Stage) {
    stage.kubectl(&["apply", "--server-side", "-k", source("crds").to_str().expect("UTF-8")], "").await;
    stage.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "").await;
}

#[test]
fn api_server_accepts_every_manifest() {
    e2e_alone("docs", async |stage| {
        install_crds(stage).await;
        let mut namespaces = BTreeSet::from(["default".to_owned()]);
        let (mut wrong, mut found) = (Vec::new(), Vec::new());
        for page in pages() {
            let name = page.file_name().expect("a name").to_string_lossy().into_owned();
            for block in [blocks(&page, "yaml"), here_documents(&page)].concat() {
                match check(stage, &mut namespaces, &block).await {
                    Ok(how) => found.push(how),
                    Err(error) => wrong.push(format!("{name}: {error}\n{block}")),
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let count = |how: &str| found.iter().filter(|found| **found == how).count();
        println!(
            "{} accepted, {} values, {} fragments, {} for others",
            count("accepted"),
            count("values"),
            count("a fragment"),
            count("of another API server")
        );
        assert!(count("accepted") >= 20 && count("values") >= 1, "blocks are no longer found: {found:?}");
    });
}

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn getting_started_runs_as_it_is_written() {
    // Alone, since its operator has the rights of an administrator.
    e2e_alone("getting-started", async |stage| {
        install_crds(stage).await;
        let scene = stage.bare_scene("getting-started-files").await;
        let program = Path::new(env!("CARGO_BIN_EXE_applink-operator"));
        let link = |from: &Path, name: &str| std::os::unix::fs::symlink(from, scene.dir.join(name)).expect("a link");
        std::fs::create_dir(scene.dir.join("target")).expect("a directory");
        link(program.parent().expect("a directory"), "target/debug");
        link(&source("crds"), "crds");
        let blocks = blocks(&source("docs/getting-started.md"), "sh");
        assert!(blocks.len() >= 8, "{blocks:#?}");
        // The programs are built already, and somebody else may use the port.
        let script = blocks.join("\n").replace("cargo build", ": cargo build").replace("8090", &port().to_string());
        let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}");
        let (ok, said) = stage.try_script(&scene.dir, &script).await;
        let log = std::fs::read_to_string(scene.dir.join("operator.log")).unwrap_or_default();
        assert!(ok, "{said}\n--- operator.log\n{log}");
        assert!(
            said.contains("publication.applink.dev/orders-api condition met") && said.contains("Recreated"),
            "{said}"
        );
        assert!(said.trim_end().ends_with("[]"), "nothing is left in AppLink: {said}");
    });
}
