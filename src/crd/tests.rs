//! The validation rules, run without a cluster: what is refused, and that the message says what to do.

use serde_json::{Value, json};

use super::{AppLinkAddon, Authorization, Connection, DataActionTarget, Publication, is_object_name};

/// A change to a spec, and what the refusal must say.
type Case = (fn(&mut Value), &'static str);

fn connection(change: impl FnOnce(&mut Value)) -> Connection {
    let mut object = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "c", "namespace": "n"},
        "spec": {
            "addonRef": {"name": "orders"}, "connectionName": "productionOrg", "provider": "Salesforce",
            "jwt": {"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": {"name": "k", "key": "k"}},
        },
    });
    change(&mut object["spec"]);
    serde_json::from_value(object).expect("decodes")
}

fn authorization(change: impl FnOnce(&mut Value)) -> Authorization {
    let mut object = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Authorization", "metadata": {"name": "a", "namespace": "n"},
        "spec": {
            "addonRef": {"name": "orders"}, "developerName": "batchUser", "provider": "DataCloud",
            "jwt": {"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": {"name": "k", "key": "k"}},
            "credentialsSecretName": "batch-user.credentials",
        },
    });
    change(&mut object["spec"]);
    serde_json::from_value(object).expect("decodes")
}

fn addon(change: impl FnOnce(&mut Value)) -> AppLinkAddon {
    let mut object = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "AppLinkAddon", "metadata": {"name": "a", "namespace": "n"},
        "spec": {"app": "orders-prod", "tokenSecretRef": {"name": "heroku-api", "key": "token"}},
    });
    change(&mut object["spec"]);
    serde_json::from_value(object).expect("decodes")
}

fn publication(change: impl FnOnce(&mut Value)) -> Publication {
    let mut object = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Publication", "metadata": {"name": "p", "namespace": "n"},
        "spec": {
            "connectionRef": {"name": "production"}, "clientName": "OrdersAPI", "apiSpec": {"inline": "openapi: 3.0.3"},
        },
    });
    change(&mut object["spec"]);
    serde_json::from_value(object).expect("decodes")
}

fn refused<T: std::fmt::Debug>(result: Result<(), T>, hint: &str) {
    let told = format!("{:?}", result.expect_err(hint));
    assert!(told.contains(hint), "{told} lacks {hint}");
}

#[test]
fn what_is_in_order_passes() {
    connection(|_| {}).validate_cel().expect("jwt");
    let oauth = connection(|s| (s["jwt"], s["oauth"], s["provider"]) = (Value::Null, json!({}), json!("DataCloud")));
    oauth.validate_cel().expect("oauth");
    addon(|_| {}).validate_cel().expect("defaults");
    addon(|s| s["pollInterval"] = json!("1m30s")).validate_cel().expect("poll");
}

#[test]
fn connections_that_cannot_be_are_refused_with_a_way_out() {
    let table: &[Case] = &[
        (|s| s["connectionName"] = json!("production-org"), "no dashes"),
        (|s| s["connectionName"] = json!("1org"), "begin with a letter"),
        (|s| s["connectionName"] = json!("org__x"), "single underscores"),
        (|s| s["connectionName"] = json!("org_"), "end with a letter or digit"),
        (|s| s["jwt"] = Value::Null, "exactly one of jwt"),
        (|s| s["oauth"] = json!({}), "exactly one of jwt"),
        (|s| s["provider"] = json!("DataCloud"), "use oauth: {} instead"),
        (|s| s["loginURL"] = json!("http://login.salesforce.com"), "must begin with https://"),
        (|s| s["expect"] = json!({"orgID": "short"}), "15 or 18"),
    ];
    for (change, hint) in table.iter().copied() {
        refused(connection(change).validate_cel(), hint);
    }
}

