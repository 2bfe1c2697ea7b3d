//! What a publish uploads: an archive with the API's description, and what goes with it.
//!
//! Must not keep the files: names, sizes, dates and digests are all that stays. Called by `publications` and
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

/// What one POST uploads.
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
    /// What is left of the archive; nothing, where none was uploaded.
    pub archive: Archive,
}

/// What is left of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// The SHA-256 of the whole in hex.
    pub sha256: String,
    /// Its files, in the order of its directory.
    pub entries: Vec<ArchiveEntry>,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Its name.
    pub name: String,
    /// Its size, uncompressed.
    pub size: u64,
    /// The SHA-256 of its content in hex.
    pub sha256: String,
    /// When it was last modified, as the archive says: without a time zone.
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
    /// Something is more than it may be.
    #[error("{what} must be at most {most}")]
    TooMuch {
        /// What.
        what: String,
        /// And its limit.
        most: u64,
    },
    /// Not exactly one description.
    #[error("metadata must hold exactly one of api-spec.json and api-spec.yaml")]
    Specs,
    /// The description cannot be used.
    #[error("{name} is not an OpenAPI 3 description: {why}")]
    Spec {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file and a name for the same thing.
    #[error("{file} and {field} exclude each other")]
    Both {
        /// The file.
        file: &'static str,
        /// The field.
        field: &'static str,
    },
}

impl Upload {
    /// Whether its parts go together.
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
    /// Reads an archive and forgets what is in its files.
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
            // What the directory says about sizes may be wrong.
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

/// All that matters of a description.
#[derive(Deserialize)]
struct Spec {
    openapi: String,
}

/// Whether a file is the API's description, which then must be a good one.
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
