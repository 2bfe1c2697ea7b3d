//! The private key for the JWT method: checked before the operator deletes anything for it, and recognised in every encoding.
//!
//! Pure. `inputs` reads it. No type here prints a key.

use base64::prelude::{BASE64_STANDARD, Engine};
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::SecretString;

/// Characters on one line of PEM.
const LINE: usize = 64;

/// An RSA private key.
#[derive(Clone, Debug)]
pub struct PrivateKey {
    /// The key as the operator sends it: one PEM block, without anything else in the Secret.
    pub pem: SecretString,
    /// The public key, in hexadecimal. It is the same in every encoding of the private key, so it shows whether the key
    /// changed.
    pub identity: String,
}

impl PrivateKey {
    /// Reads the only RSA private key in a text. The text may also contain certificates and attributes.
    ///
    /// # Errors
    /// What is wrong and what to do, without any part of the text.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        // Editors and templates may add a byte order mark, Windows line ends, or spaces around lines.
        let lines: Vec<_> = text.trim_start_matches('\u{feff}').lines().map(str::trim).collect();
        let text = lines.join("\n");
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(
                "the private key is encrypted, and AppLink accepts no passphrase. Decrypt the key and store it decrypted",
            );
        }
        let mut keys = PrivateKeyDer::pem_slice_iter(text.as_bytes());
        let key = match keys.next() {
            Some(Ok(key)) => key,
            Some(Err(_)) => return Err("the PEM block of the private key is damaged. Store the unchanged key file"),
            None => return Err("not a PEM private key. Store a block that begins with -----BEGIN PRIVATE KEY-----"),
        };
        if keys.next().is_some() {
            return Err("contains more than one private key. Store only the one that AppLink uses");
        }
        let not_rsa = "not an RSA private key of at least 2048 bits. Store the RSA key whose certificate the connected app in \
                       Salesforce has";
        let signing = any_supported_type(&key).map_err(|_| not_rsa)?;
        if signing.algorithm() != SignatureAlgorithm::RSA {
            return Err(not_rsa);
        }
        let public = signing.public_key().ok_or(not_rsa)?;
        let identity = public.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { pem: pem(&key), identity })
    }
}

/// The key as one PEM block, as OpenSSL writes it.
fn pem(key: &PrivateKeyDer<'_>) -> SecretString {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let body = BASE64_STANDARD.encode(key.secret_der());
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text.into()
}

#[cfg(test)]
pub(in crate::plan::inputs) mod tests {
    use std::sync::LazyLock;

    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
    use secrecy::ExposeSecret;

    use super::*;

    fn block(label: &str, der: &[u8], width: usize) -> String {
        let body = BASE64_STANDARD.encode(der);
        let lines: Vec<_> = body.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line)).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
    });

    /// A new key at each call.
    pub(in crate::plan::inputs) fn generated() -> String {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        block("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref(), 64)
    }

    /// The RSAPrivateKey in a PKCS#8 document; it is the last field.
    fn pkcs1(pkcs8: &[u8]) -> &[u8] {
        let at = pkcs8.windows(4).skip(1).position(|w| w[..2] == [0x30, 0x82] && pkcs8.len() > 26).unwrap() + 1;
        let length = usize::from(u16::from_be_bytes([pkcs8[at + 2], pkcs8[at + 3]])) + 4;
        &pkcs8[at..at + length]
    }

    #[test]
    fn a_key_is_recognised_in_every_encoding_and_sent_alone() {
        let plain = block("PRIVATE KEY", &RSA, 64);
        let known = PrivateKey::read(&plain).unwrap();
        assert_eq!(known.pem.expose_secret(), plain);
        let rsa = block("RSA PRIVATE KEY", pkcs1(&RSA), 64);
        let certificate = block("CERTIFICATE", b"not looked at", 64);
        let encodings = [
            (block("PRIVATE KEY", &RSA, 76), &plain),
            (block("PRIVATE KEY", &RSA, 1 << 20), &plain),
            (plain.replace('\n', "\r\n"), &plain),
            (plain.replace('\n', " \n"), &plain),
            (plain.replace('\n', "\n  "), &plain),
            (format!("\u{feff}\n{plain}\n\n"), &plain),
            (format!("Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n{plain}"), &plain),
            (format!("{certificate}{plain}{certificate}"), &plain),
            (rsa.clone(), &rsa),
        ];
        for (text, sent) in encodings {
            let read = PrivateKey::read(&text).unwrap_or_else(|why| panic!("{why}: {}", &text[..60]));
            assert_eq!((read.identity, read.pem.expose_secret()), (known.identity.clone(), sent.as_str()));
        }
        let other = generated();
        assert_ne!(PrivateKey::read(&other).unwrap().identity, known.identity);
        let why = PrivateKey::read(&format!("{plain}{other}")).unwrap_err();
        assert!(why.contains("more than one"), "{why}");
    }

    #[test]
    fn anything_but_an_rsa_key_is_rejected() {
        let plain = block("PRIVATE KEY", &RSA, 64);
        let mut cut: Vec<_> = plain.lines().collect();
        cut.drain(5..9);
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let table = [
            (block("PRIVATE KEY", ec.as_ref(), 64), "RSA"),
            (block("PRIVATE KEY", ed.as_ref(), 64), "RSA"),
            (block("EC PRIVATE KEY", b"of any content", 64), "RSA"),
            (block("PRIVATE KEY", b"good", 64), "RSA"),
            (block("RSA PRIVATE KEY", b"good", 64), "RSA"),
            (cut.join("\n"), "RSA"),
            (plain.replace("-----END PRIVATE KEY-----\n", ""), "damaged"),
            (plain.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "store it decrypted"),
            (plain.replacen('\n', "\nProc-Type: 4,ENCRYPTED\n\n", 1), "store it decrypted"),
            (block("CERTIFICATE", &RSA, 64), "not a PEM private key"),
            (block("PUBLIC KEY", &RSA, 64), "not a PEM private key"),
            ("CANARY".to_owned(), "not a PEM private key"),
            (String::new(), "not a PEM private key"),
        ];
        for (text, hint) in table {
            let why = PrivateKey::read(&text).unwrap_err();
            assert!(why.contains(hint), "{why}: {}", text.lines().next().unwrap_or_default());
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let plain = block("PRIVATE KEY", &RSA, 64);
        let shown = format!("{:?}", PrivateKey::read(&plain).unwrap());
        assert!(!plain.lines().skip(1).take(3).any(|line| shown.contains(line)), "{shown}");
    }
}
