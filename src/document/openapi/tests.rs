//! Valid documents, and the messages for invalid ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const YAML: &str = "openapi: 3.0.3\ninfo: {title: Orders, version: 1.0.0}\npaths:\n  /orders:\n    parameters: []\n    get:\n      operationId: listOrders\n      responses: {}\n";

fn parse(text: &[u8], file_name: Option<&str>) -> Result<Document, String> {
    let document = Document::read(text, file_name)?;
    document.validate().map(|()| document)
}

fn message(text: &str, name: &str) -> String {
    parse(text.as_bytes(), Some(name)).expect_err(text)
}

/// [`YAML`] with one part replaced.
fn yaml_with(part: &str, other: &str) -> String {
    assert!(YAML.contains(part));
    YAML.replacen(part, other, 1)
}

#[test]
fn format_comes_from_the_extension_or_the_text() {
    let json = r#"{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "components": {}}"#;
    let table = [
        (json, Some("api.json"), Format::Json),
        (json, Some("API.JSON"), Format::Json),
        (json, Some("api.yml"), Format::Yaml),
        (json, Some("api.v1"), Format::Json),
        (json, None, Format::Json),
        (YAML, None, Format::Yaml),
        (YAML, Some("openapi"), Format::Yaml),
        (YAML, Some("openapi.Yaml"), Format::Yaml),
    ];
    for (text, name, format) in table {
        let document = parse(text.as_bytes(), name).unwrap();
        assert_eq!(document, Document { format, text: text.to_owned() }, "{name:?}");
    }
}

