//! The ZIP archive of a publication: the OpenAPI document, and optional Salesforce metadata.
//!
//! Pure. The same contents give the same bytes. `control` uploads the archive. Drift is detected by comparing contents,
//! not archives: another version of the compressor may produce other bytes.

use std::io::{self, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::openapi::Document;

/// Limit of AppLink for all entries together, uncompressed. It also allows ten entries only; there are three at most.
const LIMIT_MB: usize = 20;

/// Entries of the archive.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// OpenAPI document.
    pub document: &'a Document,
    /// Connected app metadata, XML.
    pub connected_app: Option<&'a [u8]>,
    /// Permission set metadata, XML.
    pub permission_set: Option<&'a [u8]>,
}

/// Packs the contents.
///
/// # Errors
/// Why AppLink would refuse the archive, as a message for the user.
pub fn archive(contents: &Contents<'_>) -> Result<Vec<u8>, String> {
    let Contents { document, connected_app, permission_set } = contents;
    document.format.check_size(document.text.len())?;
    let entries = [
        (document.file_name(), Some(document.text.as_bytes())),
        ("connectedapp-meta.xml", *connected_app),
        ("permissionset-meta.xml", *permission_set),
    ];
    let entries: Vec<_> = entries.into_iter().filter_map(|(name, content)| Some((name, content?))).collect();
    let size: usize = entries.iter().map(|(_, content)| content.len()).sum();
    if size > LIMIT_MB << 20 {
        return Err(format!(
            "the document and the metadata have {size} bytes together, and AppLink accepts {LIMIT_MB} MB. \
             Shorten them"
        ));
    }
    pack(&entries).map_err(|error| format!("cannot create the archive: {error}"))
}

fn pack(entries: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    // The bytes must not depend on the machine or the date.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, options)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Checks that metadata is XML with the root element `wanted`. Salesforce validates the rest.
///
/// # Errors
/// What is wrong, as a message for the user.
pub fn validate_metadata(metadata: &[u8], wanted: &str) -> Result<(), String> {
    let Ok(text) = str::from_utf8(metadata) else { return Err("not text in UTF-8".to_owned()) };
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if text.is_empty() {
        return Err(format!("empty, but must be {wanted} metadata"));
    }
    match root_element(text) {
        Some(root) if root == wanted => Ok(()),
        Some(_) => Err(format!("XML, but its root element is not {wanted}")),
        None => Err(format!("not XML with the root element {wanted}")),
    }
}

/// Local name of the root element.
fn root_element(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start();
        let end = match text.get(..2)? {
            "<?" => "?>",
            "<!" if text.starts_with("<!--") => "-->",
            _ => break,
        };
        text = text.split_once(end)?.1;
    }
    let name = text.strip_prefix('<')?.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next()?;
    name.split(':').next_back()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};
    use zip::ZipArchive;

    use super::super::openapi::Format;
    use super::*;

    const APP: &[u8] = b"<?xml version=\"1.0\"?>\n<ConnectedApp xmlns=\"http://soap.sforce.com/2006/04/metadata\"/>";
    const SET: &[u8] = b"\xEF\xBB\xBF <!-- <ConnectedApp> --><PermissionSet>\n</PermissionSet>\n";

    fn document(format: Format) -> Document {
        Document { format, text: "openapi: 3.0.3\n".repeat(100) }
    }

    fn entries(archive: Vec<u8>) -> Vec<(String, Vec<u8>)> {
        let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
        let count = zip.len();
        let read = |at| {
            let mut file = zip.by_index(at).unwrap();
            assert_eq!((file.compression(), file.unix_mode()), (CompressionMethod::Deflated, Some(0o100_644)));
            assert_eq!(file.last_modified(), Some(DateTime::DEFAULT));
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        };
        (0..count).map(read).collect()
    }

    #[test]
    fn entries_are_at_the_root_in_fixed_order() {
        let json = document(Format::Json);
        let all = Contents { document: &json, connected_app: Some(APP), permission_set: Some(SET) };
        let wanted = [
            ("api-spec.json".to_owned(), json.text.clone().into_bytes()),
            ("connectedapp-meta.xml".to_owned(), APP.to_vec()),
            ("permissionset-meta.xml".to_owned(), SET.to_vec()),
        ];
        assert_eq!(entries(archive(&all).unwrap()), wanted);
        let yaml = document(Format::Yaml);
        let alone = Contents { document: &yaml, connected_app: None, permission_set: None };
        assert_eq!(entries(archive(&alone).unwrap()), [("api-spec.yaml".to_owned(), yaml.text.clone().into_bytes())]);
    }

    #[test]
    fn archive_is_reproducible() {
        let document = document(Format::Yaml);
        let all = Contents { document: &document, connected_app: Some(APP), permission_set: Some(SET) };
        let sha: String = Sha256::digest(archive(&all).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sha, "cb1b5ff8f984e782f36942d5b9bd8e5b4adc2b077cca1ec33a91c7a906b15dbb", "another compressor?");
    }

    #[test]
    fn size_limits_are_reported_with_the_size() {
        let of = |document: &Document, connected_app: Option<&[u8]>, permission_set: Option<&[u8]>| {
            archive(&Contents { document, connected_app, permission_set }).unwrap_err()
        };
        let yaml = Document { format: Format::Yaml, text: " ".repeat((3 << 20) + 1) };
        assert!(of(&yaml, Some(b""), None).contains("3145729 bytes long, and AppLink accepts 3 MB of YAML"));
        let json = Document { format: Format::Json, text: " ".repeat(10 << 20) };
        let (half, rest) = (vec![b' '; 10 << 20], b" ");
        let message = of(&json, Some(&half), Some(rest));
        assert!(message.contains("20971521 bytes together, and AppLink accepts 20 MB"), "{message}");
    }

    #[test]
    fn metadata_must_have_the_expected_root_element() {
        let table: [(&[u8], &str); 7] = [
            (b" \n", "empty"),
            (b"\xFF", "not text in UTF-8"),
            (b"label: x", "not XML with the root element PermissionSet"),
            (b"<", "not XML"),
            (b"<?xml", "not XML"),
            (APP, "root element is not PermissionSet"),
            (b"<PermissionSets/>", "root element is not"),
        ];
        for (metadata, wanted) in table {
            let message = validate_metadata(metadata, "PermissionSet").unwrap_err();
            assert!(message.contains(wanted), "{message} lacks {wanted}");
        }
        for metadata in [SET, b"<md:PermissionSet xmlns:md='x'>"] {
            assert_eq!(validate_metadata(metadata, "PermissionSet"), Ok(()));
        }
    }
}
