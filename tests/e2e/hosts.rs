//! Tokens go to allowed hosts only: others do not even get a connection.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::harness::{CONNECTION, Flags, condition_of, e2e, edit, text};

/// Listens for a token that must not come.
struct Eavesdropper(Vec<TcpListener>);

impl Eavesdropper {
    /// Listens on both loopback addresses if the machine has both, since `localhost` may mean either.
    fn new() -> Self {
        let first = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = first.local_addr().expect("its address").port();
        let listeners: Vec<_> =
            [Ok(first), TcpListener::bind(("::1", port))].into_iter().filter_map(Result::ok).collect();
        listeners.iter().for_each(|listener| listener.set_nonblocking(true).expect("not blocking"));
        Self(listeners)
    }

    fn port(&self) -> u16 {
        self.0[0].local_addr().expect("its address").port()
    }

    fn assert_alone(&self) {
        for listener in &self.0 {
            let refused = listener.accept().map(|(_, from)| from).expect_err("somebody connected").kind();
            assert_eq!(refused, ErrorKind::WouldBlock);
        }
    }
}

fn assert_names_the_flag(addon: &Value, host: &str) {
    let message = text(condition_of(addon, "Ready"), "/message");
    assert!(message.contains(&format!("--allowed-host {host}")), "{message}");
}

#[test]
fn disallowed_platform_url_gets_no_connection() {
    e2e("platform-host", async |scene| {
        let eavesdropper = Eavesdropper::new();
        let _operator = scene.operator_with(Flags { no_loopback: true, ..Flags::default() }).await;
        let mut manifests = scene.everything();
        manifests[2]["spec"]["platformURL"] = json!(format!("http://127.0.0.1:{}", eavesdropper.port()));
        scene.apply_all(&manifests).await;
        let seen = scene.unready("AppLinkAddon", "orders", "InvalidSpec", "Stalled").await;
        assert_names_the_flag(&seen, "127.0.0.1");
        scene.unready("Connection", CONNECTION, "AddonNotReady", "Reconciling").await;

        // Neither a request nor a new token changes that.
        scene.apply(&crate::harness::secret("heroku-api", "token", "HRKU-another")).await;
        let asked = json!({"metadata": {"annotations": {"applink.dev/requestedAt": "now"}}});
        scene.change("AppLinkAddon", "orders", asked).await;
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == "now";
        let seen = scene.wait("AppLinkAddon", "orders", "has handled the request", handled).await;
        assert_names_the_flag(&seen, "127.0.0.1");
        eavesdropper.assert_alone();
    });
}

#[test]
fn addon_moved_to_disallowed_host_is_not_polled() {
    e2e("turned-host", async |scene| {
        let eavesdropper = Eavesdropper::new();
        let _operator = scene.operator().await;
        scene.all_ready().await;
        let turned = edit(scene.addon(), |addon| {
            addon["spec"]["platformURL"] = json!(format!("http://localhost:{}", eavesdropper.port()));
        });
        scene.apply(&turned).await;
        let seen = scene.unready("AppLinkAddon", "orders", "InvalidSpec", "Stalled").await;
        assert_names_the_flag(&seen, "localhost");
        eavesdropper.assert_alone();
    });
}

#[test]
fn disallowed_api_url_gets_no_connection() {
    e2e("api-host", async |scene| {
        let eavesdropper = Eavesdropper::new();
        let origin = format!("http://localhost:{}", eavesdropper.port());
        scene.simulator.settings(json!({"apiOrigin": origin})).await;
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()).await;
        let seen = scene.unready("AppLinkAddon", "orders", "InvalidSpec", "Stalled").await;
        assert_names_the_flag(&seen, "localhost");
        scene.unready("Connection", CONNECTION, "AddonNotReady", "Reconciling").await;
        eavesdropper.assert_alone();
    });
}

#[test]
fn redirect_is_not_followed_with_a_token() {
    e2e("redirect", async |scene| {
        let eavesdropper = Eavesdropper::new();
        let location = format!("http://127.0.0.1:{}/stolen", eavesdropper.port());
        let redirect = json!({"code": 307, "headers": {"Location": location}});
        scene.simulator.fault(json!({"what": {"status": redirect}})).await;
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()).await;
        scene.unready("AppLinkAddon", "orders", "RemoteUnavailable", "Reconciling").await;
        eavesdropper.assert_alone();
        scene.simulator.clear_faults().await;
        scene.ready("Connection", CONNECTION).await;
        eavesdropper.assert_alone();
    });
}
