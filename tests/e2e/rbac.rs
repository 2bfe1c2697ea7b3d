//! Takes away each verb that deploy/namespaced grants: the operator names the missing right, stays calm, and continues
//! without a restart when it is granted again.

mod flow;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{
    CONNECTION, NAMESPACED, Operator, PATIENCE, Scene, condition, condition_of, e2e_together, has_reason, is_ready,
    text, until,
};

use flow::Flow::{
    self, Bring, Create, Delete, DeleteLink, Elect, Malformed, Recreate, Redraft, Repeat, ReplaceLink, Reread, Rotate,
    StoreLink, TakeOver, Tell,
};

/// How long to watch, by the API server's clock, that little happens. On a slow machine even less does.
const CALM: Duration = Duration::from_secs(5);
/// Most requests meanwhile, including those of a creation that proceeds as far as it can, with reads of Secrets at each
/// step.
const SOME: usize = 40;
/// Most refused requests: two objects retry after 1 s, 2 s, 4 s and so on, or when something wakes them.
const FEW: usize = 6;

/// One verb that is taken away.
struct Row {
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
    /// What happens while it is missing.
    flow: Flow,
    /// Which objects report it.
    said: &'static [Saying],
}

const fn row(
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
    flow: Flow,
    said: &'static [Saying],
) -> Row {
    Row { group, resource, verb, flow, said }
}

/// Kind, name and reason. An object that cannot be read, or whose status cannot be written, reports nothing; nor does a
/// Ready object with nothing to do.
type Saying = (&'static str, &'static str, &'static str);

const UNREADY: Saying = ("AppLinkAddon", "orders", "AddonNotReady");
const CREATING: Saying = ("Connection", CONNECTION, "Creating");
const DELETING: Saying = ("Connection", CONNECTION, "Deleting");

const AUTHORIZATION: Flow = Bring("Authorization", "batch-user");
const PUBLICATION: Flow = Bring("Publication", "orders-api");
const TARGET: Flow = Bring("DataActionTarget", "customer-updates");
const AUTHORIZING: Saying = ("Authorization", "batch-user", "Creating");
const PUBLISHING: Saying = ("Publication", "orders-api", "Publishing");
const TARGETING: Saying = ("DataActionTarget", "customer-updates", "Creating");

const ROWS: &[Row] = &[
    row("applink.dev", "applinkaddons", "get", Malformed("AppLinkAddon", "orders"), &[]),
    row("applink.dev", "applinkaddons", "list", Create, &[]),
    row("applink.dev", "applinkaddons", "watch", Create, &[]),
    row("applink.dev", "applinkaddons", "patch", Create, &[UNREADY]),
    row("applink.dev", "applinkaddons/status", "patch", Create, &[]),
    row("applink.dev", "connections", "get", Malformed("Connection", CONNECTION), &[]),
    row("applink.dev", "connections", "list", Create, &[]),
    row("applink.dev", "connections", "watch", Create, &[]),
    row("applink.dev", "connections", "patch", Create, &[CREATING]),
    row("applink.dev", "connections", "patch", Recreate, &[CREATING]),
    row("applink.dev", "connections", "patch", Delete, &[DELETING]),
    row("applink.dev", "connections/status", "patch", Create, &[]),
    row("applink.dev", "connections/status", "patch", Recreate, &[]),
    row("applink.dev", "authorizations", "get", Malformed("Authorization", "batch-user"), &[]),
    row("applink.dev", "authorizations", "list", Create, &[]),
    row("applink.dev", "authorizations", "watch", Create, &[]),
    row("applink.dev", "authorizations", "patch", AUTHORIZATION, &[AUTHORIZING]),
    row("applink.dev", "authorizations/status", "patch", AUTHORIZATION, &[]),
    row("applink.dev", "publications", "get", Malformed("Publication", "orders-api"), &[]),
    row("applink.dev", "publications", "list", Create, &[]),
    row("applink.dev", "publications", "watch", Create, &[]),
    row("applink.dev", "publications", "patch", PUBLICATION, &[PUBLISHING]),
    row("applink.dev", "publications/status", "patch", PUBLICATION, &[]),
    row("applink.dev", "dataactiontargets", "get", Malformed("DataActionTarget", "customer-updates"), &[]),
    row("applink.dev", "dataactiontargets", "list", Create, &[]),
    row("applink.dev", "dataactiontargets", "watch", Create, &[]),
    row("applink.dev", "dataactiontargets", "patch", TARGET, &[TARGETING]),
    row("applink.dev", "dataactiontargets/status", "patch", TARGET, &[]),
    row("", "configmaps", "get", PUBLICATION, &[PUBLISHING]),
    row("", "configmaps", "list", Redraft, &[]),
    row("", "configmaps", "watch", Redraft, &[]),
    row("", "secrets", "get", Create, &[UNREADY, CREATING]),
    row("", "secrets", "get", Reread, &[]),
    row("", "secrets", "list", Rotate, &[]),
    row("", "secrets", "watch", Rotate, &[]),
    row("", "secrets", "create", StoreLink, &[CREATING]),
    row("", "secrets", "patch", ReplaceLink, &[CREATING]),
    row("", "secrets", "delete", DeleteLink, &[CREATING]),
    row("events.k8s.io", "events", "create", Tell, &[]),
    row("events.k8s.io", "events", "patch", Repeat, &[]),
    row("coordination.k8s.io", "leases", "get", Elect, &[]),
    row("coordination.k8s.io", "leases", "create", Elect, &[]),
    row("coordination.k8s.io", "leases", "update", TakeOver, &[]),
];

/// The one verb that may be missing without a report: without it, a terminating namespace looks like one that stays.
const DONE_WITHOUT: (&str, &str, &str) = ("", "namespaces", "get");

/// Splits a Role into rules with one verb on one resource each.
fn single_rules(role: &Value) -> Vec<Value> {
    let all = |rule: &Value, field: &str| rule[field].as_array().expect("a list").clone();
    let mut single = Vec::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in all(rule, "apiGroups") {
            for resource in all(rule, "resources") {
                for verb in all(rule, "verbs") {
                    let mut one = rule.clone();
                    (one["apiGroups"], one["resources"]) = (json!([group]), json!([resource]));
                    one["verbs"] = json!([verb]);
                    single.push(one);
                }
            }
        }
    }
    single
}

