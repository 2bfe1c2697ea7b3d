//! Each verb that deploy/namespaced grants, taken away: the operator says which one it misses, keeps calm, and goes on
//! when it has it back, without a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{CONNECTION, Flags, NAMESPACED, Operator, PATIENCE, Scene, e2e_together, has_reason, text, until};

use Flow::{Create, Delete, Elect, Heal, Malformed, Repeat, Rotate, TakeOver, Tell, Unused};

/// What is watched for during this time is that nothing much happens.
const CALM: Duration = Duration::from_secs(5);
/// How many requests it may cost, those of a creation that goes on as far as it can among them.
const SOME: usize = 30;
/// How many of them may be refused: two objects try again, each at the pace of a second.
const FEW: usize = 12;

/// Group, resource and verb, and what is done while that is missing.
struct Row(&'static str, &'static str, &'static str, Flow);

/// What needs a verb.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Everything was applied before the operator started.
    Create,
    /// A connection vanishes from AppLink.
    Heal,
    /// A Connection is deleted.
    Delete,
    /// This object cannot be read.
    Malformed(&'static str, &'static str),
    /// A private key is rotated.
    Rotate,
    /// Something is told for the first time.
    Tell,
    /// The same is told again.
    Repeat,
    /// There is no Lease yet.
    Elect,
    /// There is one that nobody holds.
    TakeOver,
    /// Nothing yet: it is granted for what is to come.
    Unused,
}

const ROWS: &[Row] = &[
    Row("applink.dev", "applinkaddons", "get", Malformed("AppLinkAddon", "orders")),
    Row("applink.dev", "applinkaddons", "list", Create),
    Row("applink.dev", "applinkaddons", "watch", Create),
    Row("applink.dev", "applinkaddons", "patch", Create),
    Row("applink.dev", "applinkaddons/status", "patch", Create),
    Row("applink.dev", "connections", "get", Malformed("Connection", CONNECTION)),
    Row("applink.dev", "connections", "list", Create),
    Row("applink.dev", "connections", "watch", Create),
    Row("applink.dev", "connections", "patch", Create),
    Row("applink.dev", "connections", "patch", Heal),
    Row("applink.dev", "connections", "patch", Delete),
    Row("applink.dev", "connections/status", "patch", Create),
    Row("applink.dev", "connections/status", "patch", Heal),
    Row("", "secrets", "get", Create),
    Row("", "secrets", "list", Rotate),
    Row("", "secrets", "watch", Rotate),
    Row("", "secrets", "create", Unused),
    Row("", "secrets", "patch", Unused),
    Row("", "secrets", "delete", Unused),
    Row("events.k8s.io", "events", "create", Tell),
    Row("events.k8s.io", "events", "patch", Repeat),
    Row("coordination.k8s.io", "leases", "get", Elect),
    Row("coordination.k8s.io", "leases", "create", Elect),
    Row("coordination.k8s.io", "leases", "update", TakeOver),
];

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
        let Self(_, resource, verb, flow) = self;
        let flow = match flow {
            Heal => "-heal",
            Delete => "-delete",
            _ => "",
        };
        format!("no-{verb}-{}{flow}", resource.replace('/', "-"))
    }

    /// Takes the verb out of the scene's Roles.
    async fn take_away(&self, scene: &Scene) {
        let Self(group, resource, verb, _) = *self;
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
        let Self(group, resource, verb, _) = *self;
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
        match self.3 {
            Heal | Delete => self.provoke_late(scene).await,
            _ => self.provoke_from_the_start(scene).await,
        }
    }

    async fn provoke_late(&self, scene: &Scene) -> Operator {
        let operator = scene.operator().await;
        let seen = scene.all_ready().await;
        self.take_away(scene).await;
        if self.3 == Delete {
            scene.delete("Connection", CONNECTION).await;
        } else {
            let path = format!("/connections/{}", text(&seen, "/status/id"));
            scene.simulator.control("DELETE", &path, Value::Null).await;
        }
        operator
    }

    async fn provoke_from_the_start(&self, scene: &Scene) -> Operator {
        self.take_away(scene).await;
        scene.apply_all(&scene.everything()).await;
        match self.3 {
            Malformed(kind, name) => malform(scene, kind, name).await,
            TakeOver => {
                let name = json!({"name": "applink-operator"});
                let lease =
                    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": name, "spec": {}});
                scene.apply(&lease).await;
            }
            _ => {}
        }
        // Trouble with Events is told for whoever looks for it: nothing depends on them.
        let log = matches!(self.3, Tell | Repeat).then_some("info,applink_operator::control::report=debug");
        let flags = Flags { leader_elect: matches!(self.3, Elect | TakeOver), log, ..Flags::default() };
        let operator = scene.operator_unready(flags).await;
        match self.3 {
            Rotate => {
                scene.ready("Connection", CONNECTION).await;
                scene.apply(&scene.key("another")).await;
            }
            Repeat => {
                scene.ready("Connection", CONNECTION).await;
                suspend(scene, true).await;
                suspend(scene, false).await;
            }
            _ => {}
        }
        operator
    }

    /// Waits until all is as it would have been.
    async fn recover(&self, scene: &Scene) {
        match self.3 {
            Create | Elect | TakeOver => {
                scene.ready("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.mutating().await.len(), 1, "{}", self.label());
            }
            Heal => {
                let id =
                    async || scene.get("Connection", CONNECTION).await.expect("it is there")["status"]["id"].clone();
                let healed = async || {
                    let id = id().await;
                    scene.simulator.connections().await.iter().any(|remote| remote["id"] == id).then_some(())
                };
                until("the status has the new id", PATIENCE, healed, async || id().await.to_string()).await;
                scene.ready("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.mutating().await.len(), 2, "{}", self.label());
            }
            Delete => {
                scene.wait_gone("Connection", CONNECTION).await;
                assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
            }
            Malformed(kind, name) => drop(scene.unready(kind, name, "InvalidSpec", "Stalled").await),
            Rotate => drop(scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await),
            Tell => {
                suspend(scene, true).await;
                scene.wait_event(CONNECTION, "Suspended").await;
            }
            Repeat => {
                suspend(scene, true).await;
                let told = async || scene.events(CONNECTION).await;
                let twice =
                    async || (told().await.iter().filter(|reason| *reason == "Suspended").count() == 2).then_some(());
                until("it is told again", PATIENCE, twice, async || format!("{:?}", told().await)).await;
            }
            Unused => {}
        }
    }

    /// Takes the verb away, looks at what comes of it, and gives it back.
    async fn play(&self, scene: &Scene) {
        let Self(group, resource, verb, _) = *self;
        let operator = self.provoke(scene).await;
        let complaint = format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"");
        let told = async || operator.said().contains(&complaint).then_some(());
        until(&format!("the log says {complaint}"), PATIENCE, told, async || operator.said()).await;

        let before = scene.requests().await.len();
        tokio::time::sleep(CALM).await;
        let asked = scene.requests().await.split_off(before);
        let refused = asked.iter().filter(|request| request.code == 403).count();
        println!("{}: {} requests in {} s, {refused} refused", self.label(), asked.len(), CALM.as_secs());
        assert!(asked.len() <= SOME && refused <= FEW, "{}: {asked:#?}", self.label());
        self.give_back(scene).await;
        self.recover(scene).await;
    }
}

