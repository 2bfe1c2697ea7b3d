//! The settings: one for each thing that the documentation leaves open or contradicts itself about, so that a client can
//! be tested against every variant.
//!
//! Data only: `state` and `http` read it. Called by the control API and the tests.
//!
//! - this file: all of them, one JSON object. `answers`: the form of responses. `conduct`: what the service does and whom
//!   it accepts. `publications`, `targets`: the nested objects.

mod answers;
mod conduct;
mod publications;
mod targets;

use std::num::NonZeroUsize;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

pub(super) use self::answers::KeySet;
pub use self::answers::{
    CreateAnswer, DeleteAnswer, DeleteStatus, Dialect, ErrorShape, LinkServed, ListedAddonId, NamePlace, Omitted,
    OmittedAs, OneAnswer, PageHeader, PendingOrg, StatusAfterDelete, StatusKey, StatusWords, UnknownAnswer,
};
pub use self::conduct::{
    Abandoned, AcceptedBearer, AccessToken, AddonSegment, JwtFailure, NameCase, NameRule, RetryAfter, SsoCheck,
    SsoFreshness, SsoRefusal, SsoVariant, TakenAlias, TakenName,
};
pub use self::publications::{OmittedOfPublication, PublicationSettings, PublishAnswer, Republish, UnknownApp};
pub use self::targets::{
    ChangeRefusal, TakenByAnotherApp, TakenTarget, TargetFailure, TargetList, TargetSettings, TargetWords,
};

