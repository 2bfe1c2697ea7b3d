//! Validates OpenAPI documents, with line numbers. AppLink reports the same problems later and in less detail.
//!
//! Pure. `control` passes in the content of a ConfigMap, `archive` packs it. The text is published unchanged. Checks
//! that only AppLink can make are left to it.

mod excerpt;
mod shape;
#[cfg(test)]
mod tests;
mod validate;

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, MessageFormatter, NonFiniteFloatPolicy, UserMessageFormatter};

use excerpt::excerpt;

/// Deepest nesting of collections that is read.
const DEPTH: usize = 64;
/// Most scalars and collections. The largest document that AppLink accepts cannot hold more.
const NODES: usize = 10 << 20;

/// Syntax of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, 10 MB at most.
    Json,
    /// YAML, 3 MB at most.
    Yaml,
}

/// An OpenAPI document. [`Self::read`] checks its size, [`Self::validate`] the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Syntax of `text`.
    pub format: Format,
    /// The document as its author wrote it.
    pub text: String,
}

impl Document {
    /// Name of the file in the archive. AppLink reads the format off it.
    #[must_use]
    pub fn file_name(&self) -> &'static str {
        match self.format {
            Format::Json => "api-spec.json",
            Format::Yaml => "api-spec.yaml",
        }
    }
}

impl Format {
    /// Uses the file extension if it is known, otherwise the first character.
    fn of(file_name: Option<&str>, text: &str) -> Self {
        let extension = file_name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
        match extension.as_deref() {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            _ if text.trim_start_matches(blank).starts_with('{') => Self::Json,
            _ => Self::Yaml,
        }
    }

    /// Checks the size limit of AppLink.
    pub(super) fn check_size(self, size: usize) -> Result<(), String> {
        let (name, limit) = match self {
            Self::Json => ("JSON", 10),
            Self::Yaml => ("YAML", 3),
        };
        if size <= limit << 20 {
            return Ok(());
        }
        let advice = "Remove examples and long descriptions, or publish fewer operations";
        Err(format!("{size} bytes long, and AppLink accepts {limit} MB of {name}. {advice}"))
    }
}

impl Document {
    /// Reads a document and checks its size only. `file_name` is the name of the file, or the key in the ConfigMap.
    ///
    /// # Errors
    /// What is wrong, as a one-line message for the user.
    pub fn read(text: &[u8], file_name: Option<&str>) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|error| not_text(text, error.valid_up_to()))?;
        let format = Format::of(file_name, text);
        format.check_size(text.len())?;
        if text.trim_matches(blank).is_empty() {
            return Err("empty, but must be an OpenAPI document".to_owned());
        }
        Ok(Self { format, text: text.to_owned() })
    }

    /// Checks that the document is OpenAPI 3. This takes a while for a large one.
    ///
    /// # Errors
    /// What is wrong and where, as a one-line message for the user.
    pub fn validate(&self) -> Result<(), String> {
        let root = match self.format {
            Format::Json => {
                check_json(&self.text)?;
                parse_yaml(&yaml_of_json(&self.text))?
            }
            Format::Yaml => parse_yaml(&self.text)?,
        };
        validate::validate(&root)
    }
}

fn blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{FEFF}'
}

fn not_text(bytes: &[u8], good: usize) -> String {
    let line = bytes.iter().take(good).filter(|byte| **byte == b'\n').count().saturating_add(1);
    format!("line {line}: not text in UTF-8")
}

/// The YAML parser accepts more than JSON, so check JSON separately.
fn check_json(text: &str) -> Result<(), String> {
    if text.starts_with('\u{FEFF}') {
        return Err("begins with a byte order mark, which JSON does not allow. Remove it".to_owned());
    }
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else { return Ok(()) };
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let message = match message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message) {
        TOO_DEEP => too_deep(),
        other => format!("not JSON: {}", excerpt(other)),
    };
    Err(format!("line {line}, column {column}: {message}"))
}

/// JSON is valid YAML except for a few characters in strings. Replaces them; no check reads these strings.
fn yaml_of_json(text: &str) -> Cow<'_, str> {
    let foreign = |c| matches!(c, '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}');
    if text.contains(foreign) { text.replace(foreign, "?").into() } else { text.into() }
}

/// Parses the parts that are checked, with line numbers.
fn parse_yaml(yaml: &str) -> Result<shape::Document, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_nodes: NODES,
            max_events: 2 * NODES,
            // JSON does not limit the length of a key.
            simple_key_max_lookahead: yaml.len(),
            // Expanded aliases are counted anyway. Many aliases to one anchor are fine.
            enforce_alias_anchor_ratio: false,
        },
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        emit_comments: false,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| message_for(&error))
}

/// The message of both parsers for collections nested too deeply.
const TOO_DEEP: &str = "recursion limit exceeded";

fn too_deep() -> String {
    format!("nested too deeply: at most {DEPTH} levels are allowed")
}

/// Explains which limit stopped the parser, without its internals.
fn too_much(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::MergeKeys { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => too_expanded(),
        _ => "too many values. Publish fewer operations".to_owned(),
    }
}

fn too_expanded() -> String {
    "anchors (&), aliases (*) and merge keys (<<) expand to too many values. Use $ref instead".to_owned()
}

/// A message with the position.
fn message_for(error: &Error) -> String {
    let message = describe(error);
    match error.location() {
        Some(at) => format!("line {}, column {}: {message}", at.line(), at.column()),
        None => message,
    }
}

fn describe(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => describe(error),
        Error::MultipleDocuments { .. } => "a second YAML document begins, but only one can be published".to_owned(),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key {} occurs twice", excerpt(key)),
        Error::Budget { breach, .. } => too_much(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. } => too_expanded(),
        Error::AliasReplayStackDepthExceeded { .. } => too_deep(),
        other => match UserMessageFormatter.format_message(other).as_ref() {
            TOO_DEEP => too_deep(),
            message => excerpt(message),
        },
    }
}
