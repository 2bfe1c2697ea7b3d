//! What is published, once all that it is made from was read: checked, packed and digested.
//!
//! Pure. `control::kind::publication` reads the ConfigMaps; `openapi` judges the document, `archive` packs it.

use super::digest;
use crate::conditions::ConditionReport;
use crate::crd::{ConfigMapKeyRef, NamedOrMetadata, PublicationSpec, Reason};
use crate::document::archive::{Contents, archive, judge_metadata};
use crate::document::openapi::Document;

/// A publication as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPublication {
    /// `client_name`
    pub client_name: String,
    /// `authorization_permission_set_name`
    pub permission_set: Option<String>,
    /// `authorization_external_client_app_name`
    pub external_client_app: Option<String>,
    /// `authorization_connected_app_name`
    pub connected_app: Option<String>,
    /// The ZIP archive, the same for the same inputs.
    pub archive: Vec<u8>,
    /// Digest of all of it.
    pub hash: String,
}

/// What the ConfigMaps hold that a spec refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The OpenAPI document.
    pub document: Vec<u8>,
    /// Metadata of a permission set.
    pub permission_set: Option<Vec<u8>>,
    /// Metadata of a connected app.
    pub connected_app: Option<Vec<u8>>,
}

impl DesiredPublication {
    /// What the spec declares with these texts. The document of one whose digest is that of one found `good` before is not
    /// judged again, since a large one takes much longer to judge than to digest.
    ///
    /// # Errors
    /// The verdict to show where one of them is unusable.
    pub fn new(spec: &PublicationSpec, texts: &Texts, good: Option<&str>) -> Result<Self, ConditionReport> {
        let from = spec.api_spec.config_map_key_ref.as_ref();
        let unusable = |at: Option<&ConfigMapKeyRef>, why: String| {
            let place =
                at.map_or("spec.apiSpec.inline".to_owned(), |at| format!("ConfigMap {}, key {}", at.name, at.key));
            ConditionReport::stalled(Reason::InvalidSpec, format!("{place}: {why}"))
        };
        let document = Document::read(&texts.document, from.map(|at| at.key.as_str()));
        let document = document.map_err(|why| unusable(from, why))?;
        let hash = digest_of(spec, &document, texts);
        if good != Some(&hash) {
            document.judge().map_err(|why| unusable(from, why))?;
        }
        let metadata = [
            (&texts.permission_set, &spec.permission_set, "PermissionSet"),
            (&texts.connected_app, &spec.connected_app, "ConnectedApp"),
        ];
        for (text, declared, wanted) in metadata {
            let Some(text) = text else { continue };
            let at = declared.as_ref().and_then(NamedOrMetadata::metadata);
            judge_metadata(text, wanted).map_err(|why| unusable(at, why))?;
        }
        let contents = Contents {
            document: &document,
            connected_app: texts.connected_app.as_deref(),
            permission_set: texts.permission_set.as_deref(),
        };
        let archive = archive(&contents)
            .map_err(|why| ConditionReport::stalled(Reason::InvalidSpec, format!("what is to be published: {why}")))?;
        Ok(Self {
            client_name: spec.client_name.clone(),
            permission_set: name(spec.permission_set.as_ref()).map(str::to_owned),
            external_client_app: spec.external_client_app.as_ref().map(|app| app.name.trim().to_owned()),
            connected_app: name(spec.connected_app.as_ref()).map(str::to_owned),
            archive,
            hash,
        })
    }
}

/// Over what goes into the archive rather than over its bytes: another version of the packer changes nothing.
fn digest_of(spec: &PublicationSpec, document: &Document, texts: &Texts) -> String {
    let text = |part: Option<&Vec<u8>>| part.map(|part| String::from_utf8_lossy(part).into_owned()).unwrap_or_default();
    digest(&[
        "publication",
        &spec.client_name,
        name(spec.permission_set.as_ref()).unwrap_or_default(),
        spec.external_client_app.as_ref().map_or("", |app| app.name.trim()),
        name(spec.connected_app.as_ref()).unwrap_or_default(),
        document.file_name(),
        &document.text,
        &text(texts.connected_app.as_ref()),
        &text(texts.permission_set.as_ref()),
    ])
}

fn name(of: Option<&NamedOrMetadata>) -> Option<&str> {
    of?.name.as_deref().map(str::trim)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_found_good_as_it_is_is_not_judged_again() {
        let spec = |client: &str| -> PublicationSpec {
            let spec = json!({"connectionRef": {"name": "c"}, "clientName": client, "apiSpec": {"inline": ""}});
            serde_json::from_value(spec).unwrap()
        };
        let texts = |document: &str| Texts { document: document.into(), ..Texts::default() };
        let good = "openapi: 3.0.3\ninfo: {display_name: t, version: '1'}\npaths: {}\n";
        let hash = DesiredPublication::new(&spec("Orders"), &texts(good), None).unwrap().hash;
        let again = DesiredPublication::new(&spec("Orders"), &texts(good), Some(&hash));
        assert_eq!(again, DesiredPublication::new(&spec("Orders"), &texts(good), None));
        let bad = Document::read(b"swagger: '2.0'", None).unwrap();
        let hash = digest_of(&spec("Orders"), &bad, &texts(&bad.text));
        let judged = |client: &str, text: &str| DesiredPublication::new(&spec(client), &texts(text), Some(&hash));
        assert!(judged("Orders", &bad.text).is_ok(), "as somebody vouches for it");
        for (client, text) in [("Carts", bad.text.as_str()), ("Orders", "swagger: '2.1'"), ("Orders", "")] {
            assert_eq!(judged(client, text).unwrap_err().reason, Reason::InvalidSpec, "{client} {text}");
        }
    }
}
