//! Uploads: the multipart form, the archive in it, and invalid ones.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::Fault;
use crate::Where;
use crate::token::sha256_hex;

pub(super) const SPEC: &str = "openapi: 3.0.3\ninfo: {title: Orders, version: '1'}\npaths: {}\n";

const APPS: &str = "/connections/salesforce/prod/apps";

/// A part of a form.
#[derive(Clone)]
pub(super) struct Part {
    head: String,
    content: Vec<u8>,
}

impl Part {
    /// As the CLI sends it.
    pub(super) fn new(name: &str, kind: &str, content: impl Into<Vec<u8>>) -> Self {
        let head = format!("form-data; name=\"{name}\"; filename=\"blob\"\r\nContent-Type: {kind}");
        Self { head, content: content.into() }
    }

    fn nameless_file(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { head: format!("form-data; name=\"{name}\""), content: content.into() }
    }
}

pub(super) fn metadata(files: &[(&str, &str)]) -> Part {
    Part::new("metadata", "application/zip", archive(files))
}

pub(super) fn app_request(request: Value) -> Part {
    Part::new("app_request", "application/json", request.to_string())
}

/// The two parts of a plain publish.
pub(super) fn orders() -> [Part; 2] {
    [metadata(&[("api-spec.yaml", SPEC)]), app_request(json!({"client_name": "OrdersAPI"}))]
}

pub(super) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        zip.start_file(*name, options).expect("a file");
        zip.write_all(content.as_bytes()).expect("its content");
    }
    zip.finish().expect("an archive").into_inner()
}

impl Bench {
    /// Sends a form to the apps of a connection.
    pub(super) async fn publish(&self, connection: &str, parts: &[Part]) -> Reply {
        self.try_publish(connection, parts).await.expect("a whole answer")
    }

    async fn try_publish(&self, connection: &str, parts: &[Part]) -> Result<Reply, axum::Error> {
        let path = format!("/addons/{}/connections/salesforce/{connection}/apps", Seed::ADDON_ID);
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request = request.header("content-type", "multipart/form-data; boundary=limit");
        let mut body = Vec::new();
        for part in parts {
            body.extend(format!("--limit\r\nContent-Disposition: {}\r\n\r\n", part.head).into_bytes());
            body.extend(&part.content);
            body.extend(b"\r\n");
        }
        body.extend(b"--limit--\r\n");
        self.exchange(request.body(Body::from(body)).expect("a request")).await
    }
}

#[tokio::test]
async fn forms_and_parts_are_recognised_by_media_type() {
    let [archive, request] = orders().map(|part| part.content);
    for (zip, json, status) in [
        ("application/zip", "application/json; charset=utf-8", 201),
        ("application/zip; version=1", "Application/JSON;charset=UTF-8", 201),
        ("application/zip", "application/jsonp", 415),
        ("text/plain", "application/json", 415),
    ] {
        let bench = Bench::new().await;
        bench.post_jwt("prod").await;
        let parts = [Part::new("metadata", zip, archive.clone()), Part::new("app_request", json, request.clone())];
        let reply = bench.publish("prod", &parts).await;
        assert_eq!(reply.status.as_u16(), status, "{zip} {json}: {}", reply.body);
    }
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    for (kind, refusal) in [
        (Some("application/json"), (415, "unsupported_media_type")),
        (Some("application/zip"), (415, "unsupported_media_type")),
        (Some("multipart/mixed; boundary=limit"), (415, "unsupported_media_type")),
        (None, (415, "unsupported_media_type")),
        (Some("multipart/form-data"), (400, "bad_request")),
    ] {
        let mut request = Request::post(format!("/addons/{}{APPS}", Seed::ADDON_ID));
        let kind_header = kind.map(|kind| ("content-type", kind.to_owned()));
        for (name, value) in bench.headers.iter().cloned().chain(kind_header) {
            request = request.header(name, value);
        }
        let reply = bench.exchange(request.body(Body::from("{}")).expect("a request")).await.expect("an answer");
        assert_eq!(reply.refusal(), refusal, "{kind:?}");
    }
}

#[tokio::test]
async fn parts_are_accepted_in_any_order() {
    let [metadata, request] = orders();
    let bare = [&metadata, &request].map(|part| {
        let name = if part.head.contains("metadata") { "metadata" } else { "app_request" };
        Part::nameless_file(name, part.content.clone())
    });
    for parts in [[metadata.clone(), request.clone()], [request, metadata], bare] {
        let bench = Bench::new().await;
        bench.post_jwt("prod").await;
        let reply = bench.publish("prod", &parts).await;
        assert_eq!((reply.status, &reply.body), (StatusCode::CREATED, &json!([])));
    }
}

