//! Fault rules: which requests fail, and how.
//!
//! Must not apply a fault: `http::intercept` asks here which rules match a request, and applies them. The tests and the
//! control API add rules.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Generated when empty.
    #[serde(default)]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Matches only paths that contain this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// Matches only paths that begin with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// Before or after the request takes effect.
    #[serde(default, rename = "where")]
    pub place: Where,
    pub what: What,
    /// How many requests it applies to. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many requests it was applied to.
    #[serde(default)]
    pub hits: u64,
}

/// Before or after the request takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Where {
    /// The request does not take effect, unless the fault is a delay.
    #[default]
    Before,
    /// The request takes effect. Only the response is changed.
    After,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum What {
    /// Answers with this response instead of the real one.
    Status {
        /// The status code, 200 to 599.
        code: u16,
        /// Headers, such as `Retry-After`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// A string is sent unchanged as `text/html`, anything else as JSON. Absent: an error that names the fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// Waits, on tokio's clock.
    Delay { ms: u64 },
    /// Closes the connection without a response. In-process, reading the body fails at once.
    Reset,
    /// Sends less of the body than `Content-Length` says.
    Truncate,
}

impl Fault {
    /// A fault that applies to every request.
    pub fn new(place: Where, what: What) -> Self {
        Self {
            id: String::new(),
            method: None,
            path_contains: None,
            path_prefix: None,
            place,
            what,
            times: None,
            hits: 0,
        }
    }

    /// A fault that answers with a status and an error body.
    pub fn status(place: Where, code: u16) -> Self {
        let headers = BTreeMap::new();
        let body = None;
        Self::new(place, What::Status { code, headers, body })
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Matches only paths that contain this.
    pub fn path_contains(mut self, part: &str) -> Self {
        self.path_contains = Some(part.to_owned());
        self
    }

    /// Limits the number of requests it applies to.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn check(&self) -> Result<(), FaultError> {
        if let What::Status { code, headers, .. } = &self.what {
            if !(200..600).contains(code) || StatusCode::from_u16(*code).is_err() {
                return Err(FaultError::Code(*code));
            }
            for (name, value) in headers {
                HeaderName::try_from(name).map_err(|_| FaultError::Header(name.clone()))?;
                HeaderValue::try_from(value).map_err(|_| FaultError::Header(name.clone()))?;
            }
        }
        Ok(())
    }

    fn matches(&self, place: Where, method: &Method, path: &str) -> bool {
        self.place == place
            && self.times.is_none_or(|times| self.hits < times)
            && (self.method.as_deref()).is_none_or(|m| m.eq_ignore_ascii_case(method.as_str()))
            && (self.path_contains.as_deref()).is_none_or(|part| path.contains(part))
            && (self.path_prefix.as_deref()).is_none_or(|prefix| path.starts_with(prefix))
    }
}

/// Why a fault was refused.
#[derive(Debug, Error)]
pub enum FaultError {
    /// Not a status code that can be sent.
    #[error("what.status.code: {0} is not a status code from 200 to 599")]
    Code(u16),
    /// Not a header that can be sent.
    #[error("what.status.headers: {0} is not a header that can be sent")]
    Header(String),
    /// The name is taken.
    #[error("id: there is already a fault {0}")]
    Taken(String),
}

/// The rules, in the order in which they are matched.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<Fault>,
    named: u64,
}

impl Faults {
    /// Adds a rule and returns its id.
    pub fn add(&mut self, mut fault: Fault) -> Result<String, FaultError> {
        fault.check()?;
        fault.hits = 0;
        if fault.id.is_empty() {
            self.named += 1;
            fault.id = format!("fault-{}", self.named);
        }
        if self.iter().any(|other| other.id == fault.id) {
            return Err(FaultError::Taken(fault.id));
        }
        let id = fault.id.clone();
        self.rules.push(fault);
        Ok(id)
    }

    /// Removes a rule. Returns false if there is no rule with this id.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|fault| fault.id != id);
        self.rules.len() < before
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// All rules, used up or not.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.rules.iter()
    }

    /// The rules that apply to this request: any number of delays, then at most one other. Counts a hit for each.
    pub(super) fn take_matching(&mut self, place: Where, method: &Method, path: &str) -> Vec<Fault> {
        let mut matched = Vec::new();
        for fault in &mut self.rules {
            if fault.matches(place, method, path) {
                fault.hits += 1;
                matched.push(fault.clone());
                if !matches!(fault.what, What::Delay { .. }) {
                    break;
                }
            }
        }
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_and_stop_at_the_first_that_is_no_delay() {
        let mut faults = Faults::default();
        let delay = Fault::new(Where::Before, What::Delay { ms: 5 }).times(1);
        faults.add(delay).unwrap();
        let post = Fault::status(Where::Before, 503).method("post");
        faults.add(post.path_contains("/jwt")).unwrap();
        faults.add(Fault::new(Where::Before, What::Reset)).unwrap();
        let mut ids = |place, method, path| {
            let matched = faults.take_matching(place, &method, path);
            matched.into_iter().map(|f| f.id).collect::<Vec<_>>()
        };
        let post_jwt = (Method::POST, "/connections/salesforce/jwt");
        let first = ids(Where::Before, post_jwt.0.clone(), post_jwt.1);
        assert_eq!(first, ["fault-1", "fault-2"]);
        assert_eq!(ids(Where::Before, post_jwt.0, post_jwt.1), ["fault-2"]);
        assert_eq!(ids(Where::Before, Method::GET, "/jwt"), ["fault-3"]);
        assert!(ids(Where::After, Method::GET, "/jwt").is_empty());
    }

    #[test]
    fn invalid_faults_are_refused() {
        let mut faults = Faults::default();
        assert!(matches!(faults.add(Fault::status(Where::After, 101)), Err(FaultError::Code(101))));
        let mut fault = Fault::status(Where::After, 429);
        if let What::Status { headers, .. } = &mut fault.what {
            headers.insert("Retry-After".to_owned(), "1\n2".to_owned());
        }
        assert!(matches!(faults.add(fault), Err(FaultError::Header(_))));
    }
}
