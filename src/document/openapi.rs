//! An OpenAPI document, and whether it is one: what AppLink would refuse late and in few words is told here at once,
//! with its line.
//!
//! Pure. `control::resolve` hands over what a ConfigMap holds, `archive` packs it. The text goes out as it came; what
//! AppLink alone can judge is left to it.

mod judge;
mod shape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, MessageFormatter, NonFiniteFloatPolicy, UserMessageFormatter};

/// So deep may collections lie in each other; `serde_json` has the same limit.
const DEPTH: usize = 64;
/// So many scalars and collections may there be: the largest document that AppLink takes has room for no more.
const NODES: usize = 10 << 20;
/// No text is repeated at greater length.
const EXCERPT: usize = 160;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// A document that was found to be OpenAPI 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// How it is written.
    pub format: Format,
    /// As its author wrote it.
    pub text: String,
}

impl Document {
    /// What the file is called in the archive, by which AppLink tells its format.
    #[must_use]
    pub fn file_name(&self) -> &'static str {
        match self.format {
            Format::Json => "api-spec.json",
            Format::Yaml => "api-spec.yaml",
        }
    }
}

impl Format {
    /// By the extension of the file, else by how the text begins.
    fn of(file_name: Option<&str>, text: &str) -> Self {
        let extension = file_name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
        match extension.as_deref() {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            _ if text.trim_start_matches(blank).starts_with('{') => Self::Json,
            _ => Self::Yaml,
        }
    }

    /// Refuses what is larger than AppLink takes.
    pub(super) fn admit(self, size: usize) -> Result<(), String> {
        let (name, limit) = match self {
            Self::Json => ("JSON", 10),
            Self::Yaml => ("YAML", 3),
        };
        if size <= limit << 20 {
            return Ok(());
        }
        let advice = "leave out examples and long descriptions, or publish fewer operations";
        Err(format!("{size} bytes long, and AppLink takes {limit} MB of {name} at most: {advice}"))
    }
}

impl Document {
    /// Reads a document and judges no more of it than its size; `file_name` is that of the file, or of the key, which holds
    /// it.
    ///
    /// # Errors
    /// What is wrong, in one line for people.
    pub fn read(text: &[u8], file_name: Option<&str>) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|error| not_text(text, error.valid_up_to()))?;
        let format = Format::of(file_name, text);
        format.admit(text.len())?;
        if text.trim_matches(blank).is_empty() {
            return Err("empty, where an OpenAPI document is expected".to_owned());
        }
        Ok(Self { format, text: text.to_owned() })
    }

    /// Whether it is OpenAPI 3. A large one takes a while.
    ///
    /// # Errors
    /// What is wrong and where, in one line for people.
    pub fn judge(&self) -> Result<(), String> {
        let root = match self.format {
            Format::Json => {
                check_json(&self.text)?;
                parse_yaml(&yaml_of_json(&self.text))?
            }
            Format::Yaml => parse_yaml(&self.text)?,
        };
        judge::judge(&root)
    }
}

fn blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{FEFF}'
}

fn not_text(bytes: &[u8], good: usize) -> String {
    let line = bytes.iter().take(good).filter(|byte| **byte == b'\n').count().saturating_add(1);
    format!("line {line}: not text in UTF-8")
}

/// YAML is laxer than JSON: what is to be JSON must be it.
fn check_json(text: &str) -> Result<(), String> {
    if text.starts_with('\u{FEFF}') {
        return Err("begins with a byte order mark, which JSON must not: store it without".to_owned());
    }
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else { return Ok(()) };
    let (line, column) = (error.line(), error.column());
    let told = error.to_string();
    let told = match told.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&told) {
        TOO_DEEP => too_deep(),
        other => format!("not JSON: {}", excerpt(other)),
    };
    Err(format!("line {line}, column {column}: {told}"))
}

/// All JSON is YAML, but for a few characters within its strings, none of which is judged.
fn yaml_of_json(text: &str) -> Cow<'_, str> {
    let foreign = |c| matches!(c, '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}');
    if text.contains(foreign) { text.replace(foreign, "?").into() } else { text.into() }
}

/// What is judged of a document, with the lines.
fn parse_yaml(yaml: &str) -> Result<shape::Document, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_nodes: NODES,
            max_events: 2 * NODES,
            // JSON knows no limit to the length of a name.
            simple_key_max_lookahead: yaml.len(),
            // What aliases stand for is counted; how many stand for one anchor proves nothing.
            enforce_alias_anchor_ratio: false,
        },
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        emit_comments: false,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| complaint(&error))
}

/// What the parsers of both formats say of collections that lie too deep in each other.
const TOO_DEEP: &str = "recursion limit exceeded";

fn too_deep() -> String {
    format!("nested too deep: no more than {DEPTH} levels are read")
}

/// Which limit stopped the parser, in words of the document rather than of the parser.
fn too_much(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::MergeKeys { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => too_expanded(),
        _ => "too many values to be read: publish fewer operations".to_owned(),
    }
}

fn too_expanded() -> String {
    "the document expands to too much by its anchors (&), aliases (*) and merge keys (<<): refer by $ref instead"
        .to_owned()
}

/// What the parser complains of, and where.
fn complaint(error: &Error) -> String {
    let told = what(error);
    match error.location() {
        Some(at) => format!("line {}, column {}: {told}", at.line(), at.column()),
        None => told,
    }
}

fn what(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => what(error),
        Error::MultipleDocuments { .. } => "a second YAML document begins, and only one can be published".to_owned(),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key {} is there twice", excerpt(key)),
        Error::Budget { breach, .. } => too_much(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. } => too_expanded(),
        Error::AliasReplayStackDepthExceeded { .. } => too_deep(),
        other => match UserMessageFormatter.format_message(other).as_ref() {
            TOO_DEEP => too_deep(),
            told => excerpt(told),
        },
    }
}

/// The beginning of a text, in one line.
fn excerpt(text: &str) -> String {
    let line: String = text.chars().take(EXCERPT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(EXCERPT).is_some() { format!("{line}…") } else { line }
}