/// Group, resource and verb of such a rule.
fn subject(rule: &Value) -> (&str, &str, &str) {
    (text(rule, "/apiGroups/0"), text(rule, "/resources/0"), text(rule, "/verbs/0"))
}

impl Row {
    fn label(&self) -> String {
        format!("no-{}-{}{}", self.verb, self.resource.replace('/', "-"), self.flow.suffix())
    }

    /// The API server's message.
    fn complaint(&self) -> String {
        let Self { group, resource, verb, .. } = self;
        format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"")
    }

    /// Removes the verb from the scene's Roles.
    async fn take_away(&self, scene: &Scene) {
        let Self { group, resource, verb, .. } = *self;
        for role in scene.list("Role").await {
            let left = single_rules(&role).into_iter().filter(|rule| subject(rule) != (group, resource, verb));
            let left: Vec<_> = left.collect();
            let name = text(&role, "/metadata/name");
            scene.change("Role", name, json!({"rules": left})).await;
        }
        self.until_allowed(scene, false).await;
    }

    async fn give_back(&self, scene: &Scene) {
        scene.let_in().await;
        self.until_allowed(scene, true).await;
    }

    /// Waits until the API server, which watches Roles, knows of the change.
    async fn until_allowed(&self, scene: &Scene, yes: bool) {
        let Self { group, resource, verb, .. } = *self;
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        // The Lease is granted by name.
        let name = if resource == "leases" && verb != "create" { "applink-operator" } else { "" };
        let wanted = json!({
            "verb": verb, "group": group, "resource": resource, "subresource": part, "name": name,
            "namespace": scene.namespace,
        });
        let look = async || (scene.may(&scene.user(), &wanted).await == yes).then_some(());
        until("the rule is in force", PATIENCE, look, async || wanted.to_string()).await;
    }

    /// Runs the flow until it needs the verb.
    async fn provoke(&self, scene: &Scene) -> Operator {
        if !self.flow.is_late() {
            self.take_away(scene).await;
            return self.flow.begin(scene).await;
        }
        let operator = self.flow.settle(scene).await;
        self.take_away(scene).await;
        self.flow.disturb(scene).await;
        operator
    }

    /// Waits until each object that can reports what is missing and what to do.
    async fn said_by_objects(&self, scene: &Scene) -> Vec<Value> {
        let says = async |(kind, name, reason): &Saying| {
            let wanted = |object: &Value| {
                let message = text(condition_of(object, "Ready"), "/message");
                has_reason(object, "False", reason) && message.contains(&self.complaint()) && message.contains("Grant")
            };
            let object = scene.wait(kind, name, "says what the operator may not do", wanted).await;
            assert_eq!(text(condition_of(&object, "Reconciling"), "/reason"), *reason);
            assert_eq!(condition(&object, "Stalled"), None);
            object
        };
        join_all(self.said.iter().map(says)).await
    }

    /// Asserts for a while that little happens.
    async fn keeps_calm(&self, scene: &Scene, operator: &Operator) {
        let said = self.said_by_objects(scene).await;
        let before = scene.requests().await.len();
        let end = Timestamp::now() + CALM;
        tokio::time::sleep(CALM).await;
        let asked: Vec<_> = scene.requests().await.into_iter().skip(before).filter(|r| r.at <= end).collect();
        let refused = asked.iter().filter(|request| request.code == 403).count();
        let reported = operator.said().matches(&self.complaint()).count();
        let label = self.label();
        println!(
            "{label}: {} requests in {} s, {refused} refused; reported {reported} times",
            asked.len(),
            CALM.as_secs()
        );
        assert!(asked.len() <= SOME && refused <= FEW, "{label}: {asked:#?}");
        assert!(reported == 1 || !self.flow.is_reported_once(), "{label}: reported {reported} times");
        for object in said {
            let now = scene.get(text(&object, "/kind"), text(&object, "/metadata/name")).await;
            assert_eq!(now, Some(object), "{label}: nothing new is to be said");
        }
        if self.flow.is_late() && self.said.is_empty() {
            let object = scene.get("Connection", CONNECTION).await.expect("it exists");
            assert!(is_ready(&object), "it is Ready, and nothing needs a report: {object:#}");
        }
    }

    /// Takes the verb away, checks the effects, and grants it again.
    async fn play(&self, scene: &Scene) {
        let operator = self.provoke(scene).await;
        let complaint = self.complaint();
        let reported = async || operator.said().contains(&complaint).then_some(());
        until(&format!("the log says {complaint}"), PATIENCE, reported, async || operator.said()).await;
        self.keeps_calm(scene, &operator).await;
        self.give_back(scene).await;
        self.flow.recover(scene).await;
    }
}

