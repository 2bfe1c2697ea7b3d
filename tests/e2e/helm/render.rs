//! What the chart renders: with every set of values, the API server accepts it; its rights are those of deploy/parts; it
//! refuses misspelt values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{chart, on_chart, rendered, rendered_text};
use crate::harness::deploy::{self, source};
use crate::harness::{e2e_alone, e2e_together, text};
use crate::install::{HOME, deployment, options};

/// Without the roles for people, which deploy/ does not have.
const NO_USER_ROLES: [&str; 4] = ["--set", "rbac.aggregateToView=false", "--set", "rbac.aggregateToEdit=false"];

/// Sets of values, by what they are about.
const VALUE_SETS: &[(&str, &str)] = &[
    ("defaults", "{}"),
    ("in another chart", "{global: {team: crm, image: {any: thing}}, enabled: true}"),
    ("names", "{fullnameOverride: applink, commonLabels: {team: crm}}"),
    ("short name", "{nameOverride: al}"),
    (
        "image by digest",
        "{image: {digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}, imagePullSecrets: [{name: registry}]}",
    ),
    ("replicas left to others", "{replicaCount: null}"),
    ("one replica", "{replicaCount: 1, topologySpreadConstraints: [], podDisruptionBudget: {enabled: false}}"),
    ("namespaced", "{namespaces: [one, two]}"),
    (
        "options",
        "{allowedHosts: ['*.heroku.com', api.example.com], writeConcurrency: 4, reconcileConcurrency: 8, logFormat: text, logFilter: debug, extraArgs: [--leader-elect=true], extraEnv: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}]}",
    ),
    (
        "volumes",
        "{extraVolumes: [{name: ca, configMap: {name: ca}}], extraVolumeMounts: [{name: ca, mountPath: /ca, readOnly: true}]}",
    ),
    (
        "scheduling",
        "{nodeSelector: {disk: ssd}, tolerations: [{operator: Exists}], priorityClassName: system-cluster-critical, affinity: {nodeAffinity: {}}, topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}]}",
    ),
    (
        "account of others",
        "{serviceAccount: {create: false, name: theirs}, rbac: {create: false, aggregateToView: false, aggregateToEdit: false}}",
    ),
    (
        "network policy",
        "{networkPolicy: {enabled: true, metricsFrom: [{namespaceSelector: {matchLabels: {team: monitoring}}}], extraEgress: [{ports: [{protocol: TCP, port: 3128}]}]}}",
    ),
    ("no CRDs", "{crds: {enabled: false}}"),
    ("CRDs that go with the chart", "{crds: {keep: false}}"),
    (
        "service monitor",
        "{metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}, interval: 1m}, prometheusRule: {enabled: true, alertLabels: {team: crm}}}}",
    ),
    ("pod monitor", "{metrics: {service: {enabled: false}, podMonitor: {enabled: true}}}"),
    (
        "more objects",
        "{extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: default}}, '{apiVersion: v1, kind: ConfigMap, metadata: {name: {{ .Release.Name }}, namespace: default}}']}",
    ),
    (
        "metadata",
        "{podAnnotations: {a: b}, podLabels: {c: d}, serviceAccount: {annotations: {e: f}}, metrics: {service: {labels: {g: h}, annotations: {i: j}}}}",
    ),
];

/// Values that the schema refuses, and the name that the message mentions.
const REFUSED: &[(&str, &str)] = &[
    ("replicacount=2", "replicacount"),
    ("image.tga=1", "tga"),
    ("replicaCount=two", "replicaCount"),
    ("image.digest=sha256:1", "digest"),
    ("namespaces={Upper}", "namespaces"),
    ("writeConcurrency=65", "writeConcurrency"),
    ("logFormat=yaml", "logFormat"),
    ("metrics.serviceMonitor.interval=often", "interval"),
    ("networkPolicy.egressPorts={0}", "egressPorts"),
    ("enabled=maybe", "enabled"),
];

/// The kinds of the Prometheus operator with the fields that the chart uses, from its API reference.
fn monitoring_crds() -> Vec<Value> {
    let text = json!({"type": "string"});
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let list = |items: Value| json!({"type": "array", "items": items});
    let labels = json!({"type": "object", "additionalProperties": text});
    let selector = object(json!({"matchLabels": labels}));
    let endpoint = object(json!({"port": text, "path": text, "interval": text, "scrapeTimeout": text}));
    let rule = json!({"alert": text, "expr": text, "for": text, "labels": labels, "annotations": labels});
    let group = object(json!({"name": text, "rules": list(object(rule))}));
    let specs = [
        ("ServiceMonitor", json!({"selector": selector, "endpoints": list(endpoint.clone())})),
        ("PodMonitor", json!({"selector": selector, "podMetricsEndpoints": list(endpoint.clone())})),
        ("PrometheusRule", json!({"groups": list(group)})),
    ];
    let crd = |(kind, spec): (&str, Value)| {
        let plural = format!("{}s", kind.to_ascii_lowercase());
        let schema = json!({"openAPIV3Schema": object(json!({"spec": object(spec)}))});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
            "spec": {
                "group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
            },
        })
    };
    specs.into_iter().map(crd).collect()
}

#[test]
fn api_server_accepts_every_set_of_values() {
    e2e_alone("helm-values", async |stage| {
        for crd in monitoring_crds() {
            stage.kubectl(&["create", "-f", "-"], &crd.to_string()).await;
        }
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        stage.kubectl(&established, "").await;
        for name in [HOME, "one", "two"] {
            stage.kubectl(&["create", "namespace", name], "").await;
        }
        for (about, values) in VALUE_SETS {
            let rendered = rendered_text(stage, &["--set-json", &as_json(values)]).await;
            let dry = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
            let (ok, said) = stage.try_kubectl(&dry, &rendered).await;
            assert!(ok && !said.contains("Warning"), "{about}: {said}\n{rendered}");
        }
    });
}

