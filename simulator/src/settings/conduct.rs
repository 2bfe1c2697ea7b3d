//! Settings for what the service does and whom it accepts.
//!
//! Data only. Part of `Settings`; read by `state` and `http`.

use serde::{Deserialize, Serialize};

/// How a JWT connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JwtFailure {
    /// 202 and status `failed` at once.
    Failed,
    /// 202 and `connecting`, then `failed`.
    FailedLater,
    /// 401 `unauthorized`, nothing created.
    Unauthorized,
    /// 422 `validation_failed`, nothing created.
    Unprocessable,
}

/// What a POST with a taken name does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenName {
    /// 409 `conflict`.
    Conflict,
    /// 422 `validation_failed`.
    Unprocessable,
    /// The existing connection gets the new inputs and keeps its id.
    Upsert,
    /// The existing connection is returned unchanged.
    Existing,
    /// A second connection of the same name.
    Duplicate,
}

/// What a POST with a taken alias does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenAlias {
    /// It succeeds.
    Allowed,
    /// 409 `conflict`.
    Conflict,
    /// 422 `validation_failed`.
    Unprocessable,
}

/// What happens to a name that breaks the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameRule {
    /// 422 `validation_failed`.
    Enforced,
    Ignored,
}

/// How names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameCase {
    /// Case-sensitively.
    Sensitive,
    /// Case-insensitively.
    Insensitive,
}

/// The two variants of the Platform API under which the SSO route exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SsoVariant {
    /// The one that the CLI plugin requests.
    #[serde(rename = "3.sdk")]
    Sdk,
    /// The one that the Dev Center article requests.
    #[serde(rename = "3.add-ons-sso")]
    AddonsSso,
}

/// What happens to an OAuth connection when its link expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Abandoned {
    /// It stays `connecting`.
    Keep,
    /// It becomes `failed`.
    Fail,
    /// It is removed.
    Vanish,
    /// It becomes a tombstone.
    Disconnected,
}

/// Which bearer token AppLink accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AcceptedBearer {
    /// The add-on's `_TOKEN`.
    AddonToken,
    /// One of the Heroku account.
    HerokuToken,
    Either,
}

/// Whether AppLink checks `x-addon-sso`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SsoCheck {
    /// Every call needs a valid one, except the GET of one authorization: the SDKs do not send it.
    Management,
    /// Every call needs one.
    Always,
    /// No call needs one.
    Never,
}

/// Which calls need a recent `x-addon-sso`, if AppLink checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SsoFreshness {
    /// POST and DELETE. The Heroku CLI fetches one payload and polls with it until a person consents.
    WritesOnly,
    /// GET too.
    EveryCall,
}

/// How AppLink refuses an `x-addon-sso` that is too old, for another add-on, or cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SsoRefusal {
    /// 403 `forbidden`.
    Forbidden,
    /// 401 `unauthorized`.
    Unauthorized,
}

/// How long an access token stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessToken {
    /// Until it expires.
    Stable,
    /// Until the next GET of one connection or authorization.
    Fresh,
}

/// What `{addon}` may be in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AddonSegment {
    /// The id or the name.
    IdOrName,
    Id,
}

/// The `Retry-After` of a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// It is absent.
    Absent,
    /// A number of seconds.
    Seconds,
    /// A date.
    Date,
}