async fn suspend(scene: &Scene, yes: bool) {
    scene.change("Connection", CONNECTION, json!({"spec": {"suspend": yes}})).await;
    let reason = if yes { "Suspended" } else { "Connected" };
    scene.wait("Connection", CONNECTION, reason, |object| has_reason(object, "True", reason)).await;
}

/// Gives the object a time that the API server takes, and the operator cannot read.
async fn malform(scene: &Scene, kind: &str, name: &str) {
    let when = "2026-01-01T00:00:00+99:99";
    let ready = json!({
        "type": "Ready", "status": "Unknown", "reason": "Pending", "message": "odd", "lastTransitionTime": when,
    });
    scene.change_status(kind, name, json!({"status": {"conditions": [ready]}})).await;
}

/// Plays all rows of a group at once: they mostly wait.
fn deprived_of(resources: &[&str]) {
    let wanted = |row: &&Row| resources.contains(&row.1) && row.3 != Unused;
    e2e_together(&format!("no {}", resources[0]), async |stage| {
        let each = ROWS.iter().filter(wanted).map(async |row| row.play(&stage.scene(&row.label()).await).await);
        assert!(!join_all(each).await.is_empty());
    });
}

#[test]
fn each_verb_that_is_granted_is_taken_away_here() {
    let roles = NAMESPACED.iter().filter(|object| object["kind"] == "Role");
    let rules: Vec<_> = roles.flat_map(single_rules).collect();
    let granted: BTreeSet<_> = rules.iter().map(subject).collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|Row(group, resource, verb, _)| (*group, *resource, *verb)).collect();
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
