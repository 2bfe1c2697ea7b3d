//! Redacts texts of remote services for users, logs and status: no secrets, and nothing that differs in each response.
//!
//! Pure. Every text of a service passes through here before anybody sees it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

const MAX_CHARS: usize = 300;

/// A pattern and its replacement.
type Rule = (Regex, &'static str);

/// What differs in each response, and would cause a status write each time.
static VOLATILE: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    rules(&[
        (r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<id>"),
        (r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?", "<time>"),
    ])
});

/// What looks like a secret. A service may repeat what it received.
static SECRETS: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    rules(&[
        (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)", "<private key>"),
        // The first line of a key's body, which is less random than the rest.
        (r"\bMII[A-Za-z0-9+/]{9,}={0,2}", "<private key>"),
        // JWT, and other JSON in base64.
        (r"eyJ[A-Za-z0-9+/_-]{8,}={0,2}(\.[A-Za-z0-9_-]+)*", "<token>"),
        // Heroku tokens.
        (r"HRKU-[A-Za-z0-9_-]+", "<token>"),
        // Salesforce sessions and refresh tokens.
        (r"00D[A-Za-z0-9]{9,15}(!|%21)[A-Za-z0-9._]+", "<token>"),
        (r"\b5Aep[A-Za-z0-9._=!-]{8,}", "<token>"),
        (r"(?i)\bbearer\s+[^\s,;]+|\bauthorization: basic\s+[^\s,;]+", "<token>"),
        // URLs with a query or a fragment, with a user, and a query without a scheme.
        (r"https?://\S*[?#]\S*", "<link>"),
        (r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/@]*@\S*", "<link>"),
        (r"[^\s=]*[./][^\s=]*\?[A-Za-z0-9_.-]+=\S*", "<link>"),
        // Secrets by field name: in a form; in prose, if the value has a digit; quoted.
        (&format!(r#"(?i)\b({SECRET_FIELDS})\s?(=|%3D)\s?[^\s"'&]+"#), "$1=<secret>"),
        (&format!(r#"(?i)\b({SECRET_FIELDS})\\*["']?\s*:\s*[^\s"']*\d[^\s"']*"#), "$1: <secret>"),
        (&format!(r#"(?i)\b({SECRET_FIELDS})\\*["']?\s*[:=]\s*\\*["'][^"']+["']?"#), "$1=<secret>"),
        (r"([?&](?:code|state))=[^\s&]+", "$1=<secret>"),
        (r"\b[A-Za-z0-9+/_-]{64,}={0,2}", "<secret>"),
        (r"\b[0-9a-fA-F]{32,}\b", "<secret>"),
    ])
});

/// Names of fields that hold secrets.
const SECRET_FIELDS: &str =
    r"[\w-]*(?:token|secret|password|passwd|pwd|passphrase|private[_-]?key|api[_-]?key|assertion)";

/// What may be part of a known secret.
static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/]{16,}").ok());

/// What may be random: first whole runs, then single words.
static OPAQUE: LazyLock<Vec<Rule>> =
    LazyLock::new(|| rules(&[(r"[A-Za-z0-9+._~!%-]{20,}={0,2}", "<secret>"), (r"[A-Za-z0-9]{20,}", "<secret>")]));

fn rules(table: &[(&str, &'static str)]) -> Vec<Rule> {
    table.iter().filter_map(|(pattern, mask)| Some((Regex::new(pattern).ok()?, *mask))).collect()
}

/// Returns `text` in one line of at most 300 characters, without `known` secrets or parts of them, without anything
/// that looks like a secret, and without request IDs and times.
#[must_use]
pub fn redact(text: &str, known: &[&str]) -> String {
    let mut out = remove_known(text, known);
    for (pattern, mask) in VOLATILE.iter().chain(SECRETS.iter()) {
        out = pattern.replace_all(&out, *mask).into_owned();
    }
    for (pattern, mask) in OPAQUE.iter() {
        out = mask_where(pattern, &out, mask, is_random).into_owned();
    }
    let line = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// The secrets in a response body, which its error may repeat: fields with such names, and the consent link.
pub(super) fn secrets_of<'a>(body: &'a Value) -> Vec<&'a str> {
    const SECRET: [&str; 5] = ["token", "secret", "password", "private_key", "redirect_uri"];
    let is_secret = |key: &String| SECRET.iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    match body {
        Value::Array(items) => items.iter().flat_map(secrets_of).collect(),
        Value::Object(fields) => {
            let of = |(key, value): (&String, &'a Value)| match value {
                Value::String(text) if is_secret(key) => vec![text.as_str()],
                other => secrets_of(other),
            };
            fields.iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}

/// Removes these secrets. Starts with the longest, because one may be a prefix of another.
fn remove_known(text: &str, known: &[&str]) -> String {
    let mut known: Vec<_> = known.iter().filter(|secret| secret.trim().len() >= 4).collect();
    known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut out = text.to_owned();
    for secret in &known {
        out = out.replace(**secret, "<secret>");
        // As escaped in JSON within JSON, and without line ends at the end.
        out = out.replace(&secret.replace('\n', "\\n"), "<secret>");
        out = out.replace(secret.trim(), "<secret>");
    }
    let known: Vec<String> = known.iter().map(|secret| secret.split_whitespace().collect()).collect();
    match PIECE.as_ref() {
        Some(pattern) => {
            mask_where(pattern, &out, "<secret>", |run| known.iter().any(|k| k.contains(run))).into_owned()
        }
        None => out,
    }
}

fn mask_where<'a>(pattern: &Regex, text: &'a str, mask: &str, is_secret: impl Fn(&str) -> bool) -> Cow<'a, str> {
    pattern.replace_all(
        text,
        |found: &Captures<'_>| {
            if is_secret(&found[0]) { mask.to_owned() } else { found[0].to_owned() }
        },
    )
}

/// Whether lower case, upper case and digits alternate often enough for a random string. Names and Salesforce IDs have
/// longer runs.
fn is_random(word: &str) -> bool {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => Some(0),
        b'A'..=b'Z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    };
    let bytes = word.as_bytes();
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    let changes = |one: u8, next: u8| class(one).zip(class(next)).is_some_and(|(one, next)| one != next);
    pairs.filter(|(one, next)| changes(**one, **next)).count().saturating_mul(3) >= word.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!((SECRETS.len(), VOLATILE.len(), OPAQUE.len(), PIECE.is_some()), (16, 2, 2, true));
    }

    #[test]
    fn secrets_and_volatile_parts_are_redacted() {
        let table = [
            (
                "bad key -----BEGIN PRIVATE KEY-----\nMIICANARY\n-----END PRIVATE KEY----- sent",
                "bad key <private key> sent",
            ),
            ("cut off -----BEGIN RSA PRIVATE KEY-----\nMIICANARY", "cut off <private key>"),
            ("line MIIEvQIBADANBgkqhkiG9w0BAQ bad", "line <private key> bad"),
            ("token HRKU-CANARY-1 refused", "token <token> refused"),
            ("session 00DSG00000DGEIr!AQ.CANARY", "session <token>"),
            ("session 00DSG00000DGEIr%21AQ.CANARY", "session <token>"),
            ("refresh 5Aep861CANARY", "refresh <token>"),
            (
                "refresh 5Aep861TSESvWeug_xvFHRBTTbf.YrTWgEyjBJrfDpWp==.9U9oTyyYSLNLpVBC4wTcHfZOPfYTQ1Om tail",
                "refresh <token> tail",
            ),
            ("Authorization: Bearer CANARY", "Authorization: <token>"),
            ("Authorization: Basic Q0FOQVJZ", "<token>"),
            ("jwt eyJhbGciOiJSUzI1NiJ9.eyJDQU5BUlkiOjF9.c2ln", "jwt <token>"),
            ("open https://login/authorize?state=CANARY now", "open <link> now"),
            ("open login.salesforce.com/authorize?state=CANARY now", "open <link> now"),
            ("back at /callback?code=CANARY&x=1 now", "back at <link> now"),
            ("sent a=b&code=CANARY now", "sent a=b&code=<secret> now"),
            ("from https://user:CANARY@host/ came", "from <link> came"),
            ("addon token 0123456789abcdef0123456789abcdef01", "addon token <secret>"),
            ("request a8bc7bcb-89c3-45c0-b7b7-4fb4427e598b at 2025-04-06T18:20:42.226577Z", "request <id> at <time>"),
            ("two\nlines\u{7}", "two lines"),
        ];
        for (text, wanted) in table {
            assert_eq!(redact(text, &[]), wanted);
        }
    }

    #[test]
    fn fields_with_secret_names_are_redacted() {
        let table = [
            ("access_token=s3cretAb12CdEf", "access_token=<secret>"),
            (
                "sent access_token=ab&client_secret=cd, and more",
                "sent access_token=<secret>&client_secret=<secret> and more",
            ),
            (r#"{"access_token":"ab","x":1}"#, r#"{"access_token=<secret>,"x":1}"#),
            (r#"{\"refresh_token\": \"5Aep861\"}"#, r#"{\"refresh_token=<secret>}"#),
            ("jwt_private_key='ab cd'", "jwt_private_key=<secret>"),
            ("password=sesame", "password=<secret>"),
            ("Password: s3same!", "Password: <secret>"),
            ("token%3Dsesame", "token=<secret>"),
        ];
        for (text, wanted) in table {
            assert_eq!(redact(text, &[]), wanted);
        }
    }

    #[test]
    fn random_strings_are_redacted_and_names_are_not() {
        for secret in
            ["tQ1mV8sYc0LkR5eXw3Zd", "q8Zr3kT0vLx+Yw2PbN4w==", "pk-7Hq2_Zt9-xW4v_Lm1K", "0a1b2c3d4e5f6a7b8c9d"]
        {
            assert_eq!(redact(&format!("sent {secret} once"), &[]), "sent <secret> once", "{secret}");
            assert_eq!(redact(&format!("at /services/data/{secret}"), &[]), "at /services/data/<secret>", "{secret}");
        }
        for text in [
            "invalid_client_credentials: client identifier invalid",
            "invalid_token: OAuth session expired, state: failed",
            "private_key: must be PEM, password: wrong",
            "connection_name applinkProductionOrg2025Connection is taken",
            "org 00DSG000007a3BZ2AY, user 005SG00000ABCdEYAX, id=00DSG000007a3BZ2AY",
            "/services/data/v64.0/sobjects/Account/001SG00000a1B2cYAE is gone, org-00DSG000007a3BZ2AY",
            "orgfarm-1a2b3c4d5e-dev-ed.develop.my.salesforce.com",
            "heroku-applink-rectangular-12345 on https://api.heroku.com/apps",
            "System.QueryException: List has no rows (line 12, column 3)",
            "user first.last2@example.com.sandbox1 hasn't approved this consumer. Why?",
        ] {
            assert_eq!(redact(text, &[]), text);
        }
    }

    #[test]
    fn known_secrets_are_redacted_whole_and_in_parts() {
        assert_eq!(redact("you sent sesame", &["sesame"]), "you sent <secret>");
        assert_eq!(redact("you sent sesame12", &["sesame", "sesame12"]), "you sent <secret>");
        assert_eq!(redact(r"you sent a\nb", &["a\nb\n"]), r"you sent a\nb", "too short to look for once trimmed");
        assert_eq!(redact(r"you sent aaa\nbbb", &["aaa\nbbb"]), "you sent <secret>");
        let key = "-----BEGIN PRIVATE KEY-----\nabcdefghijklmnopqrst\nuvwxyzabcdefgh\n-----END PRIVATE KEY-----\n";
        for piece in ["cdefghijklmnopqr", "opqrstuvwxyzabcd"] {
            assert_eq!(redact(&format!("bad {piece}: no key"), &[key]), "bad <secret>: no key");
        }
        assert_eq!(redact("authorizationRefused", &[key]), "authorizationRefused");
    }

    #[test]
    fn secrets_in_the_body_are_collected() {
        let body = json!([{"id": "c1", "redirect_uri": "https://x/?state", "org": {"access_token": "a", "name": "n"}},
            {"user_auth": {"refresh_token": "b", "token": null}}, "token"]);
        let mut all = secrets_of(&body);
        all.sort_unstable();
        assert_eq!(all, ["a", "b", "https://x/?state"]);
    }

    #[test]
    fn long_texts_are_cut_at_character_boundaries() {
        let cut = redact(&"é ".repeat(400), &[]);
        assert_eq!(cut.chars().count(), MAX_CHARS + 1);
    }
}
