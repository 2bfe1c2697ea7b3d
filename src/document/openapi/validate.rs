//! Checks that a parsed document is OpenAPI 3: required fields, paths, operations and operation IDs.
//!
//! Pure. `openapi` calls it. Refuses only what no OpenAPI tool can process, and reports the first error.

use std::collections::HashMap;

use serde_saphyr::Spanned;

use super::excerpt::excerpt;
use super::shape::{Document, Item, Items, Mapping, Named, Operation, Root};

/// Line of each operation ID so far.
type Lines<'a> = HashMap<&'a str, u64>;

/// Checks a whole document.
///
/// # Errors
/// What is wrong and where, as a one-line message for the user.
pub fn validate(document: &Document) -> Result<(), String> {
    let Mapping::Is(root) = &document.value else {
        let line = document.referenced.line();
        return Err(format!("line {line}: not a mapping. An OpenAPI document has the fields openapi, info and paths"));
    };
    let minor = minor_version(root)?;
    validate_info(root)?;
    if minor == 0 && root.paths.is_none() {
        return Err("the document has no field paths".to_owned());
    }
    if root.paths.is_none() && root.webhooks.is_none() && root.components.is_none() {
        return Err("the document has none of the fields paths, webhooks and components".to_owned());
    }
    let mut ids = Lines::new();
    for (path, item) in items("paths", root.paths.as_ref())? {
        if !path.value.starts_with('/') {
            let (line, path) = (path.referenced.line(), excerpt(&path.value));
            return Err(format!("line {line}: the path {path} does not begin with /"));
        }
        validate_item(path, item, minor, &mut ids)?;
    }
    items("webhooks", root.webhooks.as_ref())?
        .iter()
        .try_for_each(|(name, item)| validate_item(name, item, minor, &mut ids))
}

/// The number after `3.`
fn minor_version(root: &Root) -> Result<u32, String> {
    let Some(version) = &root.openapi else {
        return Err(match &root.swagger {
            Some(at) => {
                let line = at.referenced.line();
                format!("line {line}: this is Swagger 2.0, but AppLink accepts OpenAPI 3 only. Convert the document")
            }
            None => "the document has no field openapi with its version, such as openapi: 3.0.3".to_owned(),
        });
    };
    let mut numbers = version.value.split('.');
    match (numbers.next(), numbers.next().map(str::parse)) {
        (Some("3"), Some(Ok(minor))) => Ok(minor),
        _ => {
            let (line, message) = (version.referenced.line(), excerpt(&version.value));
            Err(format!(
                "line {line}: openapi is {message}, but AppLink accepts OpenAPI 3.0.0 and later 3.x versions only"
            ))
        }
    }
}

fn validate_info(root: &Root) -> Result<(), String> {
    let info = root.info.as_ref().ok_or("the document has no field info")?;
    let line = info.referenced.line();
    let Mapping::Is(fields) = &info.value else { return Err(format!("line {line}: info is not a mapping")) };
    let missing = match (&fields.title, &fields.version) {
        (None, _) => "title",
        (_, None) => "version",
        _ => return Ok(()),
    };
    Err(format!("line {line}: info has no field {missing}"))
}

fn items<'a>(field: &str, value: Option<&'a Spanned<Mapping<Items>>>) -> Result<&'a [Named<Item>], String> {
    match value {
        None => Ok(&[]),
        Some(Spanned { value: Mapping::Is(items), .. }) => Ok(&items.0),
        Some(other) => Err(format!("line {}: {field} is not a mapping", other.referenced.line())),
    }
}

fn validate_item<'a>(
    name: &Spanned<String>,
    item: &'a Mapping<Item>,
    minor: u32,
    ids: &mut Lines<'a>,
) -> Result<(), String> {
    let Mapping::Is(item) = item else {
        return Err(format!("line {}: {} is not a mapping", name.referenced.line(), excerpt(&name.value)));
    };
    item.0.iter().try_for_each(|(method, operation)| {
        validate_operation(operation, minor, ids).map_err(|(line, why)| {
            let line = line.unwrap_or_else(|| method.referenced.line());
            format!("line {line}: operation {} of {} {why}", method.value, excerpt(&name.value))
        })
    })
}

/// Returns an error with a line, if that is another line than the operation's.
fn validate_operation<'a>(
    operation: &'a Mapping<Operation>,
    minor: u32,
    ids: &mut Lines<'a>,
) -> Result<(), (Option<u64>, String)> {
    let Mapping::Is(operation) = operation else { return Err((None, "is not a mapping".to_owned())) };
    if minor == 0 && operation.responses.is_none() {
        return Err((None, "has no field responses".to_owned()));
    }
    let Some(id) = &operation.operation_id else { return Ok(()) };
    let line = id.referenced.line();
    match ids.insert(&id.value, line) {
        None => Ok(()),
        Some(first) => {
            let id = excerpt(&id.value);
            Err((Some(line), format!("has the operationId {id}, which line {first} already uses")))
        }
    }
}
