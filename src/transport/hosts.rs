//! Hosts that the operator may send credentials to.
//!
//! Sends nothing. `Http` checks before each call, `control` before it reads a token.

use url::{Host, Url};

use super::error::CallError;

/// Allowed hosts. Credentials go to no others.
#[derive(Clone, Debug)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// A pattern is a host name, or `*.` and a domain for all hosts below it.
    ///
    /// # Errors
    /// A message for the user about the first invalid pattern.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        patterns.iter().map(|p| Self::pattern(p)).collect::<Result<_, _>>().map(Self)
    }

    fn pattern(text: &str) -> Result<String, String> {
        let lower = text.trim().to_ascii_lowercase();
        let bare = lower.strip_prefix("*.").unwrap_or(&lower);
        let bare = bare.trim_start_matches('[').trim_end_matches(']');
        let host = if bare.contains(':') { Host::parse(&format!("[{bare}]")) } else { Host::parse(bare) };
        match host {
            Ok(_) if !bare.contains('*') && !bare.contains('/') => Ok(lower),
            _ => Err(format!(
                "--allowed-host {text}: give a host name without scheme, port or path, like api.heroku.com or *.heroku.com"
            )),
        }
    }

    /// Checks that the host is allowed, and that the URL uses TLS unless the host is loopback.
    ///
    /// # Errors
    /// [`CallError::Host`] or [`CallError::Url`].
    pub fn check(&self, url: &Url) -> Result<(), CallError> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let allowed = self.0.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(domain) => bare.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => pattern.trim_start_matches('[').trim_end_matches(']') == bare,
        });
        let loopback = matches!(bare, "localhost" | "127.0.0.1" | "::1");
        match url.scheme() {
            _ if !allowed => Err(CallError::Host(bare.to_owned())),
            "https" => Ok(()),
            "http" if loopback => Ok(()),
            _ => Err(CallError::Url(format!("{}://{host} (https is required)", url.scheme()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(patterns: &[&str]) -> AllowedHosts {
        AllowedHosts::new(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_listed_hosts_are_allowed() {
        let table = [
            ("https://api.heroku.com", true),
            ("https://a.b.heroku.com", true),
            ("https://API.HEROKU.COM", true),
            ("https://heroku.com", false),
            ("https://evilheroku.com", false),
            ("https://api.heroku.com.evil.example", false),
            ("https://127.0.0.1", false),
            ("http://api.heroku.com", false),
        ];
        for (url, wanted) in table {
            assert_eq!(hosts(&["*.heroku.com"]).check(&url.parse().unwrap()).is_ok(), wanted, "{url}");
        }
    }

    #[test]
    fn listed_loopback_host_needs_no_tls() {
        let url: Url = "http://127.0.0.1:8080/x".parse().unwrap();
        assert!(hosts(&["127.0.0.1"]).check(&url).is_ok());
        assert!(hosts(&["localhost"]).check(&url).is_err());
        let six: Url = "http://[::1]:8080/".parse().unwrap();
        assert!(hosts(&["::1"]).check(&six).is_ok() && hosts(&["[::1]"]).check(&six).is_ok());
        let plain: Url = "http://example.com/".parse().unwrap();
        assert_eq!(
            hosts(&["example.com"]).check(&plain).unwrap_err().to_string(),
            "http://example.com (https is required) is not a valid URL to call"
        );
    }

    #[test]
    fn invalid_pattern_is_rejected() {
        for bad in ["https://api.heroku.com", "api.heroku.com/x", "*", "*.*.com", "", "a b"] {
            assert!(AllowedHosts::new(&[bad.to_owned()]).unwrap_err().contains("without scheme"), "{bad}");
        }
    }
}
