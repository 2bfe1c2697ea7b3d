//! The link to the page that asks for consent.
//!
//! Called by `access`, which has one, and by `consent`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use url::form_urlencoded;

use crate::token::Token;

/// In every link, so that a leak is easily found: in its path, and in its `state`.
pub const CONSENT_MARKS: [&str; 2] = ["/consent/canary-", "eyJtYXJrIjoiY2FuYXJ5"];

/// The link that one POST made.
#[derive(Debug, Clone)]
pub(super) struct ConsentLink {
    pub(super) origin: String,
    // Whoever knows it may answer.
    pub(super) key: Token,
    pub(super) expires: Timestamp,
    pub(super) answered: bool,
}

/// Why a link asks nobody for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadLink {
    /// No POST made it, or it is not whole.
    Unknown,
    /// Somebody answered already.
    Used,
    /// It ran out.
    Expired,
    /// What it asks for waits no more.
    Withdrawn,
}

impl ConsentLink {
    pub(super) fn url(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", "3MVG9AppLinkSimulator")
            .append_pair("redirect_uri", "https://applink.heroku.com/salesforce/oauth/callback")
            .append_pair("response_type", "code")
            .append_pair("state", &self.state())
            .finish();
        format!("{}/consent/{}?{query}", self.origin, self.key.expose())
    }

    /// Looks as if only the service could read it, as the real one does.
    pub(super) fn state(&self) -> String {
        let state = json!({"mark": "canary", "nonce": self.key.expose()});
        STANDARD.encode(state.to_string())
    }
}
