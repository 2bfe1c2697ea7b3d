//! The upload of a publish: an archive with an OpenAPI document, and the fields beside it.
//!
//! Must not keep the files, only their names, sizes, dates and digests. Called by `publications` and
//! `http::publications`.

use std::io::{Cursor, Read};

use serde::Deserialize;
use thiserror::Error;
use zip::ZipArchive;

use crate::token::sha256_hex;

const MOST_FILES: usize = 10;
const MOST_YAML: u64 = 3 << 20;
const MOST_JSON: u64 = 10 << 20;
const MOST_UNCOMPRESSED: u64 = 20 << 20;

/// The upload of one POST.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upload {
    /// `client_name`
    pub client_name: String,
    /// `authorization_permission_set_name`
    pub permission_set: Option<String>,
    /// `authorization_connected_app_name`
    pub connected_app: Option<String>,
    /// `authorization_external_client_app_name`
    pub external_client_app: Option<String>,
    /// The contents of the archive. Empty for a planted publication.
    pub archive: Archive,
}

/// The contents of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// The SHA-256 of the archive in hex.
    pub sha256: String,
    /// Its files, in the order of its directory.
    pub entries: Vec<ArchiveEntry>,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    pub name: String,
    /// Its size, uncompressed.
    pub size: u64,
    /// The SHA-256 of its content in hex.
    pub sha256: String,
    /// Its modification time in the archive, without a time zone.
    pub modified: Option<String>,
}

/// Why an upload was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UploadError {
    /// It cannot be read.
    #[error("metadata is not a readable zip archive: {0}")]
    Unreadable(String),
    /// Two files have one name.
    #[error("metadata has two files of the same name")]
    SameName,
    /// A limit is exceeded.
    #[error("{what} must be at most {most}")]
    TooMuch {
        what: String,
        /// Its limit.
        most: u64,
    },
    /// Not exactly one OpenAPI document.
    #[error("metadata must hold exactly one of api-spec.json and api-spec.yaml")]
    Specs,
    /// The OpenAPI document cannot be used.
    #[error("{name} is not an OpenAPI 3 description: {why}")]
    Spec {
        name: String,
        /// Why not.
        why: String,
    },
    /// A file and a name for the same thing.
    #[error("{file} and {field} exclude each other")]
    Both { file: &'static str, field: &'static str },
}

impl Upload {
    /// Checks that no field excludes a file of the archive.
    pub(super) fn check(&self) -> Result<(), UploadError> {
        for (file, field, name) in [
            ("permissionset-meta.xml", "authorization_permission_set_name", &self.permission_set),
            ("connectedapp-meta.xml", "authorization_connected_app_name", &self.connected_app),
        ] {
            if name.is_some() && self.archive.entry(file).is_some() {
                return Err(UploadError::Both { file, field });
            }
        }
        Ok(())
    }
}

impl Archive {
    /// Reads an archive.
    pub fn read(bytes: &[u8]) -> Result<Self, UploadError> {
        let unreadable = |error: &dyn std::error::Error| UploadError::Unreadable(error.to_string());
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| unreadable(&e))?;
        if zip.has_duplicate_names() {
            return Err(UploadError::SameName);
        }
        if zip.len() > MOST_FILES {
            return Err(UploadError::TooMuch { what: "the number of files".to_owned(), most: MOST_FILES as u64 });
        }
        let mut archive = Self { sha256: sha256_hex(bytes), entries: Vec::new() };
        let (mut left, mut specs) = (MOST_UNCOMPRESSED, 0);
        for index in 0..zip.len() {
            let mut file = zip.by_index(index).map_err(|e| unreadable(&e))?;
            let name = file.name().map_err(|e| unreadable(&e))?.into_owned();
            let modified = file.last_modified().map(|at| at.to_string());
            let mut content = Vec::new();
            // The sizes in the directory may be wrong.
            (&mut file).take(left + 1).read_to_end(&mut content).map_err(|e| unreadable(&e))?;
            let size = content.len() as u64;
            let Some(rest) = left.checked_sub(size) else {
                return Err(UploadError::TooMuch { what: "all files together".to_owned(), most: MOST_UNCOMPRESSED });
            };
            left = rest;
            specs += usize::from(check_spec(&name, &content)?);
            archive.entries.push(ArchiveEntry { name, size, sha256: sha256_hex(&content), modified });
        }
        if specs == 1 { Ok(archive) } else { Err(UploadError::Specs) }
    }

    /// The file of this name.
    pub fn entry(&self, name: &str) -> Option<&ArchiveEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// The field of an OpenAPI document that is checked.
#[derive(Deserialize)]
struct Spec {
    openapi: String,
}

/// Whether a file is the OpenAPI document. Fails if it is not a valid one.
fn check_spec(name: &str, content: &[u8]) -> Result<bool, UploadError> {
    let (is_json, most) = match name {
        "api-spec.json" => (true, MOST_JSON),
        "api-spec.yaml" => (false, MOST_YAML),
        _ => return Ok(false),
    };
    if content.len() as u64 > most {
        return Err(UploadError::TooMuch { what: name.to_owned(), most });
    }
    let spec: Result<Spec, String> = if is_json {
        serde_json::from_slice(content).map_err(|e| e.to_string())
    } else {
        serde_saphyr::from_slice(content).map_err(|e| e.to_string())
    };
    let wrong = |why| UploadError::Spec { name: name.to_owned(), why };
    let spec = spec.map_err(wrong)?;
    if spec.openapi.starts_with("3.") { Ok(true) } else { Err(wrong(format!("openapi is {:?}", spec.openapi))) }
}