#[test]
fn authorizations_that_cannot_be_are_refused_with_a_way_out() {
    authorization(|_| {}).validate_cel().expect("by JWT, to Data Cloud too");
    authorization(|s| (s["jwt"], s["oauth"]) = (Value::Null, json!({}))).validate_cel().expect("oauth");
    let table: &[Case] = &[
        (|s| s["developerName"] = json!("batch-user"), "no dashes"),
        (|s| s["developerName"] = json!("1user"), "begin with a letter"),
        (|s| s["jwt"] = Value::Null, "exactly one of jwt"),
        (|s| s["oauth"] = json!({}), "exactly one of jwt"),
        (|s| s["loginURL"] = json!("http://login.salesforce.com"), "must begin with https://"),
        (|s| s["expect"] = json!({"orgID": "short"}), "15 or 18"),
        (|s| s["credentialsSecretName"] = json!("Batch_User"), "a name that a Secret can have"),
        (|s| s["credentialsSecretName"] = json!("batch..user"), "a name that a Secret can have"),
        (|s| s["credentialsSecretName"] = json!("-batch"), "a name that a Secret can have"),
    ];
    for (change, hint) in table.iter().copied() {
        refused(authorization(change).validate_cel(), hint);
    }
    let old = authorization(|_| {});
    let table: &[Case] = &[
        (|s| s["developerName"] = json!("other"), "developerName is immutable"),
        (|s| s["addonRef"] = json!({"name": "other"}), "addonRef is immutable"),
        (|s| s["provider"] = json!("Salesforce"), "provider is immutable"),
    ];
    for (change, hint) in table.iter().copied() {
        refused(authorization(change).validate_cel_update(&old), hint);
    }
    let moved = authorization(|s| s["credentialsSecretName"] = json!("elsewhere"));
    moved.validate_cel_update(&old).expect("it may move");
    let gone = authorization(|s| s["credentialsSecretName"] = Value::Null);
    gone.validate_cel_update(&old).expect("and go");
}

#[test]
fn add_ons_that_cannot_be_are_refused_with_a_way_out() {
    let table: &[Case] = &[
        (|s| s["app"] = json!("a/b"), "letters, digits and dashes"),
        (|s| s["pollInterval"] = json!("5s"), "from 10s to 1h"),
        (|s| s["pollInterval"] = json!("2h"), "from 10s to 1h"),
        (|s| s["pollInterval"] = json!("soon"), "from 10s to 1h"),
        (|s| s["platformURL"] = json!("http://api.heroku.com"), "must begin with https://"),
        (|s| s["platformURL"] = json!("https://user:pw@api.heroku.com"), "without user or password"),
        (|s| s["platformURL"] = json!("api.heroku.com"), "absolute URL"),
    ];
    for (change, hint) in table.iter().copied() {
        refused(addon(change).validate_cel(), hint);
    }
}

#[test]
fn what_is_immutable_stays() {
    let old = connection(|_| {});
    let table: &[Case] = &[
        (|s| s["connectionName"] = json!("other"), "connectionName is immutable"),
        (|s| s["addonRef"] = json!({"name": "other"}), "addonRef is immutable"),
        (
            |s| (s["provider"], s["jwt"], s["oauth"]) = (json!("DataCloud"), Value::Null, json!({})),
            "provider is immutable",
        ),
    ];
    for (change, hint) in table.iter().copied() {
        refused(connection(change).validate_cel_update(&old), hint);
    }
    let moved = addon(|s| s["app"] = json!("other"));
    refused(moved.validate_cel_update(&addon(|_| {})), "app is immutable");
}

#[test]
fn publications_that_cannot_be_are_refused_with_a_way_out() {
    let table: &[Case] = &[
        (|s| s["clientName"] = json!("Orders-API"), "clientName must begin with a letter"),
        (|s| s["clientName"] = json!("1Orders"), "clientName must begin with a letter"),
        (|s| s["clientName"] = json!("Orders__API"), "single underscores"),
        (|s| s["apiSpec"] = json!({}), "exactly one of apiSpec.configMapKeyRef and apiSpec.inline"),
        (
            |s| s["apiSpec"]["configMapKeyRef"] = json!({"name": "m", "key": "k"}),
            "exactly one of apiSpec.configMapKeyRef and apiSpec.inline",
        ),
        (|s| s["permissionSet"] = json!({}), "exactly one of name"),
        (
            |s| s["connectedApp"] = json!({"name": "x", "metadataConfigMapKeyRef": {"name": "m", "key": "k"}}),
            "exactly one of name",
        ),
    ];
    for (change, hint) in table.iter().copied() {
        refused(publication(change).validate_cel(), hint);
    }
}

