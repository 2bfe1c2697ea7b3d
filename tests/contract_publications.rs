//! The endpoints of publications and the body of a publish call, against the simulator on a socket.
//!
//! Knows nothing of Kubernetes. Uses real sockets and real time.

use std::sync::Arc;

use applink_operator::applink::{AppLink, Upload};
use applink_operator::budget::Budgets;
use applink_operator::clock::Clock;
use applink_operator::crd::AppLinkAddonStatus;
use applink_operator::document::archive::{Contents, archive};
use applink_operator::document::openapi::Document;
use applink_operator::facts::RemotePublication;
use applink_operator::heroku::{AddonResolver, AddonSelector, RemoteError};
use applink_operator::metrics::Metrics;
use applink_operator::transport::{AllowedHosts, Http, network};
use applink_simulator::{
    AuthMethod, Collection, Edition, NewOrgAccess, NewPublication, Org, Planted, Provider, Seed, Settings, Simulator,
    Status,
};
use axum::Router;
use axum::extract::Request;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

const SPEC: &str = "openapi: 3.0.3\ninfo: {title: Orders, version: '1'}\npaths: {}\n";
const ANOTHER_APP: Uuid = Uuid::from_u128(42);

struct Bench {
    simulator: Simulator,
    link: AppLink,
    connection: Uuid,
}

/// A simulator with these settings and a Salesforce connection.
async fn bench(settings: Value) -> Bench {
    let settings = Settings::default().merged(settings.as_object().expect("an object").clone()).expect("settings");
    let simulator = Simulator::new(Seed { settings, ..Seed::default() });
    let connection = simulator.world(|world| world.plant(planted(), simulator.now()));
    let url = serve(simulator.router()).await;
    Bench { link: link(url), simulator, connection }
}

fn planted() -> Planted {
    let new = NewOrgAccess {
        collection: Collection::Connections,
        addon: Seed::ADDON_ID,
        app: Seed::APP_ID,
        name: "productionOrg".to_owned(),
        provider: Provider::Salesforce,
        login_url: "https://login.salesforce.com".parse().expect("a URL"),
        auth_method: AuthMethod::Jwt {
            alias: "alias".to_owned(),
            client_id: "3MVG9".to_owned(),
            username: "ci@example.com".to_owned(),
            key_digest: None,
        },
    };
    Planted { new, status: Status::Connected, error: None, org: Some(Org::of("ci@example.com")), created_by: None }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn link(platform_url: String) -> AppLink {
    // Another test may have installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let hosts = AllowedHosts::new(&["127.0.0.1".to_owned()]).expect("a pattern");
    let http = Http::new(network().expect("TLS"), hosts, Budgets::default(), Clock::system(), Metrics::default());
    let token = Seed::HEROKU_TOKEN.to_owned().into();
    let target = AddonSelector { platform_url, app: Seed::APP_NAME.into(), addon: None, token };
    AppLink::new(Arc::new(AddonResolver::new(http, Clock::system(), target, AppLinkAddonStatus::default())))
}

/// An upload with all names and files.
fn upload(archive: &[u8]) -> Upload<'_> {
    Upload {
        archive,
        client_name: "OrdersAPI",
        permission_set: Some("OrdersAccess"),
        external_client_app: Some("OrdersECA"),
        connected_app: Some("OrdersApp"),
    }
}

/// An archive of the document, with or without metadata.
fn packed(with_metadata: bool) -> Vec<u8> {
    let document = Document::read(SPEC.as_bytes(), Some("openapi.yaml")).expect("a document");
    document.validate().expect("OpenAPI");
    let (app, set) = (b"<ConnectedApp/>".as_slice(), b"<PermissionSet/>".as_slice());
    let (connected_app, permission_set) = (with_metadata.then_some(app), with_metadata.then_some(set));
    archive(&Contents { document: &document, connected_app, permission_set }).expect("an archive")
}

impl Bench {
    async fn list(&self) -> Vec<RemotePublication> {
        let listing = self.link.list_publications(&self.connection.to_string()).await.expect("a list");
        assert!(listing.whole);
        listing.items
    }

    async fn publish(&self) -> Result<(), RemoteError> {
        let archive = packed(false);
        self.link.publish(&self.connection.to_string(), &upload(&archive)).await
    }

    fn published(&self) -> Vec<Edition> {
        let now = self.simulator.now();
        self.simulator.world(|world| world.publications(now).map(|(_, edition)| edition.clone()).collect())
    }
}

#[tokio::test]
async fn publication_decodes_equally_in_every_dialect() {
    for dialect in ["reference", "cli", "mixed"] {
        for (answer, delete, unknown) in [
            ("idObject", "okEmpty", "empty"),
            ("array", "noContent", "notFound"),
            ("emptyArray", "accepted", "empty"),
            ("empty", "emptyObject", "notFound"),
        ] {
            let switches = json!({"publishAnswer": answer, "unpublishAnswer": delete, "listUnknownApp": unknown});
            let bench = bench(json!({"dialect": dialect, "publications": switches})).await;
            let case = format!("{dialect} {switches}");
            assert_eq!(bench.list().await, [], "{case}");
            bench.publish().await.expect("published");
            let found = bench.list().await;
            let editions = bench.published();
            assert_eq!((found.len(), editions.len()), (1, 1), "{case}");
            assert_eq!(found[0].id, Seed::APP_ID.to_string(), "{case}");
            assert_eq!(found[0].external_service_id.as_ref(), Some(&editions[0].external_service_id), "{case}");
            assert_eq!(found[0].external_service_name.as_deref(), Some("OrdersAPI"), "{case}");
            assert!(found[0].modified_at.is_some() && found[0].org_id.is_some(), "{case}");
            for _ in 0..2 {
                bench.link.delete_publication(&bench.connection.to_string()).await.expect("404 counts as deleted");
            }
            assert_eq!(bench.list().await, [], "{case}");
        }
    }
}

