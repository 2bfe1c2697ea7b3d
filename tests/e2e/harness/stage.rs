//! What the scenes of one test share: a control plane.
//!
//! Judges nothing. `e2e` and `e2e_alone` make one for each test.

use std::path::Path;
use std::sync::Arc;

use super::controlplane::ControlPlane;
use super::scene::Scene;

/// Where scenes are put up.
#[derive(Clone)]
pub struct Stage {
    pub(super) control_plane: Arc<ControlPlane>,
}

impl Stage {
    pub(super) fn new(control_plane: Arc<ControlPlane>) -> Self {
        Self { control_plane }
    }

    /// A scene with an account for its operators, who may do there what deploy/namespaced grants.
    pub async fn scene(&self, namespace: &str) -> Scene {
        let scene = self.bare_scene(namespace).await;
        scene.let_in().await;
        scene
    }

    /// A scene that lets no operator in.
    pub async fn bare_scene(&self, namespace: &str) -> Scene {
        Scene::new(self.clone(), namespace).await
    }

    /// The kubectl.
    pub fn kubectl_path(&self) -> &Path {
        &self.control_plane.kubectl
    }

    /// Runs kubectl as an administrator: whether it succeeded, and all it said.
    pub async fn try_kubectl(&self, arguments: &[&str], stdin: &str) -> (bool, String) {
        self.control_plane.try_kubectl(arguments, stdin).await
    }

    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> String {
        let (ok, said) = self.try_kubectl(arguments, stdin).await;
        assert!(ok, "kubectl {arguments:?} failed: {said}");
        said
    }
}
