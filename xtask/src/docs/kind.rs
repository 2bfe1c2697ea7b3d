//! The reference of one kind: its fields with types and defaults, its validation rules, and the columns of `kubectl get`.
//!
//! Pure. It is generated from the definition that the API server uses, so the two cannot differ.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion, JSON, JSONSchemaProps,
    JSONSchemaPropsOrArray,
};
use serde_json::Value;

/// A field, at any depth.
pub(super) struct Field<'a> {
    /// Its path below `spec` or `status`, like `jwt.privateKeySecretRef.name` or `conditions[].type`.
    pub(super) path: String,
    pub(super) schema: &'a JSONSchemaProps,
    required: bool,
}

/// Description of the kind.
pub(super) fn about(definition: &CustomResourceDefinition) -> String {
    definition.spec.versions.iter().find_map(schema_of).map(description).unwrap_or_default()
}

/// The reference for all versions of the kind.
pub(super) fn reference(definition: &CustomResourceDefinition) -> String {
    definition.spec.versions.iter().map(|version| section(definition, version)).collect::<Vec<_>>().join("\n")
}

fn section(definition: &CustomResourceDefinition, version: &CustomResourceDefinitionVersion) -> String {
    let names = &definition.spec.names;
    let (group, short) = (&definition.spec.group, names.short_names.iter().flatten().next().unwrap_or(&names.plural));
    let mut text = format!(
        "## Reference\n\n`apiVersion: {group}/{}`, `kind: {}`. `kubectl get {short}` lists the resources in a namespace.\n\n",
        version.name, names.kind
    );
    let part = |name| schema_of(version).and_then(|schema| schema.properties.as_ref()?.get(name));
    if let Some(spec) = part("spec") {
        text.push_str(&format!("### spec\n\n{}\n{}", spec_table(spec), refusals(spec)));
    }
    if let Some(status) = part("status") {
        text.push_str(&format!("### status\n\n{}\n", status_table(status)));
    }
    text.push_str(&column_table(version.additional_printer_columns.as_deref().unwrap_or_default()));
    text
}

fn schema_of(version: &CustomResourceDefinitionVersion) -> Option<&JSONSchemaProps> {
    version.schema.as_ref()?.open_api_v3_schema.as_ref()
}

/// All fields of a schema, each before the fields inside it.
pub(super) fn fields(schema: &JSONSchemaProps) -> Vec<Field<'_>> {
    let required = schema.required.as_deref().unwrap_or_default();
    let own = schema.properties.iter().flatten();
    own.flat_map(|(name, schema)| {
        let within = fields(item_of(schema).unwrap_or(schema));
        let dot = if item_of(schema).is_some() { "[]." } else { "." };
        let within = within.into_iter().map(move |field| Field { path: format!("{name}{dot}{}", field.path), ..field });
        std::iter::once(Field { path: name.clone(), schema, required: required.contains(name) }).chain(within)
    })
    .collect()
}

fn item_of(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(item) => Some(item),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn spec_table(schema: &JSONSchemaProps) -> String {
    let row = |Field { path, schema, required }: Field<'_>| {
        let value = match &schema.default {
            Some(JSON(default)) => format!("`{}`", bare(default)),
            None if required => "required".to_owned(),
            None => String::new(),
        };
        format!("| `{path}` | {} | {value} | {} |\n", type_of(schema), description(schema))
    };
    let rows: String = fields(schema).into_iter().map(row).collect();
    format!("| field | type | default | description |\n|---|---|---|---|\n{rows}")
}

fn status_table(schema: &JSONSchemaProps) -> String {
    let row = |field: Field<'_>| {
        format!("| `{}` | {} | {} |\n", field.path, type_of(field.schema), description(field.schema))
    };
    let rows: String = fields(schema).into_iter().map(row).collect();
    format!("| field | type | description |\n|---|---|---|\n{rows}")
}

fn description(schema: &JSONSchemaProps) -> String {
    cell(schema.description.as_deref().unwrap_or_default())
}

/// The type of a field, as readers see it.
fn type_of(schema: &JSONSchemaProps) -> String {
    if let Some(values) = &schema.enum_ {
        return values.iter().map(|JSON(value)| format!("`{}`", bare(value))).collect::<Vec<_>>().join(" or ");
    }
    let name = match schema.format.as_deref() {
        Some("date-time") => "time",
        _ => schema.type_.as_deref().unwrap_or("any"),
    };
    let length = match (schema.min_length, schema.max_length) {
        (Some(least), Some(most)) => format!(" of {least} to {most} characters"),
        (Some(least), None) => format!(" of {least} characters or more"),
        (None, Some(most)) => format!(" of up to {most} characters"),
        (None, None) => String::new(),
    };
    match item_of(schema) {
        Some(item) => format!("list of {}", type_of(item)),
        None => format!("{name}{length}"),
    }
}

/// The validation rules, as the messages of the API server.
fn refusals(spec: &JSONSchemaProps) -> String {
    let all = std::iter::once(("spec".to_owned(), spec));
    let all = all.chain(fields(spec).into_iter().map(|field| (field.path, field.schema)));
    let rules: String = all
        .flat_map(|(path, schema)| {
            let messages = schema.x_kubernetes_validations.iter().flatten().filter_map(|rule| rule.message.as_deref());
            messages.map(|message| format!("- `{path}`: {}\n", cell(message))).collect::<Vec<_>>()
        })
        .collect();
    format!("The API server rejects a resource that violates one of these rules, with this message:\n\n{rules}\n")
}

fn column_table(columns: &[CustomResourceColumnDefinition]) -> String {
    let row = |column: &CustomResourceColumnDefinition| {
        let wide = if column.priority.unwrap_or_default() > 0 { "with `-o wide`" } else { "" };
        format!("| {} | `{}` | {wide} |\n", column.name.to_uppercase(), column.json_path)
    };
    let rows: String = columns.iter().map(row).collect();
    format!("### Columns of kubectl get\n\n| column | from | |\n|---|---|---|\n{rows}")
}

/// A value as written in YAML.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that fits into a table cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}
