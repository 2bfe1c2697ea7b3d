//! The two collections that AppLink has for an add-on: connections and authorizations. Their differences are here and in
//! `http::dialect`.
//!
//! Called by `org_access` and everything that needs a collection.

/// Connections or authorizations. Each collection has its own path, words and set of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collection {
    /// Access to an org that apps are published to.
    Connections,
    /// Access to an org as a user, whose credentials an app may fetch.
    Authorizations,
}

impl Collection {
    pub const ALL: [Self; 2] = [Self::Connections, Self::Authorizations];

    /// Its path segment.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Authorizations => "authorizations",
        }
    }

    /// The name of its type, in texts.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Connections => "Connection",
            Self::Authorizations => "Authorization",
        }
    }

    /// The field with the name.
    pub fn name_field(self) -> &'static str {
        match self {
            Self::Connections => "connection_name",
            Self::Authorizations => "developer_name",
        }
    }

    /// Whether JWT is supported: there is no route for a connection to Data Cloud.
    pub fn takes_jwt(self, provider: Provider) -> bool {
        (self, provider) != (Self::Connections, Provider::DataCloud)
    }
}

/// A type of org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// A Salesforce org.
    Salesforce,
    /// A Data Cloud org.
    DataCloud,
}

impl Provider {
    /// The provider of a path segment.
    pub fn of_segment(segment: &str) -> Option<Self> {
        match segment {
            "salesforce" => Some(Self::Salesforce),
            "datacloud" => Some(Self::DataCloud),
            _ => None,
        }
    }

    /// Its path segment.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::DataCloud => "datacloud",
        }
    }
}