#[test]
fn every_openapi_3_is_accepted() {
    let table = [
        yaml_with("3.0.3", "'3.0.0'"),
        yaml_with("3.0.3", "3.1.1"),
        yaml_with("3.0.3", "3.2.0"),
        yaml_with("3.0.3", "3.1.0").replace("      responses: {}\n", ""),
        yaml_with("1.0.0", "2"),
        yaml_with("/orders:", "x-owner: me\n  /orders:"),
        yaml_with("parameters: []", "x-own: {operationId: [listOrders]}"),
        format!("\u{FEFF}# with comments\n---\n{YAML}...\n"),
        format!("{YAML}x-limits: [.inf, 1e999, *a]\n").replace("{}", "&a {}"),
        yaml_with("3.0.3\n", "3.1.0\nwebhooks: {new: {post: {}}}\n"),
        YAML.replace('\n', "\r\n"),
        format!("{YAML}  /carts:\n    post:\n      responses: {{}}\n    get:\n      responses: {{}}\n"),
    ];
    for text in table {
        parse(text.as_bytes(), Some("api.yaml")).expect(&text);
    }
    let keys = r#"{"<<": 1, "11": 1, "0xB": 1, "null": 1, "~": 1, "": 1, "\ud83d\ude00": "\u0000\/"}"#;
    let top = r#""openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}"#;
    let json = format!(r#"{{{top}, "x-keys": {keys}, "{}":	1}}"#, "x-long".repeat(1000));
    parse(json.as_bytes(), None).expect("any keys");
}

#[test]
fn invalid_openapi_is_reported_with_its_line() {
    let table = [
        (yaml_with("openapi: 3.0.3", "swagger: '2.0'"), "line 1: this is Swagger 2.0"),
        (yaml_with("openapi: 3.0.3\n", ""), "no field openapi"),
        (yaml_with("3.0.3", "4.0.0"), "line 1: openapi is 4.0.0"),
        (yaml_with("3.0.3", "3"), "line 1: openapi is 3,"),
        (yaml_with("3.0.3", "[3]"), "line 1, column 10: expected string"),
        (yaml_with("info: {title: Orders, version: 1.0.0}\n", ""), "no field info"),
        (yaml_with("{title: Orders, version: 1.0.0}", "Orders"), "line 2: info is not a mapping"),
        (yaml_with("title: Orders, ", ""), "line 2: info has no field title"),
        (yaml_with("version: 1.0.0", "version:"), "line 2: info has no field version"),
        (YAML.split("paths").next().unwrap().to_owned(), "no field paths"),
        (YAML.split("paths").next().unwrap().replace("3.0.3", "3.1.0"), "none of the fields paths, webhooks"),
        (yaml_with("  /orders", "- /orders"), "line 4: paths is not a mapping"),
        (yaml_with("/orders", "orders"), "line 4: the path orders does not begin with /"),
        (format!("{YAML}  /carts:\n  /x: {{}}"), "line 9: /carts is not a mapping"),
        (yaml_with("  responses: {}", "  summary: a"), "line 6: operation get of /orders has no field responses"),
        (format!("{YAML}    put: later\n"), "line 9: operation put of /orders is not a mapping"),
        (
            format!("{YAML}    put: {{responses: {{}},\n      operationId: listOrders}}\n"),
            "line 10: operation put of /orders has the operationId listOrders, which line 7 already uses",
        ),
        (format!("{YAML}webhooks: 1\n"), "line 9: webhooks is not a mapping"),
        (format!("{YAML}paths: {{}}\n"), "line 9, column 1: the key paths occurs twice"),
        (format!("{YAML}x-deep: [{{a: 1, a: 2}}]\n"), "line 9, column 17: the key a occurs twice"),
        (format!("{YAML}---\na: 1\n"), "line 10, column 1: a second YAML document begins"),
        ("- openapi\n".to_owned(), "line 1: not a mapping"),
        ("3.0.3".to_owned(), "line 1: not a mapping"),
        ("# nothing\n".to_owned(), "not a mapping"),
        (" \n\u{FEFF}\n".to_owned(), "empty"),
        (String::new(), "empty"),
        ("a: 'open".to_owned(), "line 1, column 4: unclosed quote"),
        ("a:\n\tb: 1".to_owned(), "line 2, column 2: tabs"),
        (format!("{YAML}x: *nowhere"), "line 9, column 4: reference to unknown value"),
    ];
    for (text, wanted) in table {
        let message = message(&text, "api.yaml");
        assert!(message.contains(wanted), "{message}\n  lacks {wanted}, of\n{text}");
    }
}

#[test]
fn json_and_utf8_are_required() {
    let table = [
        ("{\"openapi\": '3.0.0'}", "line 1, column 13: not JSON: expected value"),
        ("{\n\"a\": 1,}", "line 2, column 8: not JSON: key must be a string"),
        ("{\"a\": 1} {}", "line 1, column 10: not JSON: trailing characters"),
        ("\u{FEFF}{}", "byte order mark"),
        ("[]", "line 1: not a mapping"),
        ("{\"a\": 1, \"a\": 2}", "line 1, column 10: the key a occurs twice"),
        (YAML, "line 1, column 1: not JSON"),
    ];
    for (text, wanted) in table {
        let message = message(text, "api.json");
        assert!(message.contains(wanted), "{message}\n  lacks {wanted}");
    }
    assert_eq!(parse(b"openapi: 3.0.3\n\xFF\xFE", None).unwrap_err(), "line 2: not text in UTF-8");
}

#[test]
fn size_is_checked_first() {
    let padded = |size: usize, begin: &str| format!("{begin}{}", " ".repeat(size - begin.len()));
    let yaml = message(&padded((3 << 20) + 1, "'"), "api.yaml");
    assert!(yaml.starts_with("3145729 bytes long, and AppLink accepts 3 MB of YAML"), "{yaml}");
    let json = message(&padded((10 << 20) + 1, "{"), "api");
    assert!(json.contains("accepts 10 MB of JSON"), "{json}");
    assert!(parse(padded(3 << 20, YAML).as_bytes(), None).is_ok());
}

#[test]
fn expansion_and_nesting_are_limited() {
    let row = |name: usize| format!("x{name}: &x{name} [{}]\n", vec![format!("*x{}", name - 1); 10].join(", "));
    let bomb: String = std::iter::once("x0: &x0 [1]\n".to_owned()).chain((1..20).map(row)).collect();
    assert!(
        message(&format!("{YAML}{bomb}"), "api.yaml")
            .starts_with("line 15, column 15: anchors (&), aliases (*) and merge keys (<<) expand")
    );
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{{\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth));
        for name in ["a.json", "a.yaml"] {
            assert!(message(&nested(60), name).contains("no field openapi"));
            for depth in [64, 200_000] {
                let message = message(&nested(depth), name);
                assert!(
                    message.starts_with("line 1, column ")
                        && message.ends_with(": nested too deeply: at most 64 levels are allowed"),
                    "{message}"
                );
            }
        }
    }
    let blocks: String = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(message(&blocks, "a.yaml"), "line 65, column 65: nested too deeply: at most 64 levels are allowed");
}

