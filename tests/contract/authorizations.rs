//! Authorizations and the credentials that they give, in every spelling.

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
async fn an_authorization_is_the_same_fact_in_every_spelling() {
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
                let told = bench.link.read_credentials("batchUser", &id).await.unwrap();
                let version = |org: &applink_operator::facts::Org| org.api_version.clone();
                assert_eq!((&told.org.id, version(&told.org)), (&got.org.id, version(&got.org)));
                assert!(told.org.instance_url.as_deref().unwrap().starts_with("https://"));
                let mut org = told.org;
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
async fn credentials_are_read_without_sso_and_show_no_token() {
    for dialect in DIALECTS {
        let bench = bench(json!({"dialect": dialect, "connectSeconds": 0})).await;
        let id = made(&bench).await.id;
        let before = platform_calls(&bench);
        let told = bench.link.read_credentials("batchUser", &id).await.unwrap();
        let token = told.access_token.expose_secret();
        assert!(!token.is_empty() && !format!("{told:?}").contains(token), "{told:?}");
        assert_eq!(platform_calls(&bench), before, "the credential costs none of those");
    }
}

#[tokio::test]
async fn a_service_that_wants_sso_for_credentials_too_gets_it() {
    let bench = bench(json!({"ssoCheck": "always", "connectSeconds": 0})).await;
    let id = made(&bench).await.id;
    assert!(bench.link.read_credentials("batchUser", &id).await.is_ok());
}

#[tokio::test]
async fn credentials_of_what_is_not_authorized_or_another_are_none() {
    let bench = bench(json!({"connectSeconds": 600})).await;
    let id = made(&bench).await.id;
    let error = bench.link.read_credentials("batchUser", &id).await.unwrap_err();
    assert!(matches!(error, RemoteError::AppLink(CallError::Unreadable { .. })), "{error}");
    assert!(bench.link.read_credentials("batchUser", "another").await.is_err());
    let error = bench.link.read_credentials("nobody", &id).await.unwrap_err();
    assert_eq!(status_of(&error), Some(404));
}

#[tokio::test]
async fn a_link_to_authorize_by_is_told_by_the_answer_to_the_post() {
    for provider in [Provider::Salesforce, Provider::DataCloud] {
        let bench = bench(json!({})).await;
        let login_url = "https://login.salesforce.com";
        let new = NewOrgAccess { name: "batchUser", provider, login_url, jwt: None };
        let made = bench.link.create_org_access(AUTHORIZATION, &new).await.unwrap();
        assert!(made.link.is_some() && !format!("{made:?}").contains("consent"), "{made:?}");
        assert_eq!((made.phase, made.provider), (Phase::Pending, Some(provider)));
    }
}
