//! Made-up Salesforce orgs and users: the same user name always leads to the same org.
//!
//! No model of Salesforce. Called by `org_accesses`.

use crate::token::sha256_hex;

/// Who consents if the request names nobody.
pub(crate) const DEFAULT_USERNAME: &str = "admin@example.com";

/// An org and a user in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// 18 characters.
    pub id: String,
    /// The URL of the org.
    pub instance_url: String,
    /// The user who consented, or the one in the JWT.
    pub username: String,
    /// 18 characters.
    pub user_id: String,
}

impl Org {
    /// The org that a user belongs to.
    pub fn of(username: &str) -> Self {
        let id = salesforce_id("00D", &sha256_hex(username));
        Self::known_as(id, username)
    }

    /// A user of the org with this id.
    pub fn known_as(id: String, username: &str) -> Self {
        let domain: String = id.chars().skip(3).collect::<String>().to_lowercase();
        Self {
            instance_url: format!("https://d{domain}.my.salesforce.com"),
            username: username.to_owned(),
            user_id: salesforce_id("005", &sha256_hex(format!("{id}{username}"))),
            id,
        }
    }

    /// Whether a text is its id. An id of 18 characters may be in any case, since its last three encode the case.
    pub(super) fn is_called(&self, text: &str) -> bool {
        self.id == text || (self.id.len() == 18 && self.id.eq_ignore_ascii_case(text))
    }

    /// The org of this id, or the org of the user.
    pub(crate) fn chosen(id: Option<String>, username: &str) -> Self {
        match id {
            Some(id) => Self::known_as(id, username),
            None => Self::of(username),
        }
    }
}

/// A Salesforce id of 15 characters from a key prefix and a hex digest, and the 3 characters that encode the case of
/// the others.
pub(super) fn salesforce_id(prefix: &str, digest: &str) -> String {
    const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    // Every other letter is a capital, so that the case matters.
    let cased = digest.chars().take(12).enumerate().map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c });
    let mut id: String = prefix.chars().chain(cased).collect();
    let suffix: String = (id.as_bytes().chunks(5))
        .map(|five| {
            let bits = (five.iter().enumerate())
                .filter(|(_, byte)| byte.is_ascii_uppercase())
                .fold(0, |bits, (place, _)| bits | 1 << place);
            char::from(SUFFIX[bits])
        })
        .collect();
    id.push_str(&suffix);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_salesforce_suffix() {
        // The org id of the AppLink API's documentation.
        let id = salesforce_id("00DSG00000DGEIr", "");
        assert_eq!(id, "00DSG00000DGEIr2AP");
        let org = Org::of("ci@example.com");
        assert_eq!((org.id.len(), org.user_id.len()), (18, 18));
        assert_eq!(org, Org::of("ci@example.com"));
        assert_ne!(org.id, Org::of("other@example.com").id);
    }
}
