//! HTTP of the API server: parses a request, checks for faults, calls the store, logs writes.
//! Decides nothing about objects. The tower service behind `ApiServer::client` calls it.

use axum::body::Body;
use http::request::Parts;
use http::{Method, Request, Response};
use kube::client::Body as RequestBody;
use serde_json::{Map, Value, json};
use tower::BoxError;

use super::faults::Fault;
use super::resource::{Refusal, Resource, Result, Selection, text};
use super::rules::Scope;
use super::watches::Watch;
use super::{ApiServer, Object, Write};

/// The target of a path; a collection if `name` is empty.
struct Place {
    resource: &'static Resource,
    /// Empty for all namespaces, and for cluster-scoped resources.
    namespace: String,
    name: String,
    status: bool,
}

/// A parsed request.
struct Call {
    verb: &'static str,
    place: Place,
    query: Map<String, Value>,
    metadata_only: bool,
    content_type: String,
}

enum Answer {
    Json(u16, Value),
    Watch(Watch),
}

/// An error is one of the transport: the connection is refused, or breaks before the response.
pub async fn serve(server: ApiServer, request: Request<RequestBody>) -> std::result::Result<Response<Body>, BoxError> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await?;
    if server.state().faults.outage {
        return Err("connection refused: the test has set an outage".into());
    }
    let call = match Call::read(&parts) {
        Ok(call) => call,
        Err(refusal) => return Ok(respond(refusal.code, &refusal.status())),
    };
    let fault = server.state().faults.meet(&call.place.namespace, call.verb, &call.rbac_resource());
    if matches!(fault, Some(Fault::Ignore)) {
        return std::future::pending().await;
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let answer = match &fault {
        Some(Fault::Refuse(refusal)) => Err(refusal.clone()),
        _ => call.answer(&server, &body),
    };
    if call.writes() {
        server.log(call.write(&body, &answer));
    }
    if matches!(fault, Some(Fault::LoseAnswer)) {
        return Err("connection reset: the test has lost the answer".into());
    }
    Ok(match answer {
        Ok(Answer::Watch(watch)) => Response::new(watch.into_body()),
        Ok(Answer::Json(code, value)) => respond(code, &value),
        Err(refusal) => respond(refusal.code, &refusal.status()),
    })
}

fn respond(code: u16, value: &Value) -> Response<Body> {
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(Body::from(value.to_string())).expect("a status code of our own")
}

impl Place {
    fn find(path: &str) -> Option<Self> {
        let path: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match path.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            _ => ("", rest),
        };
        let (plural, name, status) = match rest {
            [plural] => (*plural, "", false),
            [plural, name] => (*plural, *name, false),
            [plural, name, "status"] => (*plural, *name, true),
            _ => return None,
        };
        let place = Self {
            resource: Resource::find(group, version, plural)?,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            status,
        };
        let known = (name.is_empty() || place.is_whole()) && (!status || place.resource.custom);
        known.then_some(place)
    }

    /// Whether a namespaced object has a namespace.
    fn is_whole(&self) -> bool {
        self.resource.namespaced != self.namespace.is_empty()
    }
}