#[test]
fn publications_keep_what_identifies_them_and_change_the_rest() {
    let old = publication(|_| {});
    old.validate_cel().expect("inline");
    let table: &[Case] = &[
        (|s| s["connectionRef"] = json!({"name": "other"}), "connectionRef is immutable"),
        (|s| s["clientName"] = json!("Other"), "clientName is immutable"),
    ];
    for (change, hint) in table.iter().copied() {
        refused(publication(change).validate_cel_update(&old), hint);
    }
    let changed = publication(|s| {
        s["apiSpec"] = json!({"configMapKeyRef": {"name": "m", "key": "openapi.yaml"}});
        s["permissionSet"] = json!({"metadataConfigMapKeyRef": {"name": "m", "key": "set.xml"}});
        s["externalClientApp"] = json!({"name": "OrdersECA"});
        s["connectedApp"] = json!({"name": "OrdersApp"});
    });
    changed.validate_cel_update(&old).expect("all that may change");
}

fn target(change: impl FnOnce(&mut Value)) -> DataActionTarget {
    let mut object = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "DataActionTarget", "metadata": {"name": "t", "namespace": "n"},
        "spec": {"connectionRef": {"name": "data"}, "label": "Updates", "targetEndpoint": "/webhooks/updates"},
    });
    change(&mut object["spec"]);
    serde_json::from_value(object).expect("decodes")
}

#[test]
fn a_reference_has_a_name_that_kubernetes_allows() {
    for bad in ["sf ", " sf", "my secret", ".", "..", "UPPER", "a/b", "a..b", "-a", "a-", "sf\n", "a_b"] {
        assert!(!is_object_name(bad), "{bad:?}");
        let hint = "name must be one that";
        refused(connection(|s| s["addonRef"]["name"] = json!(bad)).validate_cel(), hint);
        refused(connection(|s| s["jwt"]["privateKeySecretRef"]["name"] = json!(bad)).validate_cel(), hint);
        refused(authorization(|s| s["addonRef"]["name"] = json!(bad)).validate_cel(), hint);
        refused(authorization(|s| s["jwt"]["privateKeySecretRef"]["name"] = json!(bad)).validate_cel(), hint);
        refused(addon(|s| s["tokenSecretRef"]["name"] = json!(bad)).validate_cel(), hint);
        refused(publication(|s| s["connectionRef"]["name"] = json!(bad)).validate_cel(), hint);
        let map = json!({"configMapKeyRef": {"name": bad, "key": "k"}});
        refused(publication(|s| s["apiSpec"] = map.clone()).validate_cel(), hint);
        let set = json!({"metadataConfigMapKeyRef": {"name": bad, "key": "k"}});
        refused(publication(|s| s["permissionSet"] = set.clone()).validate_cel(), hint);
        refused(target(|s| s["connectionRef"]["name"] = json!(bad)).validate_cel(), hint);
    }
    for good in ["a", "sf-jwt", "a.b-c.d", "0", &"x".repeat(253)] {
        assert!(is_object_name(good), "{good}");
        connection(|s| s["addonRef"]["name"] = json!(good)).validate_cel().expect(good);
    }
    assert!(!is_object_name(&"x".repeat(254)) && !is_object_name(""));
}

#[test]
fn blanks_around_what_salesforce_reads_are_refused() {
    for bad in ["x\n", " x", "x ", "\tx", "a\nb"] {
        let hint = "must not begin or end with blanks";
        refused(connection(|s| s["jwt"]["clientID"] = json!(bad)).validate_cel(), hint);
        refused(connection(|s| s["jwt"]["username"] = json!(bad)).validate_cel(), hint);
        refused(connection(|s| s["jwt"]["alias"] = json!(bad)).validate_cel(), hint);
        refused(connection(|s| s["expect"] = json!({"username": bad})).validate_cel(), hint);
        refused(authorization(|s| s["jwt"]["clientID"] = json!(bad)).validate_cel(), hint);
        refused(authorization(|s| s["expect"] = json!({"username": bad})).validate_cel(), hint);
        refused(publication(|s| s["permissionSet"] = json!({"name": bad})).validate_cel(), hint);
        refused(publication(|s| s["externalClientApp"] = json!({"name": bad})).validate_cel(), hint);
        refused(publication(|s| s["connectedApp"] = json!({"name": bad})).validate_cel(), hint);
        refused(target(|s| (s["label"], s["apiName"]) = (json!(bad), json!("updates"))).validate_cel(), hint);
    }
    target(|s| s["label"] = json!("Customer updates (EU)"))
        .validate_cel_update(&target(|_| {}))
        .expect_err("immutable");
    publication(|s| s["permissionSet"] = json!({"name": "Orders Access"})).validate_cel().expect("a blank within");
    publication(|s| s["connectedApp"] = json!({"name": "é"})).validate_cel().expect("one letter");
}