/// YAML in one line as JSON.
fn as_json(yaml: &str) -> String {
    serde_saphyr::from_str::<Value>(yaml).expect("YAML").to_string()
}

#[test]
fn chart_lints_and_refuses_misspelt_values() {
    e2e_together("helm-lint", async |stage| {
        let (ok, said) = on_chart(stage, "lint", &["--strict"]).await;
        assert!(ok, "{said}");
        for (value, named) in REFUSED {
            let (ok, said) = on_chart(stage, "template", &["--set", value]).await;
            assert!(!ok && said.contains(named), "{value}: {said}");
        }
        let (ok, said) = stage.try_helm(&["template", "any", &chart()]).await;
        assert!(!ok && said.contains("set image.repository"), "{said}");
        let monitor = ["--set", "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false"];
        let (ok, said) = on_chart(stage, "template", &monitor).await;
        assert!(!ok && said.contains("metrics.serviceMonitor needs metrics.service"), "{said}");
    });
}

fn yaml_of(file: &str) -> Value {
    let path = source("deploy/helm/applink-operator").join(file);
    serde_saphyr::from_str(&std::fs::read_to_string(path).expect("a file")).expect("YAML")
}

/// The names of all values, as `image.tag`. `inner` returns what a value or its schema contains.
fn names(of: &Value, prefix: &str, inner: fn(&Value) -> Option<&Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in inner(of).and_then(Value::as_object).into_iter().flatten() {
        let name = format!("{prefix}{name}");
        found.extend(names(value, &format!("{name}."), inner));
        found.insert(name);
    }
    found
}

#[test]
fn schema_lists_exactly_the_values_and_the_chart_has_our_version() {
    let mut values = names(&yaml_of("values.yaml"), "", |value| Some(value));
    // Maps whose keys are the user's.
    values.retain(|name| !["resources.", "nodeSelector."].iter().any(|free| name.starts_with(free)));
    values.insert("enabled".to_owned()); // of a chart that includes this one
    let schema = names(&yaml_of("values.schema.json"), "", |schema| schema.get("properties"));
    assert_eq!(values, schema);

    let about = yaml_of("Chart.yaml");
    for version in ["/version", "/appVersion"] {
        assert_eq!(text(&about, version), env!("CARGO_PKG_VERSION"));
    }
    let annotation = |name: &str| {
        let list = text(&about["annotations"], &format!("/artifacthub.io~1{name}"));
        serde_saphyr::from_str::<Value>(list).expect("YAML").as_array().expect("a list").clone()
    };
    let ours: BTreeSet<_> = applink_operator::crd::definitions().into_iter().map(|crd| crd.spec.names.kind).collect();
    for listed in [annotation("crds"), annotation("crdsExamples")] {
        let kinds: BTreeSet<_> = listed.iter().map(|item| text(item, "/kind").to_owned()).collect();
        assert_eq!(kinds, ours);
    }
}

/// Rights and account by kind, namespace and name, without labels.
fn rights(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let kinds = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    let ours = objects.into_iter().filter(|object| kinds.contains(&text(object, "/kind")));
    let keyed = ours.map(|mut object| {
        object["metadata"].as_object_mut().expect("metadata").remove("labels");
        let metadata = &object["metadata"];
        let key = format!("{} {}/{}", text(&object, "/kind"), text(metadata, "/namespace"), text(metadata, "/name"));
        (key, object)
    });
    keyed.collect()
}

#[test]
fn rights_and_pod_are_those_of_deploy() {
    e2e_together("helm-rights", async |stage| {
        for (variant, values, namespaces) in
            [("deploy/base", "namespaces=null", vec![]), ("deploy/namespaced", "namespaces={crm}", vec!["crm"])]
        {
            let theirs = deploy::rendered(stage.kubectl_path(), &source(variant));
            let ours = rendered(stage, &[&["--set", values], &NO_USER_ROLES[..]].concat()).await;
            let pod = |objects: &[Value]| {
                let mut pod = deployment(objects)["spec"]["template"]["spec"].clone();
                pod.as_object_mut().expect("a pod").remove("topologySpreadConstraints");
                pod
            };
            assert_eq!(pod(&ours), pod(&theirs), "{variant}");
            assert_eq!(options(&ours, "--namespace"), namespaces);
            assert_eq!(rights(ours), rights(theirs), "{variant}");
        }
    });
}

#[test]
fn roles_of_people_cover_our_kinds_alone() {
    e2e_together("helm-people", async |stage| {
        let with = rights(rendered(stage, &[]).await);
        let without = rights(rendered(stage, &NO_USER_ROLES).await);
        let people: Vec<_> = with.iter().filter(|(key, _)| !without.contains_key(*key)).collect();
        assert_eq!(people.len(), 2, "view and edit: {people:#?}");
        let mut kinds: Vec<_> =
            applink_operator::crd::definitions().into_iter().map(|crd| crd.spec.names.plural).collect();
        kinds.sort();
        for (key, role) in people {
            assert_eq!(role["rules"].as_array().expect("rules").len(), 1, "{key}");
            let rule = &role["rules"][0];
            assert_eq!(rule["apiGroups"], json!(["applink.dev"]), "{key}");
            let mut granted: Vec<String> = serde_json::from_value(rule["resources"].clone()).expect("names");
            granted.sort();
            assert_eq!(granted, kinds, "{key}");
        }
    });
}