#[test]
fn parser_limits_are_reported_in_plain_words() {
    let numbered = |count: usize, of: fn(usize) -> String| (0..count).map(of).collect::<String>();
    let table = [
        (format!("x-a: &a 1\nx-b: [{}]", "*a,".repeat(60_000)), "line 10, ", "expand to too many values"),
        (format!("x-b: [{}]", numbered(60_000, |n| format!("&a{n} 1,"))), "line 9, ", "expand to too many values"),
        (
            format!("x-a: &a [{}]\nx-b: [{}]", "1,".repeat(2000), "*a,".repeat(1000)),
            "line 10, ",
            "expand to too many values",
        ),
        (
            format!("x-a: &a {{a: 1}}\n{}", numbered(12_000, |n| format!("x-{n}: {{<<: *a}}\n"))),
            "line 10010, ",
            "expand to too many values",
        ),
        (
            format!("x0: &b0 [1]\n{}", numbered(80, |n| format!("x{0}: &b{0} [*b{n}]\n", n + 1))),
            "line 72, ",
            "too deep",
        ),
    ];
    for (extension, line, wanted) in table {
        let message = message(&format!("{YAML}{extension}"), "api.yaml");
        assert!(message.starts_with(line) && message.contains(wanted), "{message}");
        for internal in ["limit", "breach", "{", "_", "1000001", "0001"] {
            assert!(!message.contains(internal), "{message}");
        }
    }
}

#[test]
fn messages_quote_short_excerpts_only() {
    let long = "CANARY ".repeat(1000);
    for text in [
        yaml_with("/orders", &long),
        yaml_with("3.0.3", &long),
        format!("{YAML}? {long}\n: 1\n? {long}\n: 2\n"),
        format!(
            "{YAML}    put: {{operationId: {long}, responses: {{}}}}\n    post: {{operationId: {long}, responses: {{}}}}"
        ),
    ] {
        let message = message(&text, "a.yaml");
        assert!(message.len() < 400 && !message.contains('\n'), "{message}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>(), name in prop_oneof!["a.json", "a.yaml", ""]) {
        let _ = parse(&bytes, Some(&name));
    }

    #[test]
    fn yaml_like_text_never_panics(text in "[a-z{}\\[\\]:,&*!|>'\"#?%@~ \n-]{0,200}") {
        let message = parse(text.as_bytes(), Some("a.yaml")).unwrap_err();
        prop_assert!(message.len() < 1000 && !message.contains('\n'));
    }

    #[test]
    fn extensions_may_hold_any_json(extension in any_json()) {
        let document = json!({
            "openapi": "3.0.3", "info": {"title": "t", "version": "1", "x-any": extension}, "x-any": extension,
            "paths": {"/": {"get": {"responses": {}, "x-any": extension}}},
        });
        for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
            prop_assert_eq!(parse(text.as_bytes(), Some("a.json")).map(|d| d.format), Ok(Format::Json));
        }
    }
}
