//! The consent page, opened like in a browser, and the responses that have its link.

use super::*;
use crate::{Fault, Where};

const ALLOW: &str = "username=me%40example.com&org_id=00DSG00000DGEIr2AP&decision=allow";
const DENY: &str = "username=&org_id=&decision=deny";

/// What a browser gets: the link is all that it has.
async fn browse(bench: &Bench, link: &str, form: Option<&str>) -> (u16, String) {
    let request = match form {
        Some(form) => Request::post(link)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned())),
        None => Request::get(link).body(Body::empty()),
    };
    let answer = bench.simulator.router().oneshot(request.expect("a request")).await.expect("infallible");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let status = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    (status, String::from_utf8(bytes.into()).expect("text"))
}

/// An OAuth connection, as the POST answers it.
async fn post(bench: &Bench, name: &str) -> Value {
    let body = json!({"connection_name": name, "login_url": "https://test.salesforce.com/?a=<b>&c"});
    let reply = bench.applink("POST", "/connections/datacloud", Some(body)).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    reply.body
}

async fn link(bench: &Bench) -> String {
    post(bench, "prod").await["redirect_uri"].as_str().expect("a link").to_owned()
}

#[tokio::test]
async fn the_page_describes_the_request_and_escapes_names() {
    let bench = Bench::new().await;
    bench.simulator.world(|world| {
        world.addon_mut(Seed::ADDON_NAME).expect("it is there").name = "<script>\"x\"&'y'".to_owned();
    });
    let link = link(&bench).await;
    for _ in 0..2 {
        let (status, page) = browse(&bench, &link, None).await;
        assert_eq!(status, 200);
        for part in [
            "orders-prod",
            "<dd>prod</dd>",
            "<dd>Data Cloud</dd>",
            "https://test.salesforce.com/?a=%3Cb%3E&amp;c",
            "&lt;script&gt;&quot;x&quot;&amp;&#39;y&#39;",
            "<label for=\"username\">",
            "<label for=\"org_id\">",
            "value=\"admin@example.com\"",
            "value=\"allow\"",
            "value=\"deny\"",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("<script"), "{page}");
    }
    assert_eq!(bench.list().await[0]["status"], "connecting");
}

#[tokio::test]
async fn allow_connects_with_the_entered_user_and_org() {
    let bench = Bench::new().await;
    let link = link(&bench).await;
    let (status, page) = browse(&bench, &link, Some(ALLOW)).await;
    assert!(status == 200 && page.contains("as me@example.com of the organization 00DSG00000DGEIr2AP"), "{page}");
    let listed = &bench.list().await[0];
    assert_eq!(listed["status"], "connected");
    assert_eq!(
        (&listed["org"]["username"], &listed["org"]["id"]),
        (&json!("me@example.com"), &json!("00DSG00000DGEIr2AP"))
    );
    // The second answer comes too late, whatever it is.
    for form in [None, Some(ALLOW), Some(DENY)] {
        assert_eq!(browse(&bench, &link, form).await.0, 409);
    }
    assert_eq!(&bench.list().await[0], listed);
}

#[tokio::test]
async fn deny_fails_the_connection() {
    let bench = Bench::new().await;
    let link = link(&bench).await;
    let (status, page) = browse(&bench, &link, Some(DENY)).await;
    assert!(status == 200 && page.contains("Access denied"), "{page}");
    let listed = &bench.list().await[0];
    assert_eq!((&listed["status"], &listed["error"]["id"]), (&json!("failed"), &json!("org_connection_failed")));
    assert_eq!(browse(&bench, &link, Some(ALLOW)).await.0, 409);
}

