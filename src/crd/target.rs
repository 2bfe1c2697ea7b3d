//! DataActionTarget: a webhook of the app that Data Cloud calls.
//!
//! Pure types and rules. `plan` decides from them, `control` reads the spec and writes the status.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{ObjectRef, initial_status, trimmed};
use super::remote::{ManagementPolicies, RecordsRemote, RemoteStatus};

/// A webhook of the app that Data Cloud calls. AppLink can neither change nor delete it; it disappears together with its connection.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[kube(
    group = "applink.dev",
    version = "v1alpha1",
    kind = "DataActionTarget",
    plural = "dataactiontargets",
    singular = "dataactiontarget",
    shortname = "aldat",
    category = "applink",
    namespaced,
    status = "DataActionTargetStatus",
    derive = "PartialEq",
    doc = "A webhook of the app that Data Cloud calls. AppLink can neither change nor delete it; it disappears together with its connection.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Label", type_ = "string", json_path = ".spec.label"),
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
#[x_kube(
    validation = Rule::new("(has(self.apiName) ? self.apiName : self.label.replace(' ', '_')) == (has(oldSelf.apiName) ? oldSelf.apiName : oldSelf.label.replace(' ', '_'))").message("apiName is immutable: AppLink cannot change a target; create another DataActionTarget"),
    validation = Rule::new("(has(self.apiName) ? self.apiName : self.label.replace(' ', '_')).matches('^[A-Za-z](_?[A-Za-z0-9])*$') && size(has(self.apiName) ? self.apiName : self.label) >= 3 && size(has(self.apiName) ? self.apiName : self.label) <= 30").message("apiName (by default the label with spaces replaced by _) must have 3 to 30 characters, begin with a letter, end with a letter or digit, and have only letters, digits and single underscores between: set apiName"),
    validation = Rule::new("self.type == oldSelf.type").message("type is immutable: AppLink cannot change a target; create another DataActionTarget")
)]
pub struct DataActionTargetSpec {
    /// Connection to the org that the target belongs to. Its provider must be DataCloud. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("connectionRef is immutable: create another DataActionTarget for another connection"))]
    pub connection_ref: ObjectRef,

    /// Label of the target in Data Cloud. Immutable.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("label"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("label is immutable: AppLink cannot change a target; create another DataActionTarget"))]
    pub label: String,

    /// Name of the target in AppLink, 3 to 30 characters. The default is the label with spaces replaced by _. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 30))]
    pub api_name: Option<String>,

    /// Path in the app that Data Cloud calls, such as /webhooks/customer-update. Immutable.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(
        validation = Rule::new(r"self.matches('^/\\S*$')").message("targetEndpoint must be a path in the app that begins with /, not a URL"),
        validation = Rule::new("self == oldSelf").message("targetEndpoint is immutable: AppLink cannot change a target; create another DataActionTarget")
    )]
    pub target_endpoint: String,

    /// How Data Cloud calls the target. Immutable.
    #[serde(rename = "type", default)]
    pub kind: TargetType,

    /// The policies.
    #[serde(flatten)]
    pub handling: ManagementPolicies,
}

impl DataActionTargetSpec {
    /// Name of the target in AppLink.
    #[must_use]
    pub fn name(&self) -> String {
        self.api_name.clone().unwrap_or_else(|| self.label.replace(' ', "_"))
    }
}

/// How Data Cloud calls a target.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum TargetType {
    /// By HTTP.
    #[default]
    Webhook,
}

/// The data action target as AppLink reports it, and the conditions.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct DataActionTargetStatus {
    /// Fields shared by all remote kinds.
    #[serde(flatten)]
    pub remote: RemoteStatus,
    /// ID of the connection that the target was created on.
    #[serde(rename = "connectionID", default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
}

impl RecordsRemote for DataActionTargetStatus {
    fn remote(&self) -> &RemoteStatus {
        &self.remote
    }
    fn remote_mut(&mut self) -> &mut RemoteStatus {
        &mut self.remote
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target(spec: Value) -> DataActionTarget {
        let mut whole =
            json!({"connectionRef": {"name": "c"}, "label": "Customer Updates", "targetEndpoint": "/updates"});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let kind = "DataActionTarget";
        let object =
            json!({"apiVersion": "applink.dev/v1alpha1", "kind": kind, "metadata": {"name": "t"}, "spec": whole});
        serde_json::from_value(object).expect("decodes")
    }

    fn refused<T: std::fmt::Debug>(result: Result<(), T>, hint: &str) {
        let told = format!("{:?}", result.expect_err(hint));
        assert!(told.contains(hint), "{told} lacks {hint}");
    }

    #[test]
    fn the_label_gives_the_name_where_none_is_given() {
        assert_eq!(target(json!({})).spec.name(), "Customer_Updates");
        assert_eq!(target(json!({"apiName": "updates"})).spec.name(), "updates");
        for fine in [json!({}), json!({"apiName": "updates", "label": "Änderungen, alle!"}), json!({"type": "Webhook"})]
        {
            target(fine).validate_cel().expect("in order");
        }
    }

    #[test]
    fn names_and_endpoints_that_cannot_be_are_refused_with_a_way_out() {
        let names = [
            json!({"apiName": "ab"}),
            json!({"apiName": "a__b"}),
            json!({"apiName": "a-b-c"}),
            json!({"apiName": "_abc"}),
            json!({"label": "Customer  Updates"}),
            json!({"label": "Customer Updates!"}),
            json!({"label": "Customer Updates of the whole company"}),
        ];
        for spec in names {
            refused(target(spec).validate_cel(), "set apiName");
        }
        for endpoint in ["updates", "https://example.com/updates", "", "/a b", "/a\tb", "/a\nb"] {
            refused(target(json!({"targetEndpoint": endpoint})).validate_cel(), "begins with /");
        }
    }

    #[test]
    fn nothing_of_a_target_changes_but_how_it_is_handled() {
        let old = target(json!({}));
        let same = [
            json!({"apiName": "Customer_Updates"}),
            json!({"suspend": true, "managementPolicy": "Observe", "adoptionPolicy": "Never"}),
        ];
        for spec in same {
            target(spec.clone()).validate_cel_update(&old).expect("the same");
            old.validate_cel_update(&target(spec)).expect("the same");
        }
        let changes = [
            (json!({"apiName": "updates"}), "apiName is immutable"),
            (json!({"apiName": "customer_updates"}), "apiName is immutable"),
            (json!({"label": "Customer News"}), "label is immutable"),
            (json!({"targetEndpoint": "/news"}), "targetEndpoint is immutable"),
            (json!({"connectionRef": {"name": "other"}}), "connectionRef is immutable"),
        ];
        for (spec, hint) in changes {
            refused(target(spec).validate_cel_update(&old), hint);
        }
    }
}
