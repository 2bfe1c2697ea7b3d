//! A source file as the checks read it: without comments, texts and tests, with its lines where they were.
//!
//! No parser of Rust: it knows as much of the language as it takes to find paths.

use std::path::{Path, PathBuf};

/// All Rust files below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// The code of a file.
pub fn read(path: &Path) -> String {
    code(&std::fs::read_to_string(path).unwrap())
}

/// The text with spaces in place of comments, of what is in quotes, and of items that only tests have.
pub fn code(text: &str) -> String {
    without_tests(&without_literals(text))
}

/// A copy of `text` with blanks from `start` to `end`, except for the ends of lines.
pub fn blanked(text: &str, start: usize, end: usize) -> String {
    let blank: String = text[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
    format!("{}{blank}{}", &text[..start], &text[end..])
}

fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let named = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = literal(rest, named);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of the comment or literal that a text begins with; 0 where it begins with neither. `named` says that it
/// continues a name.
fn literal(text: &str, named: bool) -> usize {
    let until = |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let bytes = text.as_bytes();
    let hashes = text[1.min(text.len())..].bytes().take_while(|b| *b == b'#').count();
    match bytes {
        [b'/', b'/', ..] => text.find('\n').unwrap_or(text.len()),
        [b'/', b'*', ..] => until(2, "*/"),
        [b'r', ..] if !named && bytes.get(1 + hashes) == Some(&b'"') => {
            until(2 + hashes, &format!("\"{}", "#".repeat(hashes)))
        }
        [b'"', ..] => {
            let mut escaped = false;
            let end = text[1..].char_indices().find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |(at, _)| at + 2)
        }
        [b'\'', b'\\', ..] => until(3, "'"),
        // A lifetime has no quote at its end.
        [b'\'', ..] => {
            let mut chars = text.char_indices().skip(1);
            match (chars.next(), chars.next()) {
                (Some(_), Some((at, '\''))) => at + 1,
                _ => 0,
            }
        }
        _ => 0,
    }
}

fn without_tests(text: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut text = text.to_owned();
    while let Some(start) = text.find(MARK) {
        let mut depth = 0;
        let end = text[start + MARK.len()..].char_indices().find(|(_, c)| {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(c, ';' | '}')
        });
        let end = end.map_or(text.len(), |(at, _)| start + MARK.len() + at + 1);
        text = blanked(&text, start, end);
    }
    text
}

#[test]
fn comments_texts_and_tests_are_left_out() {
    let text = "use a::B; // c::D\n/* e::F */ let x = \"g::\\\"H\"; let y = r#\"i\"::J\"#;\n#[cfg(test)]\nmod tests { k::L }\n\
                fn f<'a>(c: char) { c == '\"' || c == '\\''; m::N }\n#[cfg(test)]\nmod tests;\no::P";
    let code = code(text);
    assert_eq!(code.lines().count(), text.lines().count());
    for kept in ["a::B", "'a>", "m::N", "o::P"] {
        assert!(code.contains(kept), "{kept}: {code}");
    }
    for gone in ["c::D", "e::F", "g::", "J", "k::L", "mod tests"] {
        assert!(!code.contains(gone), "{gone}: {code}");
    }
}
