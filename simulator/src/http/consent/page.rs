//! The HTML of the consent page, without assets or scripts.
//!
//! Must escape every text with [`Text`]: names come from outside. Called by `consent`.

use std::fmt;

use crate::state::{Collection, DEFAULT_USERNAME, LinkError, Org, Provider};

/// What a consent link asks for.
pub(super) struct ConsentRequest {
    pub(super) app: String,
    pub(super) addon: String,
    pub(super) collection: Collection,
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) login_url: String,
}

/// The fields of the form.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) username: String,
    pub(super) org_id: String,
}

/// A text escaped for an HTML element or a quoted attribute.
struct Text<'a>(&'a str);

const STYLE: &str = "\
    :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }\n\
    body { margin: 0 auto; max-width: 34rem; padding: 2rem 1rem; }\n\
    dl { display: grid; gap: .25rem 1rem; grid-template-columns: max-content 1fr; }\n\
    dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }\n\
    label { display: block; font-weight: 600; margin-top: 1rem; }\n\
    input { box-sizing: border-box; font: inherit; padding: .5rem; width: 100%; }\n\
    button { font: inherit; margin: 1.5rem .5rem 0 0; padding: .5rem 1.5rem; }\n\
    .alert { border-left: .25rem solid #c23934; padding-left: .75rem; }\n\
    footer { border-top: 1px solid; font-size: .875rem; margin-top: 2rem; opacity: .75; padding-top: .5rem; }";

impl ConsentRequest {
    /// The type of the object, within a sentence.
    fn noun(&self) -> String {
        self.collection.noun().to_lowercase()
    }
}

impl Inputs {
    /// The default values.
    pub(super) fn suggested() -> Self {
        Self { username: DEFAULT_USERNAME.to_owned(), org_id: Org::of(DEFAULT_USERNAME).id }
    }

    /// The first mistake in them.
    pub(super) fn mistake(&self) -> Option<&'static str> {
        let org_id = matches!(self.org_id.len(), 15 | 18) && self.org_id.bytes().all(|b| b.is_ascii_alphanumeric());
        match (self.username.is_empty(), org_id) {
            (true, _) => Some("The username must not be empty."),
            (_, false) => Some("The organization ID must have 15 or 18 letters and digits."),
            _ => None,
        }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                c => write!(f, "{c}"),
            }?;
        }
        Ok(())
    }
}

fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Salesforce => "Salesforce",
        Provider::DataCloud => "Data Cloud",
    }
}

/// The form is submitted to its own URL, which is the whole link.
pub(super) fn form(request: &ConsentRequest, inputs: &Inputs, mistake: Option<&str>) -> String {
    let alert = mistake.map(|message| format!("<p class=\"alert\" role=\"alert\">{}</p>\n", Text(message)));
    let body = format!(
        "<p>The Heroku app <strong>{app}</strong> asks for access to an org of yours.</p>\n\
         {facts}\
         {alert}\
         <form method=\"post\">\n\
         <label for=\"username\">Username</label>\n\
         <input id=\"username\" name=\"username\" value=\"{username}\" required autocomplete=\"off\">\n\
         <label for=\"org_id\">Organization ID</label>\n\
         <input id=\"org_id\" name=\"org_id\" value=\"{org_id}\" required autocomplete=\"off\" \
         pattern=\"[A-Za-z0-9]{{15}}([A-Za-z0-9]{{3}})?\" title=\"15 or 18 letters and digits\">\n\
         <button name=\"decision\" value=\"allow\">Allow</button>\n\
         <button name=\"decision\" value=\"deny\" formnovalidate>Deny</button>\n\
         </form>\n",
        app = Text(&request.app),
        facts = facts(request),
        alert = alert.unwrap_or_default(),
        username = Text(&inputs.username),
        org_id = Text(&inputs.org_id),
    );
    page("Allow access?", &body)
}

/// After Allow.
pub(super) fn allowed(request: &ConsentRequest, org: &Org) -> String {
    let body = format!(
        "<p role=\"status\">The {} is made, as {} of the organization {}. You may close this page.</p>\n{}",
        request.noun(),
        Text(&org.username),
        Text(&org.id),
        facts(request)
    );
    page("Access allowed", &body)
}

/// After Deny.
pub(super) fn denied(request: &ConsentRequest) -> String {
    let body = format!(
        "<p role=\"status\">The {} is not made: it failed, and says that access was denied. You may close this \
         page.</p>\n{}",
        request.noun(),
        facts(request)
    );
    page("Access denied", &body)
}

/// The page for a link that does not work.
pub(super) fn link_error(link_error: LinkError) -> String {
    let (title, message) = match link_error {
        LinkError::Unknown => ("Unknown link", "This link does not exist. Check that you copied all of it."),
        LinkError::Used => ("Link already used", "Somebody already answered. A link works only once."),
        LinkError::Expired => ("Link expired", "This link has expired. Request a new one."),
        LinkError::Withdrawn => ("Link withdrawn", "Consent is no longer needed."),
    };
    page(title, &format!("<p role=\"alert\">{}</p>\n", Text(message)))
}

fn facts(request: &ConsentRequest) -> String {
    let rows = [
        (request.collection.noun(), &*request.name),
        ("Provider", provider_name(request.provider)),
        ("Login URL", &request.login_url),
        ("Add-on", &request.addon),
    ];
    let rows = rows.map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", Text(value)));
    format!("<dl>\n{}</dl>\n", rows.concat())
}

/// The frame of every page; `body` is HTML.
fn page(title: &str, body: &str) -> String {
    let title = Text(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} - AppLink simulator</title>\n<style>\n{STYLE}\n</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n\
         <footer>A simulator shows this in place of Salesforce: no password is needed.</footer>\n\
         </body>\n</html>\n"
    )
}
