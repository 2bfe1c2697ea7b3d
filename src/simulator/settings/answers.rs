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
    /// Connections alternate between the two in the order of their creation.
    Mixed,
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
    /// 202 and the connection, `disconnecting`.
    Accepted,
    /// 204 without a body.
    NoContent,
    /// 200 and `{}`.
    EmptyObject,
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
