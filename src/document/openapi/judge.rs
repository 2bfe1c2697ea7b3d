//! Whether what was read is OpenAPI 3: the fields that must be there, the paths, the operations and their ids.
//!
//! Pure. `openapi` calls it. It refuses only what no reader of OpenAPI can take, and tells the first such thing.

use std::collections::HashMap;

use serde_saphyr::Spanned;

use super::excerpt;
use super::shape::{Document, Item, Items, Mapping, Named, Operation, Root};

/// The lines of the operation ids given so far.
type Lines<'a> = HashMap<&'a str, u64>;

/// # Errors
/// What is wrong and where, in one line for people.
pub fn judge(document: &Document) -> Result<(), String> {
    let Mapping::Is(root) = &document.value else {
        let line = document.referenced.line();
        return Err(format!("line {line}: not a mapping, as an OpenAPI document is one: openapi, info, paths"));
    };
    let minor = minor_version(root)?;
    judge_info(root)?;
    if minor == 0 && root.paths.is_none() {
        return Err("there is no field paths".to_owned());
    }
    if root.paths.is_none() && root.webhooks.is_none() && root.components.is_none() {
        return Err("there is none of the fields paths, webhooks and components".to_owned());
    }
    let mut ids = Lines::new();
    for (path, item) in items("paths", root.paths.as_ref())? {
        if !path.value.starts_with('/') {
            let (line, path) = (path.referenced.line(), excerpt(&path.value));
            return Err(format!("line {line}: the path {path} does not begin with /"));
        }
        judge_item(path, item, minor, &mut ids)?;
    }
    items("webhooks", root.webhooks.as_ref())?
        .iter()
        .try_for_each(|(name, item)| judge_item(name, item, minor, &mut ids))
}

/// The number after `3.`.
fn minor_version(root: &Root) -> Result<u32, String> {
    let Some(version) = &root.openapi else {
        return Err(match &root.swagger {
            Some(at) => {
                let line = at.referenced.line();
                format!("line {line}: this is Swagger 2.0, and AppLink takes OpenAPI 3: convert it")
            }
            None => "there is no field openapi, which tells the version, like openapi: 3.0.3".to_owned(),
        });
    };
    let mut numbers = version.value.split('.');
    match (numbers.next(), numbers.next().map(str::parse)) {
        (Some("3"), Some(Ok(minor))) => Ok(minor),
        _ => {
            let (line, told) = (version.referenced.line(), excerpt(&version.value));
            Err(format!("line {line}: openapi is {told}, and AppLink takes 3.0.0 and later versions of OpenAPI 3"))
        }
    }
}

fn judge_info(root: &Root) -> Result<(), String> {
    let info = root.info.as_ref().ok_or("there is no field info")?;
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

fn judge_item<'a>(
    name: &Spanned<String>,
    item: &'a Mapping<Item>,
    minor: u32,
    ids: &mut Lines<'a>,
) -> Result<(), String> {
    let Mapping::Is(item) = item else {
        return Err(format!("line {}: {} is not a mapping", name.referenced.line(), excerpt(&name.value)));
    };
    item.0.iter().try_for_each(|(method, operation)| {
        judge_operation(operation, minor, ids).map_err(|(line, why)| {
            let line = line.unwrap_or_else(|| method.referenced.line());
            format!("line {line}: operation {} of {} {why}", method.value, excerpt(&name.value))
        })
    })
}

/// What is wrong with an operation, and the line where that is not where it begins.
fn judge_operation<'a>(
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
            Err((Some(line), format!("has the operationId {id}, as the one in line {first}")))
        }
    }
}
