//! Quotes the document in messages.
//!
//! Pure. `openapi` and `validate` use it.

/// Most characters of the document that a message quotes.
const MAX_CHARS: usize = 160;

/// The beginning of `text`, in one line.
pub(super) fn excerpt(text: &str) -> String {
    let line: String = text.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_CHARS).is_some() { format!("{line}…") } else { line }
}
