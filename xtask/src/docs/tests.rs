//! Checks that each field is described, that each reason says what to do, and that the API server would accept each example.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::core::cel::validate_cel;
use serde_json::Value;

use super::*;
use applink_operator::crd::{AppLinkAddon, Authorization, Connection, DataActionTarget, Publication};

/// The pages that people write, at least in part.
const WRITTEN: [(&str, &str); 15] = [
    ("the front page", include_str!("../../../README.md")),
    ("README.md", include_str!("../../../docs/README.md")),
    ("policies.md", include_str!("../../../docs/policies.md")),
    ("errors.md", include_str!("../../../docs/errors.md")),
    ("applinkaddon.md", include_str!("../../../docs/applinkaddon.md")),
    ("connection.md", include_str!("../../../docs/connection.md")),
    ("authorization.md", include_str!("../../../docs/authorization.md")),
    ("publication.md", include_str!("../../../docs/publication.md")),
    ("dataactiontarget.md", include_str!("../../../docs/dataactiontarget.md")),
    ("simulator.md", include_str!("../../../docs/simulator.md")),
    ("install.md", include_str!("../../../docs/install.md")),
    ("gitops.md", include_str!("../../../docs/gitops.md")),
    ("rotate-a-key.md", include_str!("../../../docs/rotate-a-key.md")),
    ("recover.md", include_str!("../../../docs/recover.md")),
    ("admission.md", include_str!("../../../docs/admission.md")),
];

fn schema(definition: &CustomResourceDefinition) -> &JSONSchemaProps {
    definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()
}

#[test]
fn every_field_is_described_and_appears() {
    for definition in crd::definitions() {
        let page = kind::reference(&definition);
        for (part, schema) in schema(&definition).properties.iter().flatten() {
            let fields = kind::fields(schema);
            assert!(fields.len() > 5, "the fields of {part} are no longer found");
            for field in fields {
                let about = field.schema.description.as_deref().unwrap_or_default();
                assert!(!about.trim().is_empty(), "{part}.{} has no description", field.path);
                assert!(page.contains(&format!("| `{}` |", field.path)), "{part}.{} is left out", field.path);
            }
        }
    }
}

#[test]
fn every_reason_has_a_meaning_and_a_remedy() {
    let page = reasons();
    for reason in Reason::ALL {
        assert!(page.contains(&format!("### {reason}\n\n{}", reason.meaning())), "{reason}");
        let ends = |text: &str| text.ends_with('.') && !text.contains("  ");
        assert!(ends(reason.meaning()) && ends(reason.remedy()), "{reason}");
    }
}

#[test]
fn the_written_part_stays_and_the_generated_part_is_replaced() {
    let page = Page { file: "x.md".to_owned(), title: "X".to_owned(), generated: "new\n".to_owned() };
    let first = page.refreshed("").unwrap();
    assert_eq!(first, format!("# X\n\n{MARK}\nnew\n"));
    let edited = first.replace("# X\n", "# X\n\nBy hand.\n").replace("new", "old");
    let again = page.refreshed(&edited).unwrap();
    assert_eq!(again, edited.replace("old", "new"));
    assert_eq!(page.refreshed(&again).unwrap(), again);
    assert!(page.refreshed("# X\n\nthe mark is gone\n").unwrap_err().contains("x.md lacks the line"));
}

#[test]
fn every_page_has_a_written_part() {
    for page in pages() {
        let (_, text) = WRITTEN.iter().find(|(file, _)| **file == page.file).expect("a page that is listed here");
        let (written, _) = text.split_once(MARK).unwrap();
        assert!(written.lines().count() > 5, "{} does not describe its behaviour", page.file);
    }
}

/// The examples in a page: the AppLink resources in its YAML blocks.
fn examples(page: &str) -> Vec<Value> {
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let objects = blocks.flat_map(|block| block.split("---\n"));
    let values =
        objects.map(|text| serde_saphyr::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
    values.filter(|value| value["apiVersion"] == "applink.dev/v1alpha1").collect()
}

/// The first key that the schema does not know.
fn unknown(value: &Value, schema: &JSONSchemaProps) -> Option<String> {
    let (Value::Object(fields), Some(known)) = (value, &schema.properties) else { return None };
    fields.iter().find_map(|(key, value)| match known.get(key) {
        Some(schema) => unknown(value, schema),
        None => Some(key.clone()),
    })
}

fn refused(example: Value) -> Option<String> {
    macro_rules! validate {
        ($kind:ty) => {
            serde_json::from_value::<$kind>(example).map_or_else(
                |error| Some(error.to_string()),
                |object| Some(format!("{:?}", validate_cel(&object).err()?)),
            )
        };
    }
    match example["kind"].as_str().unwrap_or_default() {
        "AppLinkAddon" => validate!(AppLinkAddon),
        "Connection" => validate!(Connection),
        "Authorization" => validate!(Authorization),
        "Publication" => validate!(Publication),
        "DataActionTarget" => validate!(DataActionTarget),
        other => Some(format!("no kind {other}")),
    }
}

#[test]
fn every_example_is_valid() {
    let mut kinds = Vec::new();
    for (file, text) in WRITTEN {
        for example in examples(text) {
            let kind = example["kind"].as_str().unwrap_or_default().to_owned();
            let definition = crd::definitions().into_iter().find(|it| it.spec.names.kind == kind).expect(&kind);
            let typo = unknown(&example["spec"], &schema(&definition).properties.as_ref().unwrap()["spec"]);
            assert_eq!(typo, None, "{file}: {example}");
            assert_eq!(refused(example.clone()), None, "{file}: {example}");
            kinds.push(kind);
        }
    }
    for definition in crd::definitions() {
        let kind = &definition.spec.names.kind;
        assert!(kinds.contains(kind), "no example of a {kind}");
    }
}
