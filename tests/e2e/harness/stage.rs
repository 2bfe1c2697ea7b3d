//! What the scenes of one test share: a control plane, and the health check at the end.
//!
//! Knows nothing of the tests. `e2e` and its variants create one for each test.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::future::join_all;

use super::controlplane::ControlPlane;
use super::scene::Scene;

/// Creates scenes.
#[derive(Clone)]
pub struct Stage {
    pub(super) control_plane: Arc<ControlPlane>,
    namespaces: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    pub(super) fn new(control_plane: Arc<ControlPlane>) -> Self {
        Self { control_plane, namespaces: Arc::default() }
    }

    /// A scene with an account for its operators, with the rights of deploy/namespaced.
    pub async fn scene(&self, namespace: &str) -> Scene {
        let scene = self.bare_scene(namespace).await;
        scene.let_in().await;
        scene
    }

    /// A scene without an account for operators.
    pub async fn bare_scene(&self, namespace: &str) -> Scene {
        self.control_plane.recorder().await;
        self.namespaces.lock().expect("not poisoned").push(namespace.to_owned());
        Scene::new(self.clone(), namespace).await
    }

    /// Checks all states that objects in its scenes were in, whatever the test is about.
    pub(super) async fn judge(&self) {
        let namespaces = self.namespaces.lock().expect("not poisoned").clone();
        join_all(namespaces.iter().map(|namespace| self.control_plane.judge(namespace))).await;
    }

    /// Path of kubectl.
    pub fn kubectl_path(&self) -> &Path {
        &self.control_plane.kubectl
    }

    /// Runs kubectl as an administrator. Returns whether it succeeded, and its output.
    pub async fn try_kubectl(&self, arguments: &[&str], stdin: &str) -> (bool, String) {
        self.control_plane.try_kubectl(arguments, stdin).await
    }

    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> String {
        let (ok, said) = self.try_kubectl(arguments, stdin).await;
        assert!(ok, "kubectl {arguments:?} failed: {said}");
        said
    }

    /// Runs Helm as an administrator. Returns whether it succeeded, and its output.
    pub async fn try_helm(&self, arguments: &[&str]) -> (bool, String) {
        self.control_plane.try_helm(arguments).await
    }

    pub async fn helm(&self, arguments: &[&str]) -> String {
        let (ok, said) = self.try_helm(arguments).await;
        assert!(ok, "helm {arguments:?} failed: {said}");
        said
    }

    /// Runs kubeconform. Returns whether all is valid, and its output.
    pub async fn try_kubeconform(&self, arguments: &[&str]) -> (bool, String) {
        self.control_plane.try_kubeconform(arguments).await
    }

    /// Runs a script of bash in a directory. Returns whether it succeeded, and its output.
    pub async fn try_script(&self, directory: &Path, script: &str) -> (bool, String) {
        self.control_plane.try_script(directory, script).await
    }
}