/// Runs all rows of a group at once, since they mostly wait.
fn deprived_of(resources: &[&str]) {
    let wanted = |row: &&Row| resources.contains(&row.resource);
    e2e_together(&format!("no {}", resources[0]), async |stage| {
        let each = ROWS.iter().filter(wanted).map(async |row| row.play(&stage.scene(&row.label()).await).await);
        assert!(!join_all(each).await.is_empty());
    });
}

#[test]
fn every_granted_verb_has_a_row() {
    let roles = NAMESPACED.iter().filter(|object| object["kind"] == "Role" || object["kind"] == "ClusterRole");
    let rules: Vec<_> = roles.flat_map(single_rules).collect();
    let granted: BTreeSet<_> = rules.iter().map(subject).collect();
    let rows = ROWS.iter().map(|row| (row.group, row.resource, row.verb));
    let rows: BTreeSet<_> = rows.chain([DONE_WITHOUT]).collect();
    assert_eq!(granted, rows);
}

#[test]
fn missing_rights_on_addons_are_reported() {
    deprived_of(&["applinkaddons", "applinkaddons/status"]);
}

#[test]
fn missing_rights_on_connections_are_reported() {
    deprived_of(&["connections", "connections/status"]);
}

#[test]
fn missing_rights_on_authorizations_are_reported() {
    deprived_of(&["authorizations", "authorizations/status"]);
}

#[test]
fn missing_rights_on_publications_are_reported() {
    deprived_of(&["publications", "publications/status"]);
}

#[test]
fn missing_rights_on_data_action_targets_are_reported() {
    deprived_of(&["dataactiontargets", "dataactiontargets/status"]);
}

#[test]
fn missing_rights_on_config_maps_are_reported() {
    deprived_of(&["configmaps"]);
}

#[test]
fn missing_rights_on_secrets_are_reported() {
    deprived_of(&["secrets"]);
}

#[test]
fn missing_rights_on_events_are_reported() {
    deprived_of(&["events"]);
}

#[test]
fn missing_rights_on_leases_are_reported() {
    deprived_of(&["leases"]);
}
