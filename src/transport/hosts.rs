//! Which hosts a credential may be sent to.
//!
//! Sends nothing. `Http` asks before each call, `control` before a token is read.

use url::{Host, Url};

use super::CallError;

/// Hosts that credentials may be sent to.
#[derive(Clone, Debug)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// `patterns` are host names, or `*.` and a domain for every host below it.
    ///
    /// # Errors
    /// A text for the user where one is neither.
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

    /// Whether `url` leads to an allowed host, and over TLS unless to this very machine.
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
            _ => Err(CallError::Url(format!("{}://{host} (https is needed)", url.scheme()))),
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
    fn only_listed_hosts_get_a_byte() {
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
    fn loopback_counts_only_where_listed_and_may_be_plain() {
        let url: Url = "http://127.0.0.1:8080/x".parse().unwrap();
        assert!(hosts(&["127.0.0.1"]).check(&url).is_ok());
        assert!(hosts(&["localhost"]).check(&url).is_err());
        let six: Url = "http://[::1]:8080/".parse().unwrap();
        assert!(hosts(&["::1"]).check(&six).is_ok() && hosts(&["[::1]"]).check(&six).is_ok());
        let plain: Url = "http://example.com/".parse().unwrap();
        assert_eq!(
            hosts(&["example.com"]).check(&plain).unwrap_err().to_string(),
            "http://example.com (https is needed) is not a URL that can be called"
        );
    }

    #[test]
    fn a_pattern_that_is_no_host_is_refused_with_the_way_out() {
        for bad in ["https://api.heroku.com", "api.heroku.com/x", "*", "*.*.com", "", "a b"] {
            assert!(AllowedHosts::new(&[bad.to_owned()]).unwrap_err().contains("without scheme"), "{bad}");
        }
    }
}