#[tokio::test]
async fn an_incomplete_form_is_shown_again_with_its_mistake() {
    let bench = Bench::new().await;
    let link = link(&bench).await;
    for (form, told) in [
        ("username=&org_id=00DSG00000DGEIr2AP&decision=allow", "username must not be empty"),
        ("username=%3Ci%3E&org_id=00D&decision=allow", "15 or 18"),
        ("username=me&org_id=00DSG00000DGEI%27&decision=allow", "15 or 18"),
        ("username=me&org_id=00DSG00000DGEIr2AP", "Choose Allow or Deny"),
        ("", "Choose Allow or Deny"),
    ] {
        let (status, page) = browse(&bench, &link, Some(form)).await;
        assert!(status == 400 && page.contains(told) && page.contains("<form"), "{form}: {page}");
        assert!(!page.contains("<i>"));
    }
    assert_eq!(browse(&bench, &link, Some(ALLOW)).await.0, 200);
}

#[tokio::test]
async fn an_invalid_link_explains_itself() {
    let bench = Bench::new().await;
    let link = link(&bench).await;
    let (whole, _) = link.split_once("&state=").expect("a state");
    for wrong in [whole, "/consent/canary-1?state=e30", "/consent/x"] {
        let (status, page) = browse(&bench, wrong, Some(ALLOW)).await;
        assert!(status == 404 && page.contains("Unknown link"), "{wrong}: {page}");
    }
    let second = post(&bench, "second").await;
    bench.control("DELETE", "/connections/second", None).await;
    let (status, page) = browse(&bench, second["redirect_uri"].as_str().expect("a link"), None).await;
    assert!(status == 410 && page.contains("Link withdrawn"), "{page}");
    bench.advance(900_000);
    for form in [None, Some(ALLOW)] {
        let (status, page) = browse(&bench, &link, form).await;
        assert!(status == 410 && page.contains("Link expired"), "{page}");
    }
}

#[tokio::test]
async fn the_page_is_not_logged_and_has_no_faults() {
    let bench = Bench::new().await;
    let link = link(&bench).await;
    let before = bench.simulator.requests(|log| log.count(|_| true));
    let fault = Fault::status(Where::Before, 500);
    bench.simulator.faults(|faults| faults.add(fault)).expect("a good fault");
    assert_eq!(browse(&bench, &link, Some(ALLOW)).await.0, 200);
    assert_eq!(bench.simulator.requests(|log| log.count(|_| true)), before);
}

#[tokio::test]
async fn the_link_follows_the_origin_setting() {
    let bench = Bench::new().await;
    let made = post(&bench, "prod").await;
    let stored = bench.simulator.world(|world| world.connections().next().and_then(|c| c.consent_url()));
    assert_eq!(made["redirect_uri"].as_str(), stored.as_deref());
    bench.set(json!({"apiOrigin": "https://applink.example.com/"}));
    let made = post(&bench, "second").await;
    assert!(made["redirect_uri"].as_str().is_some_and(|link| link.starts_with("https://applink.example.com/consent/")));
    let planted = json!({"name": "planted", "status": "connecting"});
    bench.control("POST", "/connections", Some(planted)).await;
    let listed = bench.list().await;
    let link = listed[2]["redirect_uri"].as_str().expect("a link");
    assert!(link.starts_with("https://applink.example.com/consent/"));
    assert_eq!(browse(&bench, link, Some(ALLOW)).await.0, 200);
    let shown = bench.control("GET", "/world", None).await.body.to_string();
    assert!(!shown.contains("/consent/"), "{shown}");
}

#[tokio::test]
async fn link_served_selects_the_responses_with_a_link() {
    // In the answers of the POST, a GET and the list; in the same once connected; in any dialect.
    let once = [true, false, false, false];
    let always = [true, true, true, false];
    for (dialect, served, expected) in [
        ("cli", json!(null), always),
        ("cli", json!("once"), once),
        ("cli", json!("forever"), [true; 4]),
        ("reference", json!(null), once),
        ("reference", json!("always"), always),
        ("reference", json!("forever"), [true; 4]),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "linkServed": served}));
        let posted = post(&bench, "prod").await;
        let got = bench.applink("GET", "/connections/prod", None).await.body;
        let listed = bench.list().await[0].clone();
        bench.control("POST", "/connections/prod/consent", None).await;
        let after = bench.list().await[0].clone();
        let has = [posted, got, listed, after].map(|body| body["redirect_uri"].is_string());
        assert_eq!(has, expected, "{dialect} {served}");
    }
}
