//! The Helm chart: what it renders, and its life on a real API server.
//!
//! No Deployment runs here, for there is no kubelet: tests start the operator with the account and the options that the
//! chart renders. So nothing may be installed with `--wait`.

mod life;
mod render;

use serde_json::Value;

use crate::harness::Stage;
use crate::harness::deploy::source;
use crate::install::HOME;

/// The release in all tests.
const RELEASE: &str = "applink-operator";
/// The image that deploy/ has, too.
const IMAGE: [&str; 2] = ["--set", "image.repository=applink-operator"];

fn chart() -> String {
    source("deploy/helm/applink-operator").to_str().expect("UTF-8").to_owned()
}

/// Runs a command of Helm on the chart, as the release in the operator's namespace.
async fn on_chart(stage: &Stage, command: &str, options: &[&str]) -> (bool, String) {
    let chart = chart();
    let head: &[&str] = if command == "lint" { &["lint", &chart] } else { &[command, RELEASE, &chart] };
    stage.try_helm(&[head, &["--namespace", HOME], &IMAGE, options].concat()).await
}

/// The text that the chart renders with these options.
async fn rendered_text(stage: &Stage, options: &[&str]) -> String {
    let (ok, said) = on_chart(stage, "template", options).await;
    assert!(ok, "{options:?}: {said}");
    said
}

/// The objects that the chart renders with these options.
async fn rendered(stage: &Stage, options: &[&str]) -> Vec<Value> {
    let text = rendered_text(stage, options).await;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    objects.into_iter().filter(|object| !object.is_null()).collect()
}