#[tokio::test]
async fn archive_names_sizes_dates_and_digests_are_kept() {
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    let files = [("api-spec.json", r#"{"openapi":"3.1.0"}"#), ("permissionset-meta.xml", "<PermissionSet/>")];
    let request = json!({"client_name": "OrdersAPI", "authorization_external_client_app_name": "OrdersECA"});
    bench.publish("prod", &[metadata(&files), app_request(request)]).await;
    let world = bench.control("GET", "/world", None).await.body;
    let publication = &world["publications"][0];
    assert_eq!((&publication["clientName"], &publication["posts"]), (&json!("OrdersAPI"), &json!(1)));
    assert_eq!((&publication["externalClientApp"], &publication["connectedApp"]), (&json!("OrdersECA"), &Value::Null));
    assert_eq!(publication["archive"]["sha256"], sha256_hex(archive(&files)));
    let entries = files.map(|(name, content)| {
        let modified = "1980-01-01 00:00:00";
        json!({"name": name, "size": content.len(), "sha256": sha256_hex(content), "modified": modified})
    });
    assert_eq!(publication["archive"]["entries"], json!(entries));
}

#[tokio::test]
async fn an_invalid_upload_publishes_nothing() {
    let spec = ("api-spec.yaml", SPEC);
    let json_spec = ("api-spec.json", r#"{"openapi":"3.0.0"}"#);
    let eleven: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|name| (name, "")).to_vec();
    let many = [&eleven[..], &[spec]].concat();
    let padding = "#".repeat(3 << 20);
    let long_yaml = format!("{SPEC}{padding}");
    let long_json = format!("{{\"openapi\":\"3.0.0\",\"x\":\"{}\"}}", "x".repeat(10 << 20));
    let bulk = "x".repeat(20 << 20);
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    for (files, named) in [
        (&[("notes.txt", "")][..], "exactly one"),
        (&[spec, json_spec], "exactly one"),
        (&[("api-spec.yaml", "openapi: [3.0.3")], "api-spec.yaml is not"),
        (&[("api-spec.yaml", "swagger: '2.0'")], "openapi"),
        (&[("api-spec.yaml", "openapi: 2.0.0")], "2.0.0"),
        (&[("api-spec.json", "openapi: 3.0.3")], "api-spec.json is not"),
        (&many, "number of files"),
        (&[("api-spec.yaml", &long_yaml)], "at most 3145728"),
        (&[("api-spec.json", &long_json)], "at most 10485760"),
        (&[spec, ("bulk.txt", &bulk)], "at most 20971520"),
    ] {
        let request = app_request(json!({"client_name": "OrdersAPI"}));
        let reply = bench.publish("prod", &[metadata(files), request]).await;
        assert_eq!(reply.refusal(), (422, "validation_failed"), "{named}");
        let message = reply.body["message"].as_str().unwrap_or_default();
        assert!(message.contains(named), "{named}: {message}");
    }
    let names = json!({
        "client_name": "OrdersAPI",
        "authorization_permission_set_name": "Orders",
        "authorization_connected_app_name": "Orders",
    });
    for file in ["permissionset-meta.xml", "connectedapp-meta.xml"] {
        let parts = [metadata(&[spec, (file, "<x/>")]), app_request(names.clone())];
        let reply = bench.publish("prod", &parts).await;
        assert_eq!(reply.refusal(), (422, "validation_failed"));
        assert!(reply.body["message"].as_str().is_some_and(|m| m.contains(file)));
    }
    assert_eq!(bench.applink("GET", APPS, None).await.body, json!([]));
}

#[tokio::test]
async fn form_errors_name_the_field() {
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    let [good, request] = orders();
    let named = |name: &str| app_request(json!({"client_name": name}));
    for (parts, status, word) in [
        (vec![request.clone()], 422, "metadata is required"),
        (vec![good.clone()], 422, "app_request is required"),
        (vec![good.clone(), good.clone(), request.clone()], 422, "once"),
        (vec![good.clone(), Part::new("other", "text/plain", "x"), request.clone()], 422, "other"),
        (vec![Part::new("metadata", "application/zip", "PK no zip"), request.clone()], 422, "not a readable"),
        (vec![Part::new("metadata", "text/plain", "x"), request.clone()], 415, "application/zip"),
        (vec![good.clone(), Part::new("app_request", "application/json", "no JSON")], 400, "not JSON"),
        (vec![good.clone(), app_request(json!({}))], 422, "client_name is required"),
        (vec![good.clone(), named("orders-api")], 422, "client_name"),
        (vec![good.clone(), named("1Orders")], 422, "client_name"),
        (vec![good.clone(), named("Orders__API")], 422, "client_name"),
        (vec![Part::new("metadata", "application/zip", vec![0; 33 << 20]), request.clone()], 413, ""),
    ] {
        let reply = bench.publish("prod", &parts).await;
        let message = reply.body["message"].as_str().unwrap_or_default();
        assert_eq!(reply.status.as_u16(), status, "{message}");
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_eq!(bench.applink("GET", APPS, None).await.body, json!([]));
    let long = named(&"Orders".repeat(10));
    assert_eq!(bench.publish("prod", &[good, long]).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_caller_is_checked_before_the_form() {
    let mut bench = Bench::new().await;
    bench.post_jwt("prod").await;
    bench.headers[0].1 = "Bearer other".to_owned();
    assert_eq!(bench.publish("prod", &[]).await.refusal(), (401, "unauthorized"));
}

#[tokio::test]
async fn faults_apply_to_a_publish_and_are_logged() {
    for (place, count) in [(Where::Before, 0), (Where::After, 1)] {
        let bench = Bench::new().await;
        bench.post_jwt("prod").await;
        let fault = Fault::status(place, 503).method("POST").path_contains("/apps").times(1);
        bench.simulator.faults(|faults| faults.add(fault)).expect("a good fault");
        assert_eq!(bench.publish("prod", &orders()).await.status, StatusCode::SERVICE_UNAVAILABLE);
        let record = bench.simulator.requests(|log| log.iter().next_back().cloned()).expect("a request");
        assert!(record.mutating && record.path.ends_with(APPS));
        assert_eq!((record.committed, record.status), (count == 1, Some(StatusCode::SERVICE_UNAVAILABLE)));
        let shown = bench.control("GET", "/requests", None).await.body.to_string();
        assert!(!shown.contains("OrdersAPI"), "{shown}");
        let listed = bench.applink("GET", APPS, None).await.body;
        assert_eq!(listed.as_array().map(Vec::len), Some(count));
    }
}
