//! The API clients against the simulator on a socket: every spelling decodes to the same facts, and every error is
//! classified.
//!
//! Knows nothing of Kubernetes. Uses real sockets and real time.

#[path = "contract/authorizations.rs"]
mod authorizations;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use applink_operator::applink::{AppLink, NewJwt, NewOrgAccess};
use applink_operator::budget::Budgets;
use applink_operator::clock::Clock;
use applink_operator::crd::AppLinkAddonStatus;
use applink_operator::facts::{AuthMethod, OrgAccessKind, Phase, Provider};
use applink_operator::heroku::{AddonResolver, AddonSelector, RemoteError};
use applink_operator::metrics::Metrics;
use applink_operator::transport::{AllowedHosts, CallError, Http, TransportError, network};
use applink_simulator::{AddonState, Fault, Seed, Settings, Simulator, What, Where};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nQ0FOQVJZLUtFWQ==\n-----END PRIVATE KEY-----\n";

struct Bench {
    simulator: Simulator,
    link: AppLink,
}

async fn bench(settings: Value) -> Bench {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let settings: Map<String, Value> = settings.as_object().cloned().unwrap_or_default();
    let seed = Seed { settings: Settings::default().merged(settings).unwrap(), ..Seed::default() };
    let simulator = Simulator::new(seed);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = simulator.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    Bench { simulator, link: link(url, &["127.0.0.1"], Seed::HEROKU_TOKEN) }
}

fn link(platform_url: String, hosts: &[&str], token: &str) -> AppLink {
    let hosts = AllowedHosts::new(&hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let http = Http::new(network().unwrap(), hosts, Budgets::default(), Clock::system(), Metrics::default());
    let target =
        AddonSelector { platform_url, app: Seed::APP_NAME.into(), addon: None, token: token.to_owned().into() };
    AppLink::new(Arc::new(AddonResolver::new(http, Clock::system(), target, AppLinkAddonStatus::default())))
}

static KEY: LazyLock<SecretString> = LazyLock::new(|| PEM.to_owned().into());

const CONNECTION: OrgAccessKind = OrgAccessKind::Connection;

fn new(name: &str) -> NewOrgAccess<'_> {
    let jwt = NewJwt { alias: "alias", client_id: "3MVG9", username: "ci@example.com", private_key: &KEY };
    let login_url = "https://login.salesforce.com";
    NewOrgAccess { name, provider: Provider::Salesforce, login_url, jwt: Some(jwt) }
}

fn status_of(error: &RemoteError) -> Option<u16> {
    match error {
        RemoteError::AppLink(call) => call.status().map(|s| s.as_u16()),
        _ => None,
    }
}

#[tokio::test]
async fn consent_link_is_read_from_the_create_response() {
    for provider in [Provider::Salesforce, Provider::DataCloud] {
        for (dialect, served, again) in
            [("cli", "always", true), ("reference", "once", false), ("mixed", "once", false)]
        {
            let bench = bench(json!({"dialect": dialect, "linkServed": served})).await;
            let login_url = "https://test.salesforce.com";
            let new = NewOrgAccess { name: "productionOrg", provider, login_url, jwt: None };
            let made = bench.link.create_org_access(CONNECTION, &new).await.unwrap();
            let link = made.link.clone().expect("a link");
            assert!(link.expose().starts_with("http") && !format!("{made:?}").contains("consent"), "{made:?}");
            assert_eq!((made.phase, made.provider), (Phase::Pending, Some(provider)));
            let read = bench.link.get_org_access(CONNECTION, &made.id).await.unwrap().expect("it exists");
            assert_eq!(read.link == Some(link), again, "{dialect}");
            assert_eq!(read.org.id, None, "nobody has consented");
        }
    }
}

