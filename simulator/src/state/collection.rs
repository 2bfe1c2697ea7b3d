//! The two collections of access that AppLink keeps for an add-on: connections and authorizations. What is said of one
//! and not of the other is said here, and where an answer is spelled.
//!
//! Must not know what is in them. Called by `access` and by everything that asks for a collection.

/// A collection of access: each has its own path, its own words, and names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collection {
    /// An org that apps are published to.
    Connections,
    /// A user whose credentials an app may fetch.
    Authorizations,
}

impl Collection {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Connections, Self::Authorizations];

    /// Its path segment.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Authorizations => "authorizations",
        }
    }

    /// What people call one in it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Connections => "Connection",
            Self::Authorizations => "Authorization",
        }
    }

    /// The field of the name of one in it.
    pub fn name_field(self) -> &'static str {
        match self {
            Self::Connections => "connection_name",
            Self::Authorizations => "developer_name",
        }
    }

    /// Whether a JWT opens this provider's orgs: for a connection to Data Cloud there is no route.
    pub fn takes_jwt(self, provider: Provider) -> bool {
        (self, provider) != (Self::Connections, Provider::DataCloud)
    }
}

/// What kind of org an access leads to.
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