#[tokio::test]
async fn publication_decodes_equally_in_mixed_dialects() {
    for before in 0..4 {
        let bench = bench(json!({"dialect": "mixed"})).await;
        for other in 0..before {
            let (app, now) = (Uuid::from_u128(100 + other), bench.simulator.now());
            let new = NewPublication { connection: bench.connection, app, upload: Default::default() };
            bench.simulator.world(|world| world.plant_publication(new, "else@example.com", now)).expect("a connection");
        }
        bench.publish().await.expect("published");
        let found = bench.list().await;
        assert_eq!((found.len(), found[0].id.as_str()), (1, Seed::APP_ID.to_string().as_str()), "{before}");
        assert_eq!(found[0].external_service_name.as_deref(), Some("OrdersAPI"), "{before}");
        assert!(found[0].external_service_id.is_some() && found[0].org_id.is_some(), "{before}");
        assert!(found[0].modified_at.as_ref().is_some_and(|stamp| !stamp.contains('.')), "{before}");
    }
}

#[tokio::test]
async fn publish_sends_all_declared_fields() {
    let bench = bench(json!({})).await;
    bench.publish().await.expect("published");
    let upload = bench.published().remove(0).upload;
    assert_eq!(upload.client_name, "OrdersAPI");
    assert_eq!(upload.permission_set.as_deref(), Some("OrdersAccess"));
    assert_eq!(upload.external_client_app.as_deref(), Some("OrdersECA"));
    assert_eq!(upload.connected_app.as_deref(), Some("OrdersApp"));
    let archive = packed(true);
    let plain = Upload { permission_set: None, connected_app: None, ..self::upload(&archive) };
    bench.link.publish(&bench.connection.to_string(), &plain).await.expect("published again");
    let entries = bench.published().remove(0).upload.archive.entries;
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["api-spec.yaml", "connectedapp-meta.xml", "permissionset-meta.xml"]);
}

#[tokio::test]
async fn publication_of_another_app_is_ignored() {
    let bench = bench(json!({})).await;
    let new = NewPublication { connection: bench.connection, app: ANOTHER_APP, upload: Default::default() };
    let now = bench.simulator.now();
    bench.simulator.world(|world| world.plant_publication(new, "else@example.com", now)).expect("a connection");
    assert_eq!(bench.list().await, []);
    bench.link.delete_publication(&bench.connection.to_string()).await.expect("none of ours exists");
    assert_eq!(bench.published().len(), 1);
}

#[tokio::test]
async fn refusals_are_classified_with_a_message() {
    for (republish, code) in [("conflict", 409), ("unprocessable", 422)] {
        let bench = bench(json!({"publications": {"republish": republish}})).await;
        bench.publish().await.expect("the first");
        let error = bench.publish().await.expect_err("the second");
        let RemoteError::AppLink(call) = &error else { panic!("{error}") };
        assert_eq!(call.status().map(|status| status.as_u16()), Some(code));
        assert!(!call.may_have_worked());
        let message = format!("{error} {error:?}");
        assert!(!message.contains(Seed::ADDON_TOKEN) && !message.contains(Seed::HEROKU_TOKEN), "{message}");
    }
}

#[tokio::test]
async fn publish_call_equals_that_of_the_cli() {
    let bench = bench(json!({})).await;
    let (seen, mut requests) = mpsc::unbounded_channel();
    let recorder = axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            seen.send((head.clone(), body.clone())).expect("the test listens");
            next.run(Request::from_parts(head, body.into())).await
        }
    });
    // The add-on's URL leads to the recorder, too, because the simulator returns the origin of the request.
    let link = link(serve(bench.simulator.router().layer(recorder)).await);
    let archive = packed(false);
    let plain = Upload { permission_set: None, external_client_app: None, connected_app: None, ..upload(&archive) };
    link.publish(&bench.connection.to_string(), &plain).await.expect("published");
    let mut publish = None;
    while let Ok((head, body)) = requests.try_recv() {
        publish = (head.method == http::Method::POST).then_some((head, body)).or(publish);
    }
    let (head, body) = publish.expect("a POST");
    let path = format!("/addons/{}/connections/salesforce/{}/apps", Seed::ADDON_ID, bench.connection);
    assert_eq!(head.uri.path(), path);
    assert_eq!(head.headers["x-app-uuid"], Seed::APP_ID.to_string().as_str());
    assert_eq!(head.headers["accept"], "application/json");
    let kind = head.headers["content-type"].to_str().expect("text");
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("a form");
    let text = String::from_utf8_lossy(&body);
    let parts: Vec<_> = text.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "", "--\r\n"));
    let disposition =
        |name: &str| format!("\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"blob\"\r\n");
    let metadata = disposition("metadata") + "Content-Type: application/zip\r\n\r\nPK";
    assert!(parts[1].starts_with(&metadata), "{}", &parts[1][..200]);
    let request =
        disposition("app_request") + "Content-Type: application/json\r\n\r\n{\"client_name\":\"OrdersAPI\"}\r\n";
    assert_eq!(parts[2], request);
}