#[tokio::test]
async fn connection_decodes_equally_in_every_dialect() {
    let mut orgs = Vec::new();
    for dialect in ["reference", "cli", "mixed"] {
        for get_one in ["object", "array"] {
            for (delete_answer, get_unknown) in
                [("accepted", "notFound"), ("noContent", "emptyList"), ("emptyObject", "notFound")]
            {
                let bench = bench(json!({
                    "dialect": dialect, "getOne": get_one, "getUnknown": get_unknown, "deleteAnswer": delete_answer,
                    "connectSeconds": 0, "disconnectSeconds": 0,
                }))
                .await;
                let id = bench.link.create_org_access(CONNECTION, &new("productionOrg")).await.unwrap().id;
                let listed = bench.link.list_org_access(CONNECTION).await.unwrap();
                assert!(listed.whole);
                assert_eq!(listed.items.len(), 1);
                assert_eq!((&listed.items[0].id, listed.items[0].name.as_deref()), (&id, Some("productionOrg")));
                let got = bench.link.get_org_access(CONNECTION, &id).await.unwrap().unwrap();
                assert_eq!(got.phase, Phase::Ready);
                assert!(got.method.is_none_or(|m| m == AuthMethod::Jwt));
                // The dialects are of two releases, and so differ in the API version.
                let mut org = got.org;
                let version = org.api_version.take().unwrap();
                assert!(version.ends_with(".0") && !version.starts_with('v'), "{version}");
                orgs.push(org);
                bench.link.delete_org_access(CONNECTION, &id).await.unwrap();
                assert_eq!(bench.link.get_org_access(CONNECTION, &id).await.unwrap(), None, "{dialect} {get_unknown}");
                bench.link.delete_org_access(CONNECTION, &id).await.unwrap();
            }
        }
    }
    assert!(orgs.windows(2).all(|pair| pair[0] == pair[1]), "{orgs:#?}");
}

#[tokio::test]
async fn object_decodes_equally_in_mixed_dialects() {
    for kind in [CONNECTION, OrgAccessKind::Authorization] {
        let bench = bench(json!({"dialect": "mixed", "connectSeconds": 0})).await;
        let mut ids = Vec::new();
        for name in ["someKeys", "allKeys", "likeTheArticle", "likeThePlugin"] {
            ids.push(bench.link.create_org_access(kind, &new(name)).await.unwrap().id);
        }
        let listed = bench.link.list_org_access(kind).await.unwrap();
        assert!(listed.whole);
        let mut orgs = Vec::new();
        for (one, id) in listed.items.iter().zip(&ids) {
            let got = bench.link.get_org_access(kind, id).await.unwrap().unwrap();
            assert_eq!((&one.id, one.phase, got.phase), (id, Phase::Ready, Phase::Ready));
            assert_eq!((&one.name, &one.org), (&got.name, &got.org));
            let stamp = got.created_at.unwrap();
            assert!(!stamp.contains('.') && stamp.parse::<jiff::Timestamp>().is_ok(), "{stamp}");
            let mut org = got.org;
            org.api_version = None;
            orgs.push(org);
        }
        assert_eq!(orgs.len(), 4);
        assert!(orgs[0].username.is_some() && orgs.windows(2).all(|pair| pair[0] == pair[1]), "{orgs:#?}");
    }
}

#[tokio::test]
async fn delete_without_body_leaves_the_object_absent() {
    for kind in [CONNECTION, OrgAccessKind::Authorization] {
        let bench = bench(json!({"dialect": "reference", "connectSeconds": 0, "keepDisconnected": true})).await;
        let id = bench.link.create_org_access(kind, &new("productionOrg")).await.unwrap().id;
        bench.link.delete_org_access(kind, &id).await.unwrap();
        assert_eq!(bench.link.get_org_access(kind, &id).await.unwrap().unwrap().phase, Phase::Deleted);
        assert_eq!(bench.link.list_org_access(kind).await.unwrap().items[0].phase, Phase::Deleted);
    }
}

