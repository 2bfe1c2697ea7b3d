//! Basic types of the API server: served resources, selections of objects, and errors.
//! Holds no state. The store, the routes and the test handle use it.

use serde_json::{Value, json};

/// A served kind. One line in `SERVED` adds another.
#[derive(Debug, PartialEq)]
pub struct Resource {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
    /// One of our kinds: with generation, default status and status subresource.
    pub custom: bool,
    /// A PUT may omit the resourceVersion.
    pub unconditional: bool,
}

static SERVED: [Resource; 11] = [
    custom("AppLinkAddon", "applinkaddons"),
    custom("Connection", "connections"),
    custom("Authorization", "authorizations"),
    custom("Publication", "publications"),
    custom("DataActionTarget", "dataactiontargets"),
    // Of a made-up backend in the tests of `control`.
    Resource { group: "notes.applink.dev", version: "v1", ..custom("Note", "notes") },
    builtin("", "Secret", "secrets", true),
    builtin("", "ConfigMap", "configmaps", true),
    Resource { namespaced: false, ..builtin("", "Namespace", "namespaces", true) },
    builtin("coordination.k8s.io", "Lease", "leases", false),
    builtin("events.k8s.io", "Event", "events", true),
];

const fn custom(kind: &'static str, plural: &'static str) -> Resource {
    Resource {
        group: "applink.dev",
        version: "v1alpha1",
        kind,
        plural,
        namespaced: true,
        custom: true,
        unconditional: false,
    }
}

const fn builtin(group: &'static str, kind: &'static str, plural: &'static str, unconditional: bool) -> Resource {
    Resource { group, version: "v1", kind, plural, namespaced: true, custom: false, unconditional }
}

impl Resource {
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        SERVED.iter().find(|served| (served.group, served.version, served.plural) == (group, version, plural))
    }

    /// By the plural in a test; panics for an unknown one.
    pub fn named(plural: &str) -> &'static Self {
        let known = SERVED.iter().find(|served| served.plural == plural);
        known.unwrap_or_else(|| panic!("the test API server has no resource {plural:?}"))
    }

    /// By apiVersion and kind of a test's manifest.
    pub fn of(manifest: &Value) -> &'static Self {
        let (api_version, kind) = (text(manifest, "/apiVersion"), text(manifest, "/kind"));
        let known = SERVED.iter().find(|served| served.api_version() == api_version && served.kind == kind);
        known.unwrap_or_else(|| panic!("the test API server has no kind {kind:?} in {api_version:?}"))
    }

    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `connections.applink.dev`, as in error messages.
    fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// Objects of one resource that a list or watch selects.
pub struct Selection {
    pub resource: &'static Resource,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub labels: Vec<(String, String)>,
}

impl Selection {
    pub fn all(resource: &'static Resource) -> Self {
        Self { resource, namespace: None, name: None, labels: Vec::new() }
    }

    /// Adds `metadata.name=` and `label=value`. Refuses all other selectors instead of ignoring them.
    pub fn narrow(mut self, fields: &str, labels: &str) -> Result<Self> {
        for (field, value) in equalities(fields)? {
            match field.as_str() {
                "metadata.name" => self.name = Some(value),
                "metadata.namespace" => self.namespace = Some(value),
                _ => {
                    return Err(Refusal::bad_request(&format!("field label not supported: {field}")));
                }
            }
        }
        self.labels = equalities(labels)?;
        Ok(self)
    }

    pub fn matches(&self, object: &Value) -> bool {
        let is =
            |wanted: &Option<String>, pointer| wanted.as_deref().is_none_or(|wanted| wanted == text(object, pointer));
        is(&self.namespace, "/metadata/namespace")
            && is(&self.name, "/metadata/name")
            && self.labels.iter().all(|(label, value)| object["metadata"]["labels"][label] == **value)
    }
}

fn equalities(selector: &str) -> Result<Vec<(String, String)>> {
    let terms = selector.split(',').filter(|term| !term.is_empty());
    terms
        .map(|term| match term.replace("==", "=").split_once('=') {
            Some((left, right)) if !left.ends_with('!') => Ok((left.trim().to_owned(), right.trim().to_owned())),
            _ => Err(Refusal::bad_request(&format!("the test API server knows equality alone, not {term:?}"))),
        })
        .collect()
}

/// An error, as the Status object has it.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} not found", resource.qualified());
        Self { code: 404, reason: "NotFound", message }
    }

    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", resource.qualified());
        Self { code: 409, reason: "AlreadyExists", message }
    }

    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        Self { code: 409, reason: "Conflict", message }
    }

    pub fn invalid(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is invalid: {why}", resource.kind);
        Self { code: 422, reason: "Invalid", message }
    }

    pub fn bad_request(message: &str) -> Self {
        Self { code: 400, reason: "BadRequest", message: message.to_owned() }
    }

    pub fn forbidden(verb: &str, resource: &str) -> Self {
        let message = format!("{resource} is forbidden: User \"test\" cannot {verb} resource {resource:?}");
        Self { code: 403, reason: "Forbidden", message }
    }

    /// The error of an admission policy or of a server limit.
    pub fn of(code: u16, message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::injected(code) }
    }

    /// An error requested by a test.
    pub fn injected(code: u16) -> Self {
        let reason = match code {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "Unknown",
        };
        Self { code, reason, message: format!("the test asked for a {code}") }
    }

    pub fn status(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        })
    }
}

/// The string at a JSON pointer; empty if absent.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
