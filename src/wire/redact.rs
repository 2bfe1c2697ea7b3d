//! Makes a text of a remote service fit for people, logs and status: no secrets, nothing that differs each time.
//!
//! Pure. Whatever a service says passes through here before anybody sees it.

use std::sync::LazyLock;

use regex::Regex;

const LONGEST: usize = 300;

/// What looks like a secret, and what it is replaced by. A service may well echo what it was sent.
static SECRETS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)", "<private key>"),
        (r"eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]+){0,2}", "<token>"),
        (r"HRKU-[A-Za-z0-9_-]+", "<token>"),
        (r"00D[A-Za-z0-9]{9,15}![A-Za-z0-9._]+", "<token>"),
        (r"(?i)\bbearer\s+[^\s,;]+", "<token>"),
        (r"https?://\S*[?#]\S*", "<link>"),
        (r"\b[A-Za-z0-9+/_-]{64,}={0,2}", "<secret>"),
        (r"\b[0-9a-fA-F]{32,}\b", "<secret>"),
    ]
    .into_iter()
    .filter_map(|(pattern, name)| Some((Regex::new(pattern).ok()?, name)))
    .collect()
});

/// What differs from answer to answer, and would have a status written anew each time.
static FLEETING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<id>"),
        (r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?", "<time>"),
    ]
    .into_iter()
    .filter_map(|(pattern, name)| Some((Regex::new(pattern).ok()?, name)))
    .collect()
});

/// `text` in one line of at most 300 characters, without `known` secrets, without what looks like one, without ids of
/// requests and times.
#[must_use]
pub fn redact(text: &str, known: &[&str]) -> String {
    let mut out = text.to_owned();
    for secret in known.iter().filter(|s| s.trim().len() >= 4) {
        out = out.replace(*secret, "<secret>");
        // As it stands in JSON within JSON, and without its line ends.
        out = out.replace(&secret.replace('\n', "\\n"), "<secret>");
        out = out.replace(secret.trim(), "<secret>");
    }
    for (pattern, name) in FLEETING.iter().chain(SECRETS.iter()) {
        out = pattern.replace_all(&out, *name).into_owned();
    }
    let line = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!((SECRETS.len(), FLEETING.len()), (8, 2));
    }

    #[test]
    fn nothing_secret_and_nothing_fleeting_passes() {
        let table = [
            (
                "bad key -----BEGIN PRIVATE KEY-----\nMIICANARY\n-----END PRIVATE KEY----- sent",
                "bad key <private key> sent",
            ),
            ("cut off -----BEGIN RSA PRIVATE KEY-----\nMIICANARY", "cut off <private key>"),
            ("token HRKU-CANARY-1 refused", "token <token> refused"),
            ("session 00DSG00000DGEIr!AQ.CANARY", "session <token>"),
            ("Authorization: Bearer CANARY", "Authorization: <token>"),
            ("jwt eyJhbGciOiJSUzI1NiJ9.eyJDQU5BUlkiOjF9.c2ln", "jwt <token>"),
            ("open https://login/authorize?state=CANARY now", "open <link> now"),
            ("addon token 0123456789abcdef0123456789abcdef01", "addon token <secret>"),
            ("request a8bc7bcb-89c3-45c0-b7b7-4fb4427e598b at 2025-04-06T18:20:42.226577Z", "request <id> at <time>"),
            ("two\nlines\u{7}", "two lines"),
        ];
        for (text, wanted) in table {
            assert_eq!(redact(text, &[]), wanted);
        }
        assert_eq!(redact("you sent sesame", &["sesame"]), "you sent <secret>");
        assert_eq!(redact(r"you sent a\nb", &["a\nb\n"]), r"you sent a\nb", "too short to look for once trimmed");
        assert_eq!(redact(r"you sent aaa\nbbb", &["aaa\nbbb"]), "you sent <secret>");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let cut = redact(&"é ".repeat(400), &[]);
        assert_eq!(cut.chars().count(), LONGEST + 1);
    }
}
