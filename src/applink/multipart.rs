//! Encodes the `multipart/form-data` body of a publish call as the AppLink CLI does.
//!
//! Pure: parts in, bytes out. `applink` sends the result. Supports only what this call needs.

use bytes::Bytes;

/// One part, with the file name `blob`.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Field name. Not escaped, so it must not come from a user.
    pub name: &'a str,
    /// MIME type.
    pub content_type: &'a str,
    /// Raw bytes.
    pub content: &'a [u8],
}

/// The `Content-Type` header for a body with this boundary.
#[must_use]
pub fn content_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={boundary}")
}

/// Joins the parts with the boundary. The caller chooses a boundary that no part contains, such as a random UUID.
#[must_use]
pub fn encode(boundary: &str, parts: &[Part<'_>]) -> Bytes {
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.content.len() + 256).sum());
    for Part { name, content_type, content } in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"blob\"\r\n\
             Content-Type: {content_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn body_equals_that_of_the_cli() {
        let parts = [
            Part { name: "metadata", content_type: "application/zip", content: b"PK\r\n\0" },
            Part { name: "app_request", content_type: "application/json", content: b"{\"client_name\":\"OrdersAPI\"}" },
        ];
        let wanted = "--b1\r\nContent-Disposition: form-data; name=\"metadata\"; filename=\"blob\"\r\n\
                      Content-Type: application/zip\r\n\r\nPK\r\n\0\r\n\
                      --b1\r\nContent-Disposition: form-data; name=\"app_request\"; filename=\"blob\"\r\n\
                      Content-Type: application/json\r\n\r\n{\"client_name\":\"OrdersAPI\"}\r\n--b1--\r\n";
        assert_eq!(encode("b1", &parts), wanted);
        assert_eq!(content_type("b1"), "multipart/form-data; boundary=b1");
    }

    proptest! {
        #[test]
        fn parts_round_trip(contents in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let part = |content| Part { name: "n", content_type: "t/t", content };
            let parts: Vec<_> = contents.iter().map(|content| part(content)).collect();
            let body = encode("4f1c0c3e-boundary", &parts);
            let mut rest = &body[..];
            for content in &contents {
                let head = rest.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
                prop_assert!(rest.starts_with(b"--4f1c0c3e-boundary\r\n"));
                prop_assert_eq!(&rest[head..head + content.len()], &content[..]);
                rest = rest[head + content.len()..].strip_prefix(b"\r\n").unwrap();
            }
            prop_assert_eq!(rest, b"--4f1c0c3e-boundary--\r\n");
        }
    }
}
