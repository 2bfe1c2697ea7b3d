//! The namespaces that the operator works in.
//!
//! Pure. `main` reads flags and environment variables with it.

/// The given namespaces, each once; none means all. Empty values, which templates produce, do not count.
///
/// # Errors
/// A message for the user about the first value that cannot be a namespace.
pub fn namespaces(given: &[String]) -> Result<Vec<String>, String> {
    let mut all: Vec<String> = Vec::new();
    for name in given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if !is_name(name) {
            return Err(format!(
                "{name:?} is not the name of a namespace, which has up to 63 lower-case letters, digits and dashes; to \
                 watch all namespaces, name none"
            ));
        }
        if !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    Ok(all)
}

/// A label as in RFC 1123.
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 63 && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[&str]) -> Result<Vec<String>, String> {
        namespaces(&given.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_empty_counts_as_not_given_and_each_counts_once() {
        let all: &[&str] = &[];
        for (given, expected) in [
            (&[""][..], all),
            (&[" ", ""], all),
            (&["crm"], &["crm"]),
            (&[" crm", "sales ", ""], &["crm", "sales"]),
            (&["sales", "crm", "sales"], &["sales", "crm"]),
            (&["crm", " crm\n"], &["crm"]),
            (&["0-a"], &["0-a"]),
        ] {
            assert_eq!(read(given).expect("names"), expected, "{given:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_namespace_is_refused_by_name() {
        for wrong in ["*", "CRM", "a/b", "-a", "a-", "a.b", "a b", "ä", &"a".repeat(64)] {
            let error = read(&["crm", wrong]).expect_err("no name");
            assert!(error.contains(&format!("{wrong:?}")) && error.contains("all namespaces"), "{error}");
        }
    }
}
