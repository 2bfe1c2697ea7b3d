//! Authorizations and their credentials in every spelling.

use applink_operator::facts::RemoteOrgAccess;
use secrecy::ExposeSecret;

use super::*;

const AUTHORIZATION: OrgAccessKind = OrgAccessKind::Authorization;
const DIALECTS: [&str; 3] = ["reference", "cli", "mixed"];

async fn made(bench: &Bench) -> RemoteOrgAccess {
    bench.link.create_org_access(AUTHORIZATION, &new("batchUser")).await.unwrap()
}

fn platform_calls(bench: &Bench) -> usize {
    bench.simulator.requests(|log| log.count(|r| !r.path.starts_with("/addons/")))
}

#[tokio::test]
async fn authorization_decodes_equally_in_every_dialect() {
    let mut orgs = Vec::new();
    for dialect in DIALECTS {
        for get_one in ["object", "array"] {
            for (words, key) in [("current", "status"), ("pilot", "state"), ("capitalised", "status")] {
                let bench = bench(json!({
                    "dialect": dialect, "getOne": get_one, "statusWords": words, "statusKey": key, "connectSeconds": 0,
                    "disconnectSeconds": 0,
                }))
                .await;
                let id = made(&bench).await.id;
                let listed = bench.link.list_org_access(AUTHORIZATION).await.unwrap();
                assert!(listed.whole && bench.link.list_org_access(CONNECTION).await.unwrap().items.is_empty());
                assert_eq!((&listed.items[0].id, listed.items[0].name.as_deref()), (&id, Some("batchUser")));
                let got = bench.link.get_org_access(AUTHORIZATION, &id).await.unwrap().unwrap();
                assert_eq!(got.phase, Phase::Ready, "{dialect} {words}: {got:?}");
                let credentials = bench.link.read_credentials("batchUser", &id).await.unwrap();
                let version = |org: &applink_operator::facts::Org| org.api_version.clone();
                assert_eq!((&credentials.org.id, version(&credentials.org)), (&got.org.id, version(&got.org)));
                assert!(credentials.org.instance_url.as_deref().unwrap().starts_with("https://"));
                let mut org = credentials.org;
                org.api_version = None;
                orgs.push(org);
                bench.link.delete_org_access(AUTHORIZATION, &id).await.unwrap();
                assert_eq!(bench.link.get_org_access(AUTHORIZATION, &id).await.unwrap(), None);
                assert!(bench.link.read_credentials("batchUser", &id).await.is_err());
            }
        }
    }
    assert!(orgs.windows(2).all(|pair| pair[0] == pair[1]), "{orgs:#?}");
}

#[tokio::test]
async fn credentials_are_read_without_sso() {
    for dialect in DIALECTS {
        let bench = bench(json!({"dialect": dialect, "connectSeconds": 0})).await;
        let id = made(&bench).await.id;
        let before = platform_calls(&bench);
        let credentials = bench.link.read_credentials("batchUser", &id).await.unwrap();
        let token = credentials.access_token.expose_secret();
        assert!(!token.is_empty() && !format!("{credentials:?}").contains(token), "{credentials:?}");
        assert_eq!(platform_calls(&bench), before, "reads of credentials need none of those");
    }
}

#[tokio::test]
async fn credentials_are_read_with_sso_if_required() {
    let bench = bench(json!({"ssoCheck": "always", "connectSeconds": 0})).await;
    let id = made(&bench).await.id;
    assert!(bench.link.read_credentials("batchUser", &id).await.is_ok());
}

#[tokio::test]
async fn credentials_need_the_authorized_status_and_the_id() {
    let bench = bench(json!({"connectSeconds": 600})).await;
    let id = made(&bench).await.id;
    let error = bench.link.read_credentials("batchUser", &id).await.unwrap_err();
    assert!(matches!(error, RemoteError::AppLink(CallError::Unreadable { .. })), "{error}");
    assert!(bench.link.read_credentials("batchUser", "another").await.is_err());
    let error = bench.link.read_credentials("nobody", &id).await.unwrap_err();
    assert_eq!(status_of(&error), Some(404));
}

#[tokio::test]
async fn authorization_link_is_read_from_the_create_response() {
    for provider in [Provider::Salesforce, Provider::DataCloud] {
        let bench = bench(json!({})).await;
        let login_url = "https://login.salesforce.com";
        let new = NewOrgAccess { name: "batchUser", provider, login_url, jwt: None };
        let made = bench.link.create_org_access(AUTHORIZATION, &new).await.unwrap();
        assert!(made.link.is_some() && !format!("{made:?}").contains("consent"), "{made:?}");
        assert_eq!((made.phase, made.provider), (Phase::Pending, Some(provider)));
    }
}
