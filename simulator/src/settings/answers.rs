//! Switches for how answers look: whose spelling, which shape.
//!
//! Must not act. Part of `Settings`; read by `http`.

use serde::{Deserialize, Serialize};

/// Whose spelling the answers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// The Dev Center article, its `api_verion` included.
    Reference,
    /// The types and fixtures of the Heroku CLI plugin.
    Cli,
    /// Objects take turns in the order of their creation: some keys of each, all keys of both, the article's, the
    /// plugin's. Timestamps have no fraction, and there are fields that neither has.
    Mixed,
}

/// Whose keys one object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// The article's.
    Reference,
    /// The plugin's.
    Cli,
    /// For each thing the key of one of them.
    Crossed,
    /// For each thing the keys of both.
    Both,
}

/// How a GET of one connection answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OneAnswer {
    /// The connection.
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

/// How a DELETE answers.
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

/// Which answers have the link to where consent is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LinkServed {
    /// That of the POST only.
    Once,
    /// Lists and GETs too, as long as consent is waited for.
    Always,
    /// The same, and even when it no longer is.
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

/// What `org` is of a connection that is `connecting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PendingOrg {
    /// What the dialect makes of it: ids that are empty or absent, before anybody consented.
    Dialect,
    /// Nothing at all.
    Absent,
    /// `null`
    Null,
    /// `{}`
    Empty,
    /// An object with the name and the type, and `null` for what is not known yet.
    Nulls,
    /// An org, be it not the one that is chosen in the end.
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
    /// In both places.
    Both,
}

/// Fields that answers may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Omitted {
    /// `created_at`, `created_by`, `created_via_app`, `last_modified_at` and `last_modified_by`.
    Provenance,
    /// `connection_method`
    Method,
    /// `org.type`
    OrgType,
    /// The user through whom the org was reached.
    User,
    /// The access token.
    AccessToken,
}

/// How a field is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OmittedAs {
    /// Its key is not there.
    Absent,
    /// It is `null`.
    Null,
}

/// The `addon_id` of connections in the list by add-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListedAddonId {
    /// Theirs, where the dialect has it.
    Own,
    /// Another add-on's.
    Foreign,
}

/// The status in a DELETE's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeleteStatus {
    /// The true one: as a rule `disconnecting`.
    Actual,
    /// `disconnected`, while it is not yet so.
    Disconnected,
}

/// The status of what was deleted until it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusAfterDelete {
    /// `disconnecting`
    Disconnecting,
    /// `disconnected`, from the DELETE on.
    Disconnected,
}

/// The status code of a POST that worked.
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

/// How a list that is cut off tells that there is more.
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
    /// A page, as routers answer.
    Html,
    /// None.
    Empty,
}
