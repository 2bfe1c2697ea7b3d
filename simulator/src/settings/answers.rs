//! Settings for the form of responses: keys, words, status codes, shapes.
//!
//! Data only. Part of `Settings`; read by `http`.

use serde::{Deserialize, Serialize};

/// Which source the responses follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// The Dev Center article, its `api_verion` included.
    Reference,
    /// The types and fixtures of the Heroku CLI plugin.
    Cli,
    /// Objects alternate in the order of their creation: some keys of each source, all keys of both, the article's, the
    /// plugin's. Timestamps have no fraction, and there are fields that neither source has.
    Mixed,
}

/// Which keys an object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeySet {
    /// The article's.
    Reference,
    /// The plugin's.
    Cli,
    /// For each field the key of one source.
    Crossed,
    /// For each field the keys of both sources.
    Both,
}

/// How a GET of one connection answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OneAnswer {
    Object,
    /// An array of everything that matches.
    Array,
}

/// How a GET of an unknown connection answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownAnswer {
    /// 404 `record_not_found`.
    NotFound,
    /// 200 and an empty array, as if the segment named an app without connections.
    EmptyList,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeleteAnswer {
    /// 202 and the connection.
    Accepted,
    /// 202 without a body.
    AcceptedEmpty,
    /// 200 and the connection.
    Ok,
    /// 200 without a body.
    OkEmpty,
    /// 200 and `{}`.
    EmptyObject,
    /// 204, which has no body.
    NoContent,
}

/// Which responses have the consent link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LinkServed {
    /// Only the POST's.
    Once,
    /// Lists and GETs too, until somebody consents.
    Always,
    /// All of them, also after somebody consented.
    Forever,
}

/// The words for a connection's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusWords {
    /// Today's.
    Current,
    /// `error` for `failed`.
    Older,
    /// The pilot's: `authenticating`, `authenticated`, `authentication_failed`.
    Pilot,
    /// Today's, with a capital.
    Capitalised,
}

/// The key of the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusKey {
    /// `status`
    Status,
    /// `state`, as in the pilot.
    State,
}

/// The `org` of a connection that is `connecting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PendingOrg {
    /// As the dialect has it: before consent, ids are empty or absent.
    Dialect,
    /// Nothing at all.
    Absent,
    /// `null`
    Null,
    /// `{}`
    Empty,
    /// An object with the name and the type, and `null` for the rest.
    Nulls,
    /// A made-up org, which need not be the one that connects.
    Filled,
}

/// Where `connection_name` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NamePlace {
    /// In `org`.
    Org,
    /// Beside `org`.
    Top,
    Both,
}

/// Fields that a setting can remove from responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Omitted {
    /// `created_at`, `created_by`, `created_via_app`, `last_modified_at` and `last_modified_by`.
    Provenance,
    /// `connection_method`
    Method,
    /// `org.type`
    OrgType,
    /// The user of the connection.
    User,
    AccessToken,
}

/// How a response lacks a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OmittedAs {
    /// The key is absent.
    Absent,
    Null,
}

/// The `addon_id` of connections in the list by add-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListedAddonId {
    /// The right one, if the dialect has this field.
    Own,
    /// Another add-on's.
    Foreign,
}

/// The status in a DELETE's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeleteStatus {
    /// The real one, usually `disconnecting`.
    Actual,
    /// `disconnected`, although it is not yet.
    Disconnected,
}

/// The status after a DELETE until the object is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusAfterDelete {
    /// `disconnecting`
    Disconnecting,
    /// `disconnected`, from the DELETE on.
    Disconnected,
}

/// The status code of a successful POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CreateAnswer {
    /// 200
    Ok,
    /// 201
    Created,
    /// 202
    Accepted,
}

/// How a truncated list says that there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PageHeader {
    /// 200 and `Link: <...>; rel="next"`.
    Link,
    /// 206, `Content-Range` and `Next-Range`, as in the Platform API.
    ContentRange,
}

/// The body of AppLink's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorShape {
    /// `{id, message}`
    IdMessage,
    /// `{title, detail}`
    TitleDetail,
    /// `{error}`
    Error,
    /// An HTML page like that of a router.
    Html,
    Empty,
}
