//! Switches for what the service does and whom it lets in.
//!
//! Must not act. Part of `Settings`; read by `state` and `http`.

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
    /// The connection of that name starts over with the new inputs and keeps its id.
    Upsert,
    /// The connection of that name stays as it is and is the answer.
    Existing,
    /// A second connection of the same name.
    Duplicate,
}

/// What a POST with a taken alias does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenAlias {
    /// What it would do with another.
    Allowed,
    /// 409 `conflict`.
    Conflict,
    /// 422 `validation_failed`.
    Unprocessable,
}

/// What becomes of a name that breaks the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameRule {
    /// 422 `validation_failed`.
    Enforced,
    /// Nothing.
    Ignored,
}

/// How names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameCase {
    /// To the letter.
    Sensitive,
    /// Without regard to case.
    Insensitive,
}

/// The two variants of the Platform API under which the SSO route exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SsoVariant {
    /// What the CLI plugin asks for.
    #[serde(rename = "3.sdk")]
    Sdk,
    /// What the Dev Center article asks for.
    #[serde(rename = "3.add-ons-sso")]
    AddonsSso,
}

/// What becomes of an OAuth connection whose link has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Abandoned {
    /// It stays `connecting`.
    Keep,
    /// It turns `failed`.
    Fail,
    /// It is gone.
    Vanish,
    /// It is a tombstone.
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
    /// Both.
    Either,
}

/// Whether AppLink looks at `x-addon-sso`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SsoCheck {
    /// Every call must carry one that is good, but the GET of one authorization: the SDKs send none.
    Management,
    /// That call too.
    Always,
    /// No call needs one.
    Never,
}

/// Which calls an `x-addon-sso` must be fresh for, where AppLink looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SsoFreshness {
    /// POST and DELETE. The Heroku CLI fetches one payload and polls with it for as long as a person takes to consent.
    WritesOnly,
    /// GET too.
    EveryCall,
}

/// How an `x-addon-sso` is refused that is stale, not for this add-on, or cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SsoRefusal {
    /// 403 `forbidden`.
    Forbidden,
    /// 401 `unauthorized`.
    Unauthorized,
}

/// How long an access token is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessToken {
    /// Until it is made to expire.
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
    /// The id.
    Id,
}

/// The `Retry-After` of a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// There is none.
    Absent,
    /// A number of seconds.
    Seconds,
    /// A date.
    Date,
}
