//! Publication: the app's API, published to a connected Salesforce org.
//!
//! Pure types and rules. `plan` decides from them, `control` reads the spec and writes the status.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{ConfigMapKeyRef, ObjectRef, initial_status, trimmed};
use super::condition::time_schema;
use super::remote::{DeletionPolicies, ManagementPolicies, RecordsRemote, RemoteStatus};

/// The app's API, published to a connected Salesforce org.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[kube(
    group = "applink.dev",
    version = "v1alpha1",
    kind = "Publication",
    plural = "publications",
    singular = "publication",
    shortname = "alpub",
    category = "applink",
    namespaced,
    status = "PublicationStatus",
    derive = "PartialEq",
    doc = "The app's API, published to a connected Salesforce org.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Client", type_ = "string", json_path = ".spec.clientName"),
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connectionRef.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.id", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, kube(cel))]
pub struct PublicationSpec {
    /// Connection to the org that the API is published to. Its provider must be Salesforce. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("connectionRef is immutable: create another Publication for another connection"))]
    pub connection_ref: ObjectRef,

    /// Name of the client that Salesforce generates from the API. Immutable.
    #[schemars(length(min = 1, max = 80))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z](_?[A-Za-z0-9])*$')").message("clientName must begin with a letter, end with a letter or digit, and have only letters, digits and single underscores between (Salesforce names Apex classes after it)"),
        validation = Rule::new("self == oldSelf").message("clientName is immutable: delete this Publication and create another one")
    )]
    pub client_name: String,

    /// OpenAPI 3.x document that describes the API.
    pub api_spec: ApiSpec,

    /// Salesforce permission set that lets users call the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_set: Option<NamedOrMetadata>,

    /// Salesforce external client app that callers of the API use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_client_app: Option<Named>,

    /// Salesforce connected app that callers of the API use. Deprecated by Salesforce, which creates no new ones since Spring '26. Use externalClientApp instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_app: Option<NamedOrMetadata>,

    /// The policies.
    #[serde(flatten)]
    pub handling: ManagementPolicies,

    /// The policies for deletion and replacement.
    #[serde(flatten)]
    pub ending: DeletionPolicies,
}

/// Source of an OpenAPI document.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.configMapKeyRef) != has(self.inline)").message("set exactly one of apiSpec.configMapKeyRef and apiSpec.inline"))]
pub struct ApiSpec {
    /// Reference to the ConfigMap that holds the document, in data or binaryData. If the key ends in .json, the document is JSON; if it ends in .yaml or .yml, YAML. Otherwise its content decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
    /// The document, inline, in YAML or JSON. At most 196,608 characters, because Kubernetes limits the size of an object. Put a larger document into a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 196_608))]
    pub inline: Option<String>,
}

/// A Salesforce component, by its name.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
pub struct Named {
    /// API name in Salesforce.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("name"))]
    pub name: String,
}

/// A Salesforce component: the name of an existing one, or the metadata to create it from.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) != has(self.metadataConfigMapKeyRef)").message("set exactly one of name (it exists in Salesforce) and metadataConfigMapKeyRef (Salesforce creates it from this metadata)"))]
pub struct NamedOrMetadata {
    /// API name of an existing component in Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("name"))]
    pub name: Option<String>,
    /// Reference to the ConfigMap that holds the Salesforce metadata (XML) to create it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_config_map_key_ref: Option<ConfigMapKeyRef>,
}

impl NamedOrMetadata {
    /// Source of the metadata, if it is set.
    #[must_use]
    pub fn metadata(&self) -> Option<&ConfigMapKeyRef> {
        self.metadata_config_map_key_ref.as_ref()
    }
}

/// The publication as AppLink reports it, and the conditions.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct PublicationStatus {
    /// Fields shared by all remote kinds.
    #[serde(flatten)]
    pub remote: RemoteStatus,
    /// ID of the connection that the API was published through.
    #[serde(rename = "connectionID", default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// ID of the external service registration in Salesforce.
    #[serde(rename = "externalServiceID", default, skip_serializing_if = "Option::is_none")]
    pub external_service_id: Option<String>,
    /// Name of the external service in Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_service_name: Option<String>,
    /// When this resource last published the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub last_published_at: Option<jiff::Timestamp>,
    /// When the publication was last modified, as AppLink reported it after this resource last published. If AppLink reports another time, somebody else published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<String>,
}

impl RecordsRemote for PublicationStatus {
    fn remote(&self) -> &RemoteStatus {
        &self.remote
    }
    fn remote_mut(&mut self) -> &mut RemoteStatus {
        &mut self.remote
    }
}
