//! Publication: the app's API, published to a connected Salesforce org.
//!
//! Pure types and rules. `plan::kinds::publication` decides with it, `control` resolves and reports by it.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{ConfigMapKeyRef, ObjectRef, initial_status, trimmed};
use super::remote::{DeletionPolicies, ManagementPolicies, RecordsRemote, RemoteStatus};

/// The app's API, published to a connected Salesforce org.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
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
    /// The Connection, of provider Salesforce, to whose org the API is published. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("connectionRef is immutable: create another Publication for another connection"))]
    pub connection_ref: ObjectRef,

    /// Name of the client that Salesforce makes of the API. Immutable.
    #[schemars(length(min = 1, max = 80))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z](_?[A-Za-z0-9])*$')").message("clientName must begin with a letter, end with a letter or digit, and have only letters, digits and single underscores between (Salesforce names Apex classes after it)"),
        validation = Rule::new("self == oldSelf").message("clientName is immutable: delete this Publication and create another one")
    )]
    pub client_name: String,

    /// The OpenAPI 3.x document that describes the API.
    pub api_spec: ApiSpec,

    /// Salesforce permission set that lets users call the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_set: Option<NamedOrMetadata>,

    /// Salesforce external client app that the API is called through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_client_app: Option<Named>,

    /// Salesforce connected app that the API is called through. Deprecated by Salesforce: since Spring '26 no new ones can be made; use externalClientApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_app: Option<NamedOrMetadata>,

    /// What the operator may do.
    #[serde(flatten)]
    pub handling: ManagementPolicies,

    /// What it does in the end.
    #[serde(flatten)]
    pub ending: DeletionPolicies,
}

/// Where an OpenAPI document is.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.configMapKeyRef) != has(self.inline)").message("set exactly one of apiSpec.configMapKeyRef and apiSpec.inline"))]
pub struct ApiSpec {
    /// In a ConfigMap, under data or binaryData. A key that ends in .json is read as JSON, one in .yaml or .yml as YAML, any other by its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
    /// The document itself, in YAML or JSON, of at most 196,608 characters: Kubernetes limits how large an object may be. Put a larger one into a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 196_608))]
    pub inline: Option<String>,
}

/// Something in Salesforce, by its name.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
pub struct Named {
    /// Its API name in Salesforce.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("name"))]
    pub name: String,
}

/// Something in Salesforce, by its name, or by metadata that it is made from.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) != has(self.metadataConfigMapKeyRef)").message("set exactly one of name (it exists in Salesforce) and metadataConfigMapKeyRef (it is made from this metadata)"))]
pub struct NamedOrMetadata {
    /// The API name of one that exists in Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("name"))]
    pub name: Option<String>,
    /// Salesforce metadata (XML) to make it from, in a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_config_map_key_ref: Option<ConfigMapKeyRef>,
}

impl NamedOrMetadata {
    /// Where the metadata is, if that is what it is made from.
    #[must_use]
    pub fn metadata(&self) -> Option<&ConfigMapKeyRef> {
        self.metadata_config_map_key_ref.as_ref()
    }
}

/// What AppLink says of the publication, and how it goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct PublicationStatus {
    /// What all remote kinds have.
    #[serde(flatten)]
    pub remote: RemoteStatus,
    /// Id of the connection that the API was published through.
    #[serde(rename = "connectionID", default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// Id of the external service registration in Salesforce.
    #[serde(rename = "externalServiceID", default, skip_serializing_if = "Option::is_none")]
    pub external_service_id: Option<String>,
    /// Name of the external service in Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_service_name: Option<String>,
    /// When the API was last published by this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_published_at: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
    /// When the publication was last modified, as the service said after we last published; where it says otherwise, somebody else published.
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
