//! Installs deploy/ as users do: it applies without warnings, the pod would be admitted, the operator has exactly the
//! rights it needs, and Argo CD knows every kind.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::deploy::{rendered, source};
use crate::harness::{
    CONNECTION, Flags, KEY, PATIENCE, Request, Scene, Stage, document, e2e_alone, e2e_together, text, until, user,
};

/// Namespace of the operator in deploy/.
pub const HOME: &str = "applink-system";

/// Applies a kustomization as the README says, and returns its objects. The first run must not warn, the second must
/// not change anything.
pub async fn install(stage: &Stage, kustomization: &Path) -> Vec<Value> {
    let path = kustomization.to_str().expect("UTF-8");
    let first = stage.kubectl(&["apply", "-k", path], "").await;
    assert!(!first.contains("Warning"), "{first}");
    let second = stage.kubectl(&["apply", "-k", path], "").await;
    assert!(second.lines().all(|line| line.ends_with(" unchanged")), "{second}");
    rendered(stage.kubectl_path(), kustomization)
}

pub fn deployment(installed: &[Value]) -> &Value {
    installed.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment")
}

/// The values of an option in the Deployment's arguments.
pub fn options(installed: &[Value], name: &str) -> Vec<String> {
    let arguments = deployment(installed)["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
    let arguments = arguments.expect("arguments").iter().map(|argument| argument.as_str().expect("text"));
    arguments.filter_map(|argument| argument.strip_prefix(&format!("{name}="))).map(str::to_owned).collect()
}

/// The Deployment's options.
pub fn flags(installed: &[Value]) -> Flags {
    let namespaces = Some(options(installed, "--namespace"));
    Flags { home: Some(HOME.to_owned()), namespaces, leader_elect: true, ..Flags::default() }
}

/// Asserts that the policy `restricted` of the namespace admits the Deployment's pod, and that its image has this
/// package's version.
pub async fn assert_pod_is_admitted(stage: &Stage, installed: &[Value]) {
    let template = &deployment(installed)["spec"]["template"];
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "trial", "namespace": HOME, "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    });
    let said = stage.kubectl(&["create", "--dry-run=server", "-f", "-"], &pod.to_string()).await;
    assert!(said.contains("pod/trial created") && !said.contains("Warning"), "{said}");
    let image = text(template, "/spec/containers/0/image");
    assert_eq!(image, format!("applink-operator:{}", env!("CARGO_PKG_VERSION")));
}

/// A copy of deploy/namespaced for these namespaces, edited as its header says.
fn namespaced_for(scene: &Scene, namespaces: &[&str]) -> PathBuf {
    for part in ["deploy", "crds"] {
        let copied = Command::new("cp").arg("-R").arg(source(part)).arg(&scene.dir).status().expect("cp");
        assert!(copied.success());
    }
    let variant = scene.dir.join("deploy/namespaced");
    let change = |file: &Path, change: &dyn Fn(&str) -> String| {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        std::fs::write(file, change(&text)).expect("a file");
    };
    for namespace in namespaces {
        let directory = variant.join(namespace);
        let copied = Command::new("cp").arg("-R").arg(variant.join("crm")).arg(&directory).status().expect("cp");
        assert!(copied.success());
        change(&directory.join("kustomization.yaml"), &|text| {
            text.replace("namespace: crm", &format!("namespace: {namespace}"))
        });
    }
    // Each line with the namespace crm becomes one for each namespace.
    change(&variant.join("kustomization.yaml"), &|text| {
        let lines = text.lines().flat_map(|line| match line.starts_with('#') || !line.contains("crm") {
            true => vec![line.to_owned()],
            false => namespaces.iter().map(|namespace| line.replace("crm", namespace)).collect(),
        });
        lines.map(|line| line + "\n").collect()
    });
    variant
}

/// Asserts the account's rights in a namespace, or everywhere if empty: its own kinds as needed anywhere, kinds that
/// may hold secrets only in the granted namespaces, and nothing else.
async fn assert_may_work(scene: &Scene, namespace: &str, let_in: bool) {
    let cases = [
        ("get", "", "secrets", let_in),
        ("list", "", "secrets", let_in),
        ("update", "", "secrets", false),
        ("list", "", "configmaps", let_in),
        ("get", "", "configmaps", let_in),
        ("patch", "", "configmaps", false),
        ("list", "applink.dev", "connections", true),
        ("patch", "applink.dev", "connections", true),
        ("patch", "applink.dev", "connections/status", true),
        ("delete", "applink.dev", "connections", false),
        ("create", "applink.dev", "connections", false),
        ("create", "events.k8s.io", "events", true),
        ("get", "", "namespaces", true),
        ("list", "", "namespaces", false),
    ];
    for (verb, group, resource, yes) in cases {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let wanted = json!({
            "verb": verb, "group": group, "resource": resource, "subresource": part, "namespace": namespace,
        });
        assert_eq!(scene.may(&user(HOME), &wanted).await, yes, "{wanted}");
    }
}

async fn assert_never_refused(scene: &Scene) -> Vec<Request> {
    let asked = scene.requests_from(HOME).await;
    let refused: Vec<_> = asked.iter().filter(|asked| asked.code == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    asked
}

/// deploy/base: a connection in any namespace becomes Ready.
async fn all_namespaces(stage: &Stage, anywhere: &Scene, installed: &[Value]) {
    assert_pod_is_admitted(stage, installed).await;
    let mut operator = anywhere.operator_with(flags(installed)).await;
    anywhere.all_ready().await;
    anywhere.wait_event(CONNECTION, "Connected").await;
    assert_may_work(anywhere, "", true).await;
    assert_never_refused(anywhere).await;
    operator.terminate();
    operator.ended().await;
}

/// deploy/namespaced instead of deploy/base: two namespaces are served, a third is left alone.
async fn named_namespaces(stage: &Stage, anywhere: &Scene) {
    for kind in ["clusterrolebinding", "clusterrole"] {
        stage.kubectl(&["delete", kind, "applink-operator"], "").await;
    }
    let (first, second) = (stage.bare_scene("named-a").await, stage.bare_scene("named-b").await);
    let installed = install(stage, &namespaced_for(&first, &["named-a", "named-b"])).await;
    assert_pod_is_admitted(stage, &installed).await;
    assert_eq!(options(&installed, "--namespace"), ["named-a", "named-b"]);
    let changed = anywhere.change("Connection", CONNECTION, json!({"spec": {"suspend": true}})).await;

    let before = assert_never_refused(anywhere).await.len();
    let _operator = first.operator_with(flags(&installed)).await;
    first.all_ready().await;
    // Both simulators have the same add-on, so they need two names.
    second.apply_all(&[second.token(), second.key(KEY), second.addon(), second.connection("other", "otherOrg")]).await;
    second.ready("Connection", "other").await;
    assert_eq!(anywhere.get("Connection", CONNECTION).await, Some(changed));
    let asked = assert_never_refused(anywhere).await.split_off(before);
    let elsewhere = asked.iter().filter(|asked| !["named-a", "named-b", HOME].contains(&asked.namespace.as_str()));
    assert_eq!(elsewhere.collect::<Vec<_>>(), Vec::<&Request>::new(), "it has no rights there");
    for (namespace, yes) in [("named-a", true), ("anywhere", false), ("", false)] {
        assert_may_work(anywhere, namespace, yes).await;
    }
}

#[test]
fn base_and_namespaced_serve_their_namespaces() {
    e2e_alone("install", async |stage| {
        let installed = install(stage, &source("deploy/base")).await;
        let anywhere = stage.bare_scene("anywhere").await;
        all_namespaces(stage, &anywhere, &installed).await;
        named_namespaces(stage, &anywhere).await;
    });
}

/// The Role may be deleted before the resources in a terminating namespace.
async fn delete_role(scene: &Scene) {
    for kind in ["rolebinding", "role"] {
        scene.kubectl(&["delete", kind, "applink-operator"], "").await;
    }
    let wanted = json!({"verb": "get", "group": "", "resource": "secrets", "namespace": scene.namespace});
    let gone = async || (!scene.may(&user(HOME), &wanted).await).then_some(());
    until("the rule is no longer in force", PATIENCE, gone, async || wanted.to_string()).await;
}

#[test]
fn namespace_deletion_is_clean_if_its_role_goes_first() {
    e2e_alone("tenants", async |stage| {
        install(stage, &source("crds")).await;
        let (leaving, staying) = (stage.bare_scene("leaving").await, stage.bare_scene("staying").await);
        let installed = install(stage, &namespaced_for(&leaving, &["leaving", "staying"])).await;
        let operator = leaving.operator_with(flags(&installed)).await;
        leaving.all_ready().await;
        leaving
            .apply_all(&[leaving.authorization("batch", "batchUser"), document("1.0.0"), leaving.publication("api")])
            .await;
        leaving.ready("Authorization", "batch").await;
        leaving.ready("Publication", "api").await;

        delete_role(&leaving).await;
        stage.kubectl(&["delete", "namespace", "leaving", "--timeout=60s"], "").await;
        for kind in ["connections", "authorizations", "publications"] {
            let left = leaving.simulator.control("GET", &format!("/{kind}"), Value::Null).await;
            assert_eq!(left, json!([]), "{kind}");
        }

        // The namespace stays in --namespace: neither this operator nor the next one stops because of it.
        staying
            .apply_all(&[staying.token(), staying.key(KEY), staying.addon(), staying.connection("one", "oneOrg")])
            .await;
        staying.ready("Connection", "one").await;
        operator.kill();
        let next = staying.operator_with(Flags { leader_elect: false, ..flags(&installed) }).await;
        staying.apply(&staying.connection("two", "twoOrg")).await;
        staying.ready("Connection", "two").await;
        let (ready, said) = next.readiness().await;
        assert!(ready && said.contains("cannot watch Secrets in namespace leaving"), "{said}");
    });
}

#[test]
fn argocd_health_covers_every_kind_and_keeps_other_keys() {
    e2e_together("argocd", async |stage| {
        let scene = stage.bare_scene("argocd").await;
        let others = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"},
            "data": {"url": "https://argocd.example.com"},
        });
        // As most users install it; kubectl would take over fields of a server-side apply.
        scene.kubectl(&["apply", "-f", "-"], &others.to_string()).await;
        let path = source("deploy/argocd");
        let ours = stage.kubectl(&["kustomize", path.to_str().expect("UTF-8")], "").await;
        scene.kubectl(&["patch", "configmap", "argocd-cm", "--type=merge", "--patch-file=/dev/stdin"], &ours).await;

        let script = std::fs::read_to_string(path.join("health/health.lua")).expect("the health check");
        let mut wanted = json!({"url": "https://argocd.example.com"});
        for crd in rendered(stage.kubectl_path(), &source("crds")) {
            let (group, kind) = (text(&crd, "/spec/group"), text(&crd, "/spec/names/kind"));
            wanted[format!("resource.customizations.health.{group}_{kind}")] = json!(script);
        }
        let reported = scene.get("ConfigMap", "argocd-cm").await.expect("it exists");
        assert_eq!(reported["data"], wanted);
    });
}
