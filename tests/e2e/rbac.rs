//! Each verb that deploy/namespaced grants, taken away: the operator says which one it misses, keeps calm, and goes on
//! when it has it back, without a restart.

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
    self, Bring, Create, Delete, Elect, HandOver, HandOverAnew, Heal, Malformed, Redraft, Repeat, Reread, Rotate,
    TakeOver, Tell, Withdraw,
};

/// What is watched for during this time, by the API server's own clock, is that nothing much happens: on a slow machine
/// even less does.
const CALM: Duration = Duration::from_secs(5);
/// How many requests it may cost, those of a creation that goes on as far as it can among them, whose every step reads
/// Secrets.
const SOME: usize = 40;
/// How many of them may be refused: two objects try again, each after 1 s, 2 s, 4 s and so on, or where something wakes
/// it.
const FEW: usize = 6;

/// One verb that is taken away.
struct Row {
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
    /// What is done while it is missing.
    flow: Flow,
    /// Who says that it is.
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

/// Kind, name and reason. Nothing can be said of an object that cannot be read, or whose status cannot be written, and
/// nothing is of one that is Ready and to which nothing was to be done.
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
    row("applink.dev", "connections", "patch", Heal, &[CREATING]),
    row("applink.dev", "connections", "patch", Delete, &[DELETING]),
    row("applink.dev", "connections/status", "patch", Create, &[]),
    row("applink.dev", "connections/status", "patch", Heal, &[]),
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
    row("", "secrets", "create", HandOver, &[CREATING]),
    row("", "secrets", "patch", HandOverAnew, &[CREATING]),
    row("", "secrets", "delete", Withdraw, &[CREATING]),
    row("events.k8s.io", "events", "create", Tell, &[]),
    row("events.k8s.io", "events", "patch", Repeat, &[]),
    row("coordination.k8s.io", "leases", "get", Elect, &[]),
    row("coordination.k8s.io", "leases", "create", Elect, &[]),
    row("coordination.k8s.io", "leases", "update", TakeOver, &[]),
];

/// What is no trouble while it is missing: a namespace that ends is taken for one that stays.
const DONE_WITHOUT: (&str, &str, &str) = ("", "namespaces", "get");

/// The rules of a Role, taken apart: one for each verb on each resource.
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

    /// What the API server says of it.
    fn complaint(&self) -> String {
        let Self { group, resource, verb, .. } = self;
        format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"")
    }

    /// Takes the verb out of the scene's Roles.
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

    /// The API server learns of a changed Role by a watch of its own.
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

    /// Plays the flow to where the verb is needed.
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

    /// Waits until each object that can says what is missing, and what to do.
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

    /// Watches what comes of it for a while.
    async fn keeps_calm(&self, scene: &Scene, operator: &Operator) {
        let said = self.said_by_objects(scene).await;
        let before = scene.requests().await.len();
        let end = Timestamp::now() + CALM;
        tokio::time::sleep(CALM).await;
        let asked: Vec<_> = scene.requests().await.into_iter().skip(before).filter(|r| r.at <= end).collect();
        let refused = asked.iter().filter(|request| request.code == 403).count();
        let told = operator.said().matches(&self.complaint()).count();
        let label = self.label();
        println!("{label}: {} requests in {} s, {refused} refused; told {told} times", asked.len(), CALM.as_secs());
        assert!(asked.len() <= SOME && refused <= FEW, "{label}: {asked:#?}");
        assert!(told == 1 || !self.flow.is_told_once(), "{label}: told {told} times");
        for object in said {
            let now = scene.get(text(&object, "/kind"), text(&object, "/metadata/name")).await;
            assert_eq!(now, Some(object), "{label}: nothing new is to be said");
        }
        if self.flow.is_late() && self.said.is_empty() {
            let object = scene.get("Connection", CONNECTION).await.expect("it is there");
            assert!(is_ready(&object), "it was, and nothing can or need be said of it: {object:#}");
        }
    }

    /// Takes the verb away, looks at what comes of it, and gives it back.
    async fn play(&self, scene: &Scene) {
        let operator = self.provoke(scene).await;
        let complaint = self.complaint();
        let told = async || operator.said().contains(&complaint).then_some(());
        until(&format!("the log says {complaint}"), PATIENCE, told, async || operator.said()).await;
        self.keeps_calm(scene, &operator).await;
        self.give_back(scene).await;
        self.flow.recover(scene).await;
    }
}

/// Plays all rows of a group at once: they mostly wait.
fn deprived_of(resources: &[&str]) {
    let wanted = |row: &&Row| resources.contains(&row.resource);
    e2e_together(&format!("no {}", resources[0]), async |stage| {
        let each = ROWS.iter().filter(wanted).map(async |row| row.play(&stage.scene(&row.label()).await).await);
        assert!(!join_all(each).await.is_empty());
    });
}

#[test]
fn each_verb_that_is_granted_is_taken_away_here() {
    let roles = NAMESPACED.iter().filter(|object| object["kind"] == "Role" || object["kind"] == "ClusterRole");
    let rules: Vec<_> = roles.flat_map(single_rules).collect();
    let granted: BTreeSet<_> = rules.iter().map(subject).collect();
    let rows = ROWS.iter().map(|row| (row.group, row.resource, row.verb));
    let rows: BTreeSet<_> = rows.chain([DONE_WITHOUT]).collect();
    assert_eq!(granted, rows);
}

#[test]
fn what_it_may_not_do_with_add_ons_it_says_and_does_once_it_may() {
    deprived_of(&["applinkaddons", "applinkaddons/status"]);
}

#[test]
fn what_it_may_not_do_with_connections_it_says_and_does_once_it_may() {
    deprived_of(&["connections", "connections/status"]);
}

#[test]
fn what_it_may_not_do_with_authorizations_it_says_and_does_once_it_may() {
    deprived_of(&["authorizations", "authorizations/status"]);
}

#[test]
fn what_it_may_not_do_with_publications_it_says_and_does_once_it_may() {
    deprived_of(&["publications", "publications/status"]);
}

#[test]
fn what_it_may_not_do_with_data_action_targets_it_says_and_does_once_it_may() {
    deprived_of(&["dataactiontargets", "dataactiontargets/status"]);
}

#[test]
fn what_it_may_not_do_with_config_maps_it_says_and_does_once_it_may() {
    deprived_of(&["configmaps"]);
}

#[test]
fn what_it_may_not_do_with_secrets_it_says_and_does_once_it_may() {
    deprived_of(&["secrets"]);
}

#[test]
fn what_it_may_not_do_with_events_it_says_and_does_once_it_may() {
    deprived_of(&["events"]);
}

#[test]
fn what_it_may_not_do_with_leases_it_says_and_does_once_it_may() {
    deprived_of(&["leases"]);
}