/// All settings. Their JSON names are in camelCase. Settings of connections apply to authorizations too, unless they name
/// both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Which source the responses follow.
    pub dialect: Dialect,
    /// Seconds until a JWT connection connects; absent: 0 in the CLI dialect, 1 in the reference's.
    pub connect_seconds: Option<f64>,
    /// Seconds for which the link of an OAuth connection works.
    pub consent_seconds: f64,
    /// What happens to an OAuth connection when its link expires.
    pub abandoned: Abandoned,
    /// Which responses have that link. Absent: only the POST's in the reference dialect; all of them in the CLI's until
    /// somebody consents.
    pub link_served: Option<LinkServed>,
    /// The words for a connection's status.
    pub status_words: StatusWords,
    /// The key of that status.
    pub status_key: StatusKey,
    /// The `org` of a connection that is `connecting`.
    pub pending_org: PendingOrg,
    /// Where `connection_name` stands.
    pub name_place: NamePlace,
    /// Fields that responses about connections lack.
    pub omitted: Vec<Omitted>,
    /// How a response lacks a field.
    pub omitted_as: OmittedAs,
    /// The `addon_id` of connections in the list by add-on.
    pub listed_addon_id: ListedAddonId,
    /// The status after a DELETE until the object is gone. Absent: `disconnected` in the reference dialect, `disconnecting`
    /// in the CLI's.
    pub status_after_delete: Option<StatusAfterDelete>,
    /// Seconds until it is gone. Absent: 1, or 0 for an authorization that would be `disconnecting`.
    pub disconnect_seconds: Option<f64>,
    /// How a JWT connection fails when its key is not accepted.
    pub jwt_failure: JwtFailure,
    /// SHA-256 (lowercase hex) of the PEM texts, trimmed, that are accepted; empty accepts any PEM
    /// private key.
    pub accepted_keys: Vec<String>,
    /// What a POST with a taken name does.
    pub taken_name: TakenName,
    /// What a POST does if another connection or authorization of the add-on has its alias.
    pub taken_alias: TakenAlias,
    /// Whether the name in a POST must obey the rule that the CLI prints.
    pub name_rule: NameRule,
    /// Whether names are case-sensitive, in POSTs and in paths.
    pub name_case: NameCase,
    /// Whether a failed connection keeps its name taken.
    pub failed_hold_names: bool,
    /// Whether connections and authorizations share one set of names.
    pub authorizations_hold_names: bool,
    /// Whether a deleted connection stays listed as `disconnected`.
    pub keep_disconnected: bool,
    /// Whether such a tombstone keeps its name taken.
    pub tombstones_hold_names: bool,
    /// How the GET of one connection or authorization answers.
    pub get_one: OneAnswer,
    /// How this GET answers when nothing matches.
    pub get_unknown: UnknownAnswer,
    /// The status code of a successful POST.
    pub create_answer: CreateAnswer,
    /// How a DELETE answers; absent: `noContent` in the reference dialect; in the CLI's, `accepted` for a connection and
    /// `emptyObject` for an authorization.
    pub delete_answer: Option<DeleteAnswer>,
    /// The status in that answer, where it has one.
    pub delete_status: DeleteStatus,
    /// The body of AppLink's errors.
    pub error_shape: ErrorShape,
    /// How many items a list returns. Absent: all. The rest cannot be fetched.
    pub page_size: Option<NonZeroUsize>,
    /// How a truncated list says that there is more.
    pub page_header: PageHeader,
    /// How many seconds lists lag behind, at most 3600.
    pub list_lag_seconds: f64,
    /// Which bearer token AppLink accepts.
    pub accepted_bearer: AcceptedBearer,
    /// What `{addon}` may be in a path.
    pub addon_segment: AddonSegment,
    /// How long an access token stays the same.
    pub access_token: AccessToken,
    /// Whether AppLink checks `x-addon-sso`.
    pub sso_check: SsoCheck,
    /// Which calls need a recent one.
    pub sso_freshness: SsoFreshness,
    /// How AppLink refuses an `x-addon-sso` that is too old, for another add-on, or cannot be decoded.
    pub sso_refusal: SsoRefusal,
    /// The maximum age of a recent one, in seconds.
    pub sso_window_seconds: f64,
    /// The `Accept` variant that the Platform API's SSO route refuses.
    pub refused_sso_variant: Option<SsoVariant>,
    /// The origin of every `_API_URL` and every link. Absent: the origin to which the request for the config vars, or the
    /// POST, was sent.
    pub api_origin: Option<String>,
    /// The size of an account's budget of Platform API requests.
    pub rate_limit: u32,
    /// How many Platform API requests an account regains per minute.
    pub rate_refill_per_minute: u32,
    /// The size of an add-on's budget of AppLink requests. Absent: no limit.
    pub applink_rate_limit: Option<u32>,
    /// How many AppLink requests an add-on regains per minute.
    pub applink_rate_refill_per_minute: u32,
    /// The `Retry-After` of AppLink's 429.
    pub applink_retry_after: RetryAfter,
    /// Whether AppLink sends `RateLimit-Remaining`.
    pub applink_tells_remaining: bool,
    /// Settings of publications.
    pub publications: PublicationSettings,
    /// Settings of data action targets.
    pub data_action_targets: TargetSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dialect: Dialect::Cli,
            connect_seconds: None,
            consent_seconds: 900.0,
            abandoned: Abandoned::Keep,
            link_served: None,
            status_words: StatusWords::Current,
            status_key: StatusKey::Status,
            pending_org: PendingOrg::Dialect,
            name_place: NamePlace::Org,
            omitted: Vec::new(),
            omitted_as: OmittedAs::Absent,
            listed_addon_id: ListedAddonId::Own,
            status_after_delete: None,
            disconnect_seconds: None,
            jwt_failure: JwtFailure::Failed,
            accepted_keys: Vec::new(),
            taken_name: TakenName::Conflict,
            taken_alias: TakenAlias::Allowed,
            name_rule: NameRule::Enforced,
            name_case: NameCase::Sensitive,
            failed_hold_names: true,
            authorizations_hold_names: false,
            keep_disconnected: false,
            tombstones_hold_names: false,
            get_one: OneAnswer::Object,
            get_unknown: UnknownAnswer::NotFound,
            create_answer: CreateAnswer::Accepted,
            delete_answer: None,
            delete_status: DeleteStatus::Actual,
            error_shape: ErrorShape::IdMessage,
            page_size: None,
            page_header: PageHeader::Link,
            list_lag_seconds: 0.0,
            accepted_bearer: AcceptedBearer::AddonToken,
            addon_segment: AddonSegment::IdOrName,
            access_token: AccessToken::Stable,
            sso_check: SsoCheck::Management,
            sso_freshness: SsoFreshness::WritesOnly,
            sso_refusal: SsoRefusal::Forbidden,
            sso_window_seconds: 120.0,
            refused_sso_variant: None,
            api_origin: None,
            rate_limit: 4500,
            rate_refill_per_minute: 75,
            applink_rate_limit: None,
            applink_rate_refill_per_minute: 75,
            applink_retry_after: RetryAfter::Absent,
            applink_tells_remaining: false,
            publications: PublicationSettings::default(),
            data_action_targets: TargetSettings::default(),
        }
    }
}