#[tokio::test]
async fn every_error_says_whether_the_call_may_have_worked() {
    let table = [
        (Fault::status(Where::Before, 503), true, Some(503)),
        (Fault::status(Where::Before, 422), false, Some(422)),
        (Fault::status(Where::Before, 429), false, Some(429)),
        (Fault::new(Where::Before, What::Reset), true, None),
        (Fault::new(Where::After, What::Reset), true, None),
        (Fault::new(Where::After, What::Truncate), true, None),
    ];
    for (fault, may_have_worked, status) in table {
        let bench = bench(json!({})).await;
        let committed = bench.link.list_org_access(CONNECTION).await.unwrap().items.len();
        assert_eq!(committed, 0);
        let text = format!("{fault:?}");
        bench.simulator.faults(|faults| faults.add(fault.method("POST"))).unwrap();
        let error = bench.link.create_org_access(CONNECTION, &new("productionOrg")).await.unwrap_err();
        let RemoteError::AppLink(call) = &error else { panic!("{error}") };
        assert_eq!((call.may_have_worked(), status_of(&error)), (may_have_worked, status), "{text}: {call}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    }
}

#[tokio::test]
async fn refused_connection_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let error = link(url, &["127.0.0.1"], "t").list_org_access(CONNECTION).await.unwrap_err();
    let unsent = matches!(&error, RemoteError::Heroku(CallError::Transport { cause: TransportError::Unsent(_), .. }));
    assert!(unsent, "{error}");
}

#[tokio::test]
async fn echoed_request_is_redacted_from_errors() {
    let bench = bench(json!({})).await;
    let body = json!({"id": "validation_failed", "message": format!("you sent {PEM} and {}", Seed::ADDON_TOKEN)});
    let what = What::Status { code: 422, headers: Default::default(), body: Some(body) };
    bench.simulator.faults(|faults| faults.add(Fault::new(Where::Before, what).method("POST"))).unwrap();
    let error = bench.link.create_org_access(CONNECTION, &new("productionOrg")).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("validation_failed: you sent <secret> and <secret>"), "{text}");
    assert!(!text.contains("Q0FOQVJZ") && !text.contains(Seed::ADDON_TOKEN));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let bench = bench(json!({})).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/stolen", elsewhere.local_addr().unwrap());
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    tokio::spawn(async move {
        while elsewhere.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let headers = [("location".to_owned(), target)].into_iter().collect();
    let what = What::Status { code: 307, headers, body: None };
    bench.simulator.faults(|faults| faults.add(Fault::new(Where::Before, what))).unwrap();
    let error = bench.link.list_org_access(CONNECTION).await.unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn ambiguous_addon_is_an_error() {
    let bench = bench(json!({})).await;
    let second = bench.simulator.world(|world| {
        let mut second = world.addon(Seed::ADDON_NAME).unwrap().clone();
        (second.id, second.name) = (uuid::Uuid::new_v4(), "heroku-applink-round-5678".into());
        second.attachments.iter_mut().for_each(|a| a.name = "HEROKU_APPLINK_COBALT".into());
        world.add_addon(second)
    });
    second.unwrap();
    let error = bench.link.list_org_access(CONNECTION).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RemoteError::Several { .. }), "{text}");
    assert!(
        text.contains(Seed::ADDON_NAME) && text.contains("heroku-applink-round-5678") && text.contains("spec.addon")
    );
}

#[tokio::test]
async fn provisioning_addon_is_waited_for() {
    let bench = bench(json!({})).await;
    bench.simulator.world(|world| world.addon_mut(Seed::ADDON_NAME).unwrap().state = AddonState::Provisioning);
    let error = bench.link.list_org_access(CONNECTION).await.unwrap_err();
    assert!(matches!(error, RemoteError::Provisioning(_)), "{error}");
}

#[tokio::test]
async fn refused_token_is_reported_as_such() {
    let bench = bench(json!({})).await;
    let url = bench.link.resolver().selector().platform_url.clone();
    let error = link(url, &["127.0.0.1"], "HRKU-CANARY").list_org_access(CONNECTION).await.unwrap_err();
    let RemoteError::Heroku(call) = &error else { panic!("{error}") };
    assert!(call.refuses_token());
    assert!(!format!("{error:?}").contains("CANARY"));
}

#[tokio::test]
async fn either_sso_variant_works_and_is_cached() {
    for refused in [json!(null), json!("3.sdk"), json!("3.add-ons-sso")] {
        let bench = bench(json!({"refusedSsoVariant": refused})).await;
        for _ in 0..5 {
            bench.link.list_org_access(CONNECTION).await.unwrap();
        }
        let fetched = bench
            .simulator
            .requests(|log| log.count(|r| r.path.ends_with("/sso") && r.status == Some(http::StatusCode::OK)));
        assert_eq!(fetched, 1);
    }
}

#[tokio::test]
async fn debug_output_shows_no_secret() {
    let bench = bench(json!({})).await;
    bench.link.list_org_access(CONNECTION).await.unwrap();
    let text = format!("{:?} {:?} {:?}", bench.link, bench.link.resolve().await.unwrap(), new("x"));
    for secret in [Seed::HEROKU_TOKEN, Seed::ADDON_TOKEN, "Q0FOQVJZ"] {
        assert!(!text.contains(secret), "{text}");
    }
}
