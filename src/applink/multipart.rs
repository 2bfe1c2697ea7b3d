//! The body of a publish call, encoded as the CLI of AppLink encodes it.
//!
//! Pure: parts in, bytes out. `applink` sends them. It knows no more of `multipart/form-data` than that one call needs.

use bytes::Bytes;

/// One part: a file called `blob`.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Name of the field; ours, so that it needs no escapes.
    pub name: &'a str,
    /// Its `Content-Type`.
    pub content_type: &'a str,
    /// Its content.
    pub content: &'a [u8],
}

/// The `Content-Type` of a body with this boundary.
#[must_use]
pub fn content_type(boundary: &str) -> String {
    format!("multipart/form-data; boundary={boundary}")
}

/// The parts in their order, between lines of the boundary. It is for the caller to choose one that no part contains: a
/// random UUID does.
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
    fn a_publish_call_reads_as_that_of_the_cli() {
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
        fn whatever_is_put_in_comes_out(contents in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
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
