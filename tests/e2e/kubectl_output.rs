//! What people read in a terminal. Run with --nocapture to see it.

use crate::harness::{CONNECTION, KUBECTL_PATIENCE, Scene, e2e};

async fn shown(scene: &Scene, arguments: &[&str]) -> String {
    let said = scene.kubectl(arguments, "").await;
    println!("$ kubectl {}\n{said}", arguments.join(" "));
    said
}

/// The words of the first line that contains all of these.
fn words(said: &str, pieces: &[&str]) -> Vec<String> {
    let line = said.lines().find(|line| pieces.iter().all(|piece| line.contains(piece)));
    let line = line.unwrap_or_else(|| panic!("no line with {pieces:?} in:\n{said}"));
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn kubectl_get_shows_columns() {
    e2e("columns", async |scene| {
        let _operator = scene.operator().await;
        scene.all_ready().await;
        let all = shown(scene, &["get", "applink", "-A"]).await;
        let connection = words(&all, &["columns ", "connection.applink.dev/production"]);
        assert_eq!(connection[2..6], ["True", "Connected", "productionOrg", "Salesforce"]);
        let addon = words(&all, &["columns ", "applinkaddon.applink.dev/orders"]);
        assert_eq!(addon[2..6], ["True", "AddonReady", "heroku-applink-cubed-1234", "orders-prod"]);

        let said = shown(scene, &["get", "alc"]).await;
        assert_eq!(words(&said, &["NAME"]), ["NAME", "READY", "STATUS", "CONNECTION", "PROVIDER", "AGE"]);
        let said = shown(scene, &["get", "alc", "-o", "wide"]).await;
        let wide = ["NAME", "READY", "STATUS", "CONNECTION", "PROVIDER", "AGE", "ID", "MESSAGE"];
        assert_eq!(words(&said, &["NAME"]), wide);
        assert!(words(&said, &[CONNECTION]).join(" ").ends_with("connection productionOrg is connected"), "{said}");
        let said = shown(scene, &["get", "ala"]).await;
        assert_eq!(words(&said, &["NAME"]), ["NAME", "READY", "STATUS", "ADD-ON", "APP", "AGE"]);
    });
}

#[test]
fn kubectl_wait_works_on_ready() {
    e2e("waiting", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()).await;
        let kinds = ["applinkaddon/orders", "connection/production"];
        let wait = ["wait", "--for=condition=Ready", kinds[0], kinds[1], KUBECTL_PATIENCE];
        let said = shown(scene, &wait).await;
        assert!(
            kinds.iter().all(|kind| said.contains(&format!("{} condition met", kind.replace('/', ".applink.dev/"))))
        );
        // A wait for a false condition fails.
        let (met, said) = scene.try_kubectl(&["wait", "--for=condition=Stalled", kinds[1], "--timeout=0s"], "").await;
        assert!(!met && said.contains("condition not met"), "{said}");
    });
}

#[test]
fn kubectl_explain_describes_every_field() {
    e2e("explaining", async |scene| {
        let said = shown(scene, &["explain", "connection.spec"]).await;
        for field in ["addonRef", "connectionName", "loginURL", "jwt", "oauth", "deletionPolicy", "suspend"] {
            assert!(said.contains(&format!("  {field}\t<")), "no {field} in:\n{said}");
        }
        for piece in ["3 to 30 characters. Immutable", "-required-", "enum: Full, Observe", "no browser"] {
            assert!(said.contains(piece), "no {piece:?} in:\n{said}");
        }
        let said = shown(scene, &["explain", "connection.spec.jwt"]).await;
        for field in ["clientID", "username", "privateKeySecretRef", "alias"] {
            assert!(said.contains(&format!("  {field}\t<")), "no {field} in:\n{said}");
        }
        let said = shown(scene, &["explain", "ala.spec.pollInterval"]).await;
        assert!(said.contains("10s to 1h"), "{said}");
    });
}

#[test]
fn kubectl_describe_shows_events() {
    e2e("describing", async |scene| {
        let _operator = scene.operator().await;
        scene.all_ready().await;
        scene.wait_event(CONNECTION, "Connected").await;
        let said = shown(scene, &["describe", "connection", CONNECTION]).await;
        let events = said.split_once("Events:").expect("Events").1;
        for piece in ["Normal", "Created", "created productionOrg in AppLink", "Connected", "applink-operator"] {
            assert!(events.contains(piece), "no {piece:?} in:\n{events}");
        }
    });
}
