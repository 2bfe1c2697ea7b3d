//! The manifests in deploy/ as kubectl renders them, so that tests need no copy of the rules.
//!
//! Applies nothing. `controlplane` takes the rights of a scene's operator from here, `install.rs` all manifests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::process::run;
use super::text;

/// A directory of the repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Renders a directory with a kustomization.
pub fn rendered(kubectl: &Path, kustomization: &Path) -> Vec<Value> {
    let (ok, said) = run(Command::new(kubectl).arg("kustomize").arg(kustomization), "");
    assert!(ok, "kubectl kustomize {}: {said}", kustomization.display());
    serde_saphyr::from_multiple(&said).expect("YAML")
}

/// The operator's account and rights, moved into one namespace: what deploy/namespaced grants in its own namespace, in
/// the watched one, and cluster-wide. Scenes must not share rights.
pub fn account_in(rendered: &[Value], namespace: &str) -> Vec<Value> {
    let kinds = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    let mut account: Vec<_> =
        rendered.iter().filter(|object| kinds.contains(&text(object, "/kind"))).cloned().collect();
    for object in &mut account {
        object["metadata"]["namespace"] = json!(namespace);
        object["kind"] = json!(text(object, "/kind").trim_start_matches("Cluster"));
        if let Some(role) = object.get_mut("roleRef") {
            role["kind"] = json!("Role");
        }
        for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
            subject["namespace"] = json!(namespace);
        }
    }
    assert_eq!(account.len(), 7, "an account, three roles and their bindings: {account:#?}");
    account
}
