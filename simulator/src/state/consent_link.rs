//! The link to the page that asks for consent.
//!
//! Called by `access`, which has one, and by `consent`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use url::form_urlencoded;

use crate::token::Token;

/// Parts of every consent link, in its path and in its `state`, so that tests find a leaked one.
pub const CONSENT_MARKS: [&str; 2] = ["/consent/canary-", "eyJtYXJrIjoiY2FuYXJ5"];

/// The consent link of one POST.
#[derive(Debug, Clone)]
pub(super) struct ConsentLink {
    pub(super) origin: String,
    // Anyone who knows it may answer.
    pub(super) key: Token,
    pub(super) expires: Timestamp,
    pub(super) answered: bool,
}

/// Why a link does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// No POST created it, or it is incomplete.
    Unknown,
    /// Somebody already answered.
    Used,
    /// It expired.
    Expired,
    /// The connection or authorization no longer waits for consent.
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

    /// Opaque, like the real one.
    pub(super) fn state(&self) -> String {
        let state = json!({"mark": "canary", "nonce": self.key.expose()});
        STANDARD.encode(state.to_string())
    }
}
