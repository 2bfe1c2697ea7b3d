//! Inputs of a Publication: the OpenAPI document and its metadata, checked, packed and digested.
//!
//! Pure. `control::kinds::publication` reads the ConfigMaps; `document` validates and packs them.

use serde::{Deserialize, Serialize};

use super::digest;
use crate::conditions::ConditionReport;
use crate::crd::{ConfigMapKeyRef, NamedOrMetadata, PublicationSpec, Reason};
use crate::document::archive::{Contents, archive, validate_metadata};
use crate::document::openapi::Document;

/// Everything that a publish call sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationPayload {
    /// `client_name`
    pub client_name: String,
    /// `authorization_permission_set_name`
    pub permission_set: Option<String>,
    /// `authorization_external_client_app_name`
    pub external_client_app: Option<String>,
    /// `authorization_connected_app_name`
    pub connected_app: Option<String>,
    /// ZIP archive; the same inputs give the same bytes.
    pub archive: Vec<u8>,
    /// Digest of all inputs.
    pub hash: String,
}

/// What a plan needs to know about a [`PublicationPayload`]: no content.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicationInputs {
    /// Digest of all inputs.
    pub hash: String,
}

/// Content of the ConfigMaps that a spec refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The OpenAPI document.
    pub document: Vec<u8>,
    /// Metadata of a permission set, XML.
    pub permission_set: Option<Vec<u8>>,
    /// Metadata of a connected app, XML.
    pub connected_app: Option<Vec<u8>>,
}

impl PublicationPayload {
    /// Checks and packs what the spec declares.
    ///
    /// # Errors
    /// The conditions to report if an input is unusable.
    pub fn new(spec: &PublicationSpec, texts: &Texts) -> Result<Self, ConditionReport> {
        let from = spec.api_spec.config_map_key_ref.as_ref();
        let unusable = |at: Option<&ConfigMapKeyRef>, why: String| {
            let place =
                at.map_or("spec.apiSpec.inline".to_owned(), |at| format!("ConfigMap {}, key {}", at.name, at.key));
            ConditionReport::stalled(Reason::InvalidSpec, format!("{place}: {why}"))
        };
        let document = Document::read(&texts.document, from.map(|at| at.key.as_str()));
        let document = document.map_err(|why| unusable(from, why))?;
        let hash = digest_of(spec, &document, texts);
        document.validate().map_err(|why| unusable(from, why))?;
        let metadata = [
            (&texts.permission_set, &spec.permission_set, "PermissionSet"),
            (&texts.connected_app, &spec.connected_app, "ConnectedApp"),
        ];
        for (text, declared, wanted) in metadata {
            let Some(text) = text else { continue };
            let at = declared.as_ref().and_then(NamedOrMetadata::metadata);
            validate_metadata(text, wanted).map_err(|why| unusable(at, why))?;
        }
        let contents = Contents {
            document: &document,
            connected_app: texts.connected_app.as_deref(),
            permission_set: texts.permission_set.as_deref(),
        };
        let archive = archive(&contents).map_err(|why| {
            ConditionReport::stalled(Reason::InvalidSpec, format!("the publication is unusable: {why}"))
        })?;
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

impl PublicationPayload {
    /// What a plan needs to know about it.
    #[must_use]
    pub fn inputs(&self) -> PublicationInputs {
        PublicationInputs { hash: self.hash.clone() }
    }
}

/// Digest of the content of the archive, not of its bytes: another version of the packer is no change.
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
