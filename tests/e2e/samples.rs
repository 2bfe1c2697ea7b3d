//! deploy/samples: kubectl applies the directory as it is, and editors and kubeconform find the schemas that `make crds`
//! writes. `docs.rs` checks the manifests in the documentation.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::deploy::source;
use crate::harness::{Stage, e2e_alone, e2e_together};

/// What names the schema of a file for editors.
const MODELINE: &str = "# yaml-language-server: $schema=";

fn files() -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(source("deploy/samples")).expect("a directory").map(|entry| entry.expect("a file").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn kubectl_applies_the_samples_as_files() {
    e2e_alone("samples", async |stage| {
        stage.kubectl(&["apply", "--server-side", "-k", source("crds").to_str().expect("UTF-8")], "").await;
        stage.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "").await;
        let directory = source("deploy/samples");
        let said = stage.kubectl(&["apply", "-f", directory.to_str().expect("UTF-8")], "").await;
        let created = said.lines().filter(|line| line.ends_with(" created")).count();
        assert_eq!((created, said.lines().count()), (files().len(), files().len()), "{said}");
        let again = stage.kubectl(&["apply", "-k", directory.to_str().expect("UTF-8")], "").await;
        assert!(again.lines().all(|line| line.ends_with(" unchanged")), "the same with kustomize: {again}");
    });
}

/// Runs kubeconform with our schemas alone. Returns whether all is valid, and its output.
async fn kubeconform(stage: &Stage, files: &[&str]) -> (bool, String) {
    let schemas = source("schemas").join("{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json");
    let schemas = schemas.to_str().expect("UTF-8");
    stage.try_kubeconform(&[&["-strict", "-summary", "-schema-location", schemas], files].concat()).await
}

#[test]
fn schemas_accept_the_samples_and_refuse_mistakes() {
    e2e_together("schemas", async |stage| {
        let mut checked = Vec::new();
        for file in files() {
            let text = std::fs::read_to_string(&file).expect("a file");
            let manifest: Value = serde_saphyr::from_str(&text).expect("YAML");
            if manifest["apiVersion"] != "applink.dev/v1alpha1" {
                continue;
            }
            let schema = text.lines().next().and_then(|line| line.strip_prefix(MODELINE));
            let schema = file.with_file_name(schema.unwrap_or_else(|| panic!("{}: no {MODELINE}", file.display())));
            let schema =
                std::fs::read_to_string(&schema).unwrap_or_else(|error| panic!("{}: {error}", schema.display()));
            let schema: Value = serde_json::from_str(&schema).expect("JSON");
            assert_eq!(schema["properties"]["kind"]["const"], manifest["kind"]);
            checked.push((file, manifest));
        }
        let paths: Vec<_> = checked.iter().map(|(file, _)| file.to_str().expect("UTF-8")).collect();
        let (ok, said) = kubeconform(stage, &paths).await;
        assert!(ok && said.contains(&format!("Valid: {}", checked.len())), "{said}");

        let scene = stage.bare_scene("schemas").await;
        let connection = |change: fn(&mut Value)| {
            let mut wrong =
                checked.iter().find(|(_, manifest)| manifest["kind"] == "Connection").expect("one").1.clone();
            change(&mut wrong["spec"]);
            wrong
        };
        let mistakes: [(&str, Value); 4] = [
            ("conectionName", connection(|spec| spec["conectionName"] = json!("orders"))),
            ("provider", connection(|spec| spec["provider"] = json!("Salesfroce"))),
            ("addonRef", connection(|spec| drop(spec.as_object_mut().expect("a spec").remove("addonRef")))),
            ("suspend", connection(|spec| spec["suspend"] = json!("yes"))),
        ];
        for (piece, manifest) in mistakes {
            let file = scene.dir.join("mistake.json");
            std::fs::write(&file, manifest.to_string()).expect("a file");
            let (ok, said) = kubeconform(stage, &[file.to_str().expect("UTF-8")]).await;
            assert!(!ok && said.contains(piece), "{piece}: {said}");
        }
    });
}