/// Why a change of the settings was refused.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// An unknown field or a value of the wrong shape.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// A value out of range.
    #[error("{field}: {rule}")]
    Range {
        /// The JSON name of the field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

impl Settings {
    /// These settings with the given fields replaced, also in nested objects. `null` clears an optional field.
    pub fn merged(&self, patch: Map<String, Value>) -> Result<Self, SettingsError> {
        let mut fields = serde_json::to_value(self)?;
        for (name, value) in patch {
            match (&mut fields[&name], value) {
                (Value::Object(inner), Value::Object(patch)) => inner.extend(patch),
                (field, value) => *field = value,
            }
        }
        let settings: Self = serde_json::from_value(fields)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let durations = [
            ("connectSeconds", self.connect_seconds.unwrap_or(0.0)),
            ("consentSeconds", self.consent_seconds),
            ("disconnectSeconds", self.disconnect_seconds.unwrap_or(0.0)),
            ("listLagSeconds", self.list_lag_seconds),
            ("ssoWindowSeconds", self.sso_window_seconds),
            ("publications.publishSeconds", self.publications.publish_seconds),
            ("dataActionTargets.seconds", self.data_action_targets.seconds),
        ];
        for (field, value) in durations {
            if !(0.0..=1e9).contains(&value) {
                let rule = "must be a number of seconds from 0 to 1e9";
                return Err(SettingsError::Range { field, rule });
            }
        }
        if self.list_lag_seconds > 3600.0 {
            return Err(SettingsError::Range { field: "listLagSeconds", rule: "must be at most 3600" });
        }
        let hex = |key: &String| key.len() == 64 && key.bytes().all(is_lower_hex);
        if !self.accepted_keys.iter().all(hex) {
            return Err(SettingsError::Range {
                field: "acceptedKeys",
                rule: "must be SHA-256 digests in lowercase hex",
            });
        }
        let web = |origin: &String| Url::parse(origin).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !self.api_origin.iter().all(web) {
            return Err(SettingsError::Range { field: "apiOrigin", rule: "must be an http or https URL" });
        }
        Ok(())
    }

    /// Which keys the object with this serial number has.
    pub(super) fn key_set_of(&self, serial: u64) -> KeySet {
        match (self.dialect, serial % 4) {
            (Dialect::Reference, _) | (Dialect::Mixed, 2) => KeySet::Reference,
            (Dialect::Cli, _) | (Dialect::Mixed, 3) => KeySet::Cli,
            (Dialect::Mixed, 0) => KeySet::Crossed,
            (Dialect::Mixed, _) => KeySet::Both,
        }
    }

    /// The dialect of the object with this serial number in everything but its keys. Never `Mixed`.
    pub(super) fn dialect_of(&self, serial: u64) -> Dialect {
        match self.dialect {
            Dialect::Mixed if serial.is_multiple_of(2) => Dialect::Reference,
            Dialect::Mixed => Dialect::Cli,
            dialect => dialect,
        }
    }

    /// The origin for URLs in responses: the setting, or the origin of the request.
    pub(super) fn origin_or<'a>(&'a self, reached: &'a str) -> &'a str {
        self.api_origin.as_deref().unwrap_or(reached).trim_end_matches('/')
    }

    /// How long a JWT connection with this serial number takes to connect.
    pub(super) fn connect_delay(&self, serial: u64) -> SignedDuration {
        let default = match self.dialect_of(serial) {
            Dialect::Reference => 1.0,
            Dialect::Cli | Dialect::Mixed => 0.0,
        };
        seconds(self.connect_seconds.unwrap_or(default))
    }
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// A duration from a setting. Anything but a positive number is zero.
pub(super) fn seconds(value: f64) -> SignedDuration {
    if value > 0.0 {
        SignedDuration::try_from_secs_f64(value).unwrap_or(SignedDuration::MAX)
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(text: &str) -> Result<Settings, SettingsError> {
        Settings::default().merged(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_merge_replaces_what_it_names_and_null_clears() {
        let settings = patch(r#"{"dialect":"mixed","connectSeconds":2.5}"#).unwrap();
        assert_eq!(settings.dialect, Dialect::Mixed);
        assert_eq!(settings.connect_delay(0), SignedDuration::from_millis(2_500));
        assert_eq!(settings.taken_name, TakenName::Conflict);
        let nested =
            settings.merged(serde_json::from_str(r#"{"publications":{"republish":"conflict"}}"#).unwrap()).unwrap();
        assert_eq!((nested.publications.republish, nested.dialect), (Republish::Conflict, Dialect::Mixed));
        assert!(nested.publications.touch_on_republish);
        let cleared = settings.merged(serde_json::from_str(r#"{"connectSeconds":null}"#).unwrap_or_default());
        assert_eq!(cleared.unwrap().connect_seconds, None);
    }

    #[test]
    fn errors_name_the_field() {
        for (text, named) in [
            (r#"{"dialekt":"cli"}"#, "dialekt"),
            (r#"{"disconnectSeconds":-1}"#, "disconnectSeconds"),
            (r#"{"consentSeconds":-1}"#, "consentSeconds"),
            (r#"{"linkServed":"twice"}"#, "twice"),
            (r#"{"pageSize":0}"#, "0"),
            (r#"{"listLagSeconds":4000}"#, "listLagSeconds"),
            (r#"{"acceptedKeys":["ABC"]}"#, "acceptedKeys"),
            (r#"{"apiOrigin":"ftp://x"}"#, "apiOrigin"),
            (r#"{"publications":{"republisch":"update"}}"#, "republisch"),
            (r#"{"publications":7}"#, "7"),
            (r#"{"dataActionTargets":{"seconds":-1}}"#, "dataActionTargets.seconds"),
        ] {
            let error = patch(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn the_mixed_dialect_alternates() {
        let settings = patch(r#"{"dialect":"mixed"}"#).unwrap();
        assert_eq!(settings.dialect_of(2), Dialect::Reference);
        assert_eq!(settings.dialect_of(3), Dialect::Cli);
        assert_eq!(settings.connect_delay(2), SignedDuration::from_secs(1));
        assert_eq!(settings.connect_delay(3), SignedDuration::ZERO);
        let turns = [0, 1, 2, 3, 4].map(|serial| settings.key_set_of(serial));
        let [crossed, both] = [KeySet::Crossed, KeySet::Both];
        assert_eq!(turns, [crossed, both, KeySet::Reference, KeySet::Cli, crossed]);
    }
}
