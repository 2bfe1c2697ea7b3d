//! A person with a browser: opens a link, and submits the form on the page.
//!
//! Asserts nothing, and knows no more of the page than a browser does.

use url::form_urlencoded;

use super::PATIENCE;

/// Opens a link, fills in these fields (the page has defaults for the others), and presses the button with this name.
pub async fn answer(link: &str, decision: &str, filled_in: &[(&str, &str)]) {
    let browser = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let page = browser.get(link).send().await.expect("the link works");
    let (status, html) = (page.status(), page.text().await.expect("a page"));
    assert!(status.is_success(), "the link is dead: {status} {html}");
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, suggested) in inputs(&html) {
        let own = filled_in.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
        form.append_pair(name, own.unwrap_or(suggested));
    }
    let form = form.append_pair("decision", decision).finish();
    let sent = browser.post(link).header("content-type", "application/x-www-form-urlencoded").body(form).send();
    let sent = sent.await.expect("an answer");
    let (status, html) = (sent.status(), sent.text().await.expect("a page"));
    assert!(status.is_success(), "the form was refused: {status} {html}");
}

/// The inputs of a page's form: names and default values.
fn inputs(html: &str) -> Vec<(&str, &str)> {
    let tags = html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    tags.filter_map(|tag| Some((attribute(tag, " name=\"")?, attribute(tag, " value=\"")?))).collect()
}

fn attribute<'a>(tag: &'a str, before: &str) -> Option<&'a str> {
    tag.split_once(before)?.1.split('"').next()
}