impl Call {
    fn read(parts: &Parts) -> Result<Self> {
        let refuse = |code, reason| {
            let (method, path) = (&parts.method, parts.uri.path());
            let message = format!("the test API server serves no {method} {path}");
            Refusal { code, reason, message }
        };
        let place = Place::find(parts.uri.path()).ok_or_else(|| refuse(404, "NotFound"))?;
        let query = parts.uri.query().unwrap_or_default();
        let query: Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), json!(value)))
            .collect();
        if query.contains_key("dryRun") {
            let why = "the test API server has no dry run";
            return Err(Refusal::bad_request(why));
        }
        let watch = query.get("watch");
        let watch = watch.is_some_and(|watch| watch == "true" || watch == "1");
        let verb = match (&parts.method, place.name.is_empty()) {
            (&Method::GET, true) if watch => "watch",
            (&Method::GET, true) => "list",
            (&Method::GET, false) => "get",
            (&Method::POST, true) if place.is_whole() => "create",
            (&Method::PUT, false) => "update",
            (&Method::PATCH, false) => "patch",
            (&Method::DELETE, false) if !place.status => "delete",
            _ => return Err(refuse(405, "MethodNotAllowed")),
        };
        let header = |name| {
            let value = parts.headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        Ok(Self {
            verb,
            place,
            query,
            metadata_only: header("accept").contains("as=PartialObjectMetadata"),
            content_type: header("content-type").to_owned(),
        })
    }

    /// `connections` or `connections/status`, as in RBAC rules.
    fn rbac_resource(&self) -> String {
        format!("{}{}", self.place.resource.plural, if self.place.status { "/status" } else { "" })
    }

    fn writes(&self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch")
    }

    fn parameter(&self, name: &str) -> &str {
        self.query.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn answer(&self, server: &ApiServer, body: &Value) -> Result<Answer> {
        let (code, object) = match self.verb {
            "list" => return self.list(server),
            "watch" => return self.watch(server),
            "delete" => return self.delete(server, body),
            "get" => (200, self.get(server)?),
            "create" => (201, self.change(server, body)?),
            _ => (200, self.change(server, body)?),
        };
        Ok(Answer::Json(code, self.present(&object)))
    }

    fn get(&self, server: &ApiServer) -> Result<Object> {
        let Place { resource, namespace, name, .. } = &self.place;
        server.state().store.get(resource, namespace, name)
    }

    fn list(&self, server: &ApiServer) -> Result<Answer> {
        let selection = self.selection()?;
        let state = server.state();
        let items: Vec<Value> = state.store.list(&selection).iter().map(|object| self.present(object)).collect();
        let (api_version, kind) = match self.metadata_only {
            true => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata"),
            false => (self.place.resource.api_version(), self.place.resource.kind),
        };
        let meta = json!({"resourceVersion": state.store.version().to_string()});
        let list = json!({"apiVersion": api_version, "kind": format!("{kind}List"), "metadata": meta, "items": items});
        Ok(Answer::Json(200, list))
    }

    fn watch(&self, server: &ApiServer) -> Result<Answer> {
        if !self.parameter("sendInitialEvents").is_empty() {
            return Err(Refusal::bad_request("the test API server has no streaming lists"));
        }
        let since = self.parameter("resourceVersion").parse().unwrap_or(0);
        let seconds = self.parameter("timeoutSeconds").parse().unwrap_or(1800);
        let bookmarks = self.parameter("allowWatchBookmarks") == "true";
        let watch = Watch::open(server.clone(), self.selection()?, since, seconds);
        Ok(Answer::Watch(watch.shaped(self.metadata_only, bookmarks)))
    }

    fn change(&self, server: &ApiServer, body: &Value) -> Result<Object> {
        let Place { resource, namespace, name, status } = &self.place;
        let scope = if *status { Scope::Status } else { Scope::Main };
        let merge_patch = "application/merge-patch+json";
        if self.verb == "patch" && self.content_type != merge_patch {
            let sent = &self.content_type;
            return Err(Refusal {
                code: 415,
                reason: "UnsupportedMediaType",
                message: format!("the test API server patches with {merge_patch} alone, not {sent}"),
            });
        }
        server.change(|store| match self.verb {
            "create" => store.create(resource, namespace, body.clone(), scope),
            "patch" => store.patch(resource, namespace, name, body, scope),
            _ => store.replace(resource, namespace, name, body.clone(), scope),
        })
    }

    fn delete(&self, server: &ApiServer, options: &Value) -> Result<Answer> {
        let Place { resource, namespace, name, .. } = &self.place;
        let deleted = server.change(|store| store.delete(resource, namespace, name, options));
        let (object, gone) = deleted?;
        if !gone {
            return Ok(Answer::Json(200, self.present(&object)));
        }
        let details = json!({
            "name": name, "group": resource.group, "kind": resource.plural,
            "uid": object["metadata"]["uid"],
        });
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        Ok(Answer::Json(200, status))
    }

    fn selection(&self) -> Result<Selection> {
        let mut selection = Selection::all(self.place.resource);
        selection.namespace = Some(self.place.namespace.clone()).filter(|namespace| !namespace.is_empty());
        selection.narrow(self.parameter("fieldSelector"), self.parameter("labelSelector"))
    }

    fn present(&self, object: &Value) -> Value {
        present(object, self.metadata_only)
    }

    fn write(&self, body: &Value, answer: &Result<Answer>) -> Write {
        let (status, created) = match answer {
            Ok(Answer::Json(code, object)) => (*code, text(object, "/metadata/name")),
            Ok(Answer::Watch(_)) => (200, ""),
            Err(refusal) => (refusal.code, text(body, "/metadata/name")),
        };
        Write {
            verb: self.verb,
            group: self.place.resource.group,
            resource: self.place.resource.plural,
            subresource: if self.place.status { "status" } else { "" },
            namespace: self.place.namespace.clone(),
            name: if self.place.name.is_empty() { created.to_owned() } else { self.place.name.clone() },
            field_manager: self.parameter("fieldManager").to_owned(),
            body: body.clone(),
            status,
        }
    }
}

/// The representation that the client asked for.
pub fn present(object: &Value, metadata_only: bool) -> Value {
    match metadata_only {
        true => json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
        }),
        false => object.clone(),
    }
}
