//! A key is validated before anything is deleted for it, and recognised in every form.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::world::{HOUR, NS, SOON, World, digest, message, pem, progress};

/// A Ready connection and authorization that are replaced when their keys change.
async fn ready() -> World {
    let world = World::with_addon().await;
    let policy = json!({"replacePolicy": "DeleteAndRecreate", "loginURL": "https://test.salesforce.com"});
    world.connection_with("production", "productionOrg", policy.clone());
    world.api.apply(authorization(&policy));
    world.until("production", "True", "Connected").await;
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.forget_requests();
    world
}

fn put(world: &World, text: &str) {
    world.api.set_secret(NS, "sf-jwt", &[("server.key", text)]);
}

fn block(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

#[tokio::test(start_paused = true)]
async fn invalid_rsa_key_deletes_nothing() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key").to_pkcs8v1().expect("PKCS#8");
    let mut cut: Vec<_> = pem("good").lines().map(str::to_owned).collect();
    cut.drain(4..6);
    let bad = [
        block("EC PRIVATE KEY", "MHcCAQEEIA=="),
        block("PRIVATE KEY", &BASE64_STANDARD.encode(ec.as_ref())),
        block("PRIVATE KEY", "Z29vZA=="),
        cut.join("\n"),
        block("CERTIFICATE", "Z29vZA=="),
    ];
    let world = ready().await;
    for text in bad {
        put(&world, &text);
        let objects = [
            world.until("production", "False", "InvalidSecret").await,
            world.until_of("authorizations", AUTHORIZATION, SOON, ("False", "InvalidSecret")).await,
        ];
        for object in objects {
            assert_eq!(progress(&object), Some("Stalled"));
            assert!(message(&object).contains("Secret sf-jwt, key server.key"), "{}", message(&object));
        }
        world.pass(HOUR).await;
        assert_eq!(world.mutations(), 0, "{}", text.lines().next().unwrap_or_default());
        put(&world, &pem("good"));
        world.until("production", "True", "Connected").await;
    }
    assert_eq!((world.mutations(), world.remote().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn equivalent_inputs_replace_nothing() {
    let world = ready().await;
    let key = pem("good");
    let dresses = [
        key.replace('\n', " \n"),
        key.replace('\n', "\r\n"),
        format!("Bag Attributes\n    friendlyName: x\n{key}"),
        format!("{}{key}", block("CERTIFICATE", "Z29vZA==")),
    ];
    for dress in dresses {
        put(&world, &dress);
        world.pass(HOUR / 60).await;
    }
    for url in ["https://test.salesforce.com/", "https://TEST.salesforce.com", "https://test.salesforce.com:443"] {
        for (plural, name) in [("connections", "production"), ("authorizations", AUTHORIZATION)] {
            world.api.patch(plural, NS, name, json!({"spec": {"loginURL": url}}));
        }
        world.pass(HOUR / 60).await;
    }
    world.api.patch("connections", NS, "production", json!({"spec": {"jwt": {"username": "CI@Example.com"}}}));
    world.until("production", "True", "Connected").await;
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    assert_eq!(world.mutations(), 0);
    world.key("other");
    world.pass(SOON).await;
    world.until("production", "True", "Connected").await;
    assert_eq!(world.deletes(), 2, "another key is another one");
}

#[tokio::test(start_paused = true)]
async fn only_the_key_block_is_sent() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
    let certificate = block("CERTIFICATE", "Z29vZA==");
    put(&world, &format!("Bag Attributes\n    localKeyID: 01\n{certificate}{}{certificate}", pem("good")));
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn old_digest_format_is_upgraded() {
    let mut world = ready().await;
    world.take().kill().await;
    let current = world.get("production")["status"]["appliedHash"].clone();
    let parts =
        ["jwt", "https://test.salesforce.com", "3MVG9canary", "ci@example.com", "", &pem("good")].map(str::to_owned);
    let former = former_digest(&parts);
    world.api.patch("connections", NS, "production", json!({"status": {"appliedHash": former}}));
    world.api.clear_writes();
    world.start();
    world
        .until_as("connections", "production", SOON, |o| o.is_some_and(|o| o["status"]["appliedHash"] == current))
        .await;
    world.pass(HOUR).await;
    assert_eq!((world.mutations(), world.writes_to("production").len()), (0, 1));
}

/// The digest in the old format, over the raw inputs of the manifest and the Secret.
fn former_digest(parts: &[String]) -> String {
    use sha2::{Digest, Sha256};
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    let hex: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1:{hex}")
}

#[tokio::test(start_paused = true)]
async fn surrounding_blanks_are_trimmed() {
    let world = World::with_addon().await;
    let jwt = json!({
        "clientID": "3MVG9canary\n", "username": " ci@example.com ", "alias": "robot\n",
        "privateKeySecretRef": {"name": "sf-jwt", "key": "server.key"},
    });
    world.connection_with(
        "production",
        "productionOrg",
        json!({"jwt": jwt, "expect": {"username": "ci@example.com\n"}}),
    );
    world.until("production", "True", "Connected").await;
    let sent = world.only("productionOrg");
    let shown = format!("{:?}", sent.auth_method);
    assert!(
        shown.contains("\"ci@example.com\"") && shown.contains("\"3MVG9canary\"") && shown.contains("\"robot\""),
        "{shown}"
    );
}
