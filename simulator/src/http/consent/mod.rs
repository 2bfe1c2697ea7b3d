//! The page where a person gives or denies consent, in place of Salesforce's.
//!
//! Not part of the two APIs: a browser opens it, so the link is its only token. It is not in the request log, and faults
//! do not apply. Called by the router.
//!
//! Opening the page changes nothing. Only the first answer counts.

mod page;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Deserialize;
use url::form_urlencoded;

use self::page::{ConsentRequest, Inputs};
use crate::Simulator;
use crate::state::{LinkError, Org, OrgAccess, World};

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/consent/{key}", get(show_form).post(answer))
}

/// The query of a consent link.
#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    state: String,
}

/// The submitted form.
#[derive(Default)]
struct Form {
    decision: String,
    inputs: Inputs,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.trim().to_owned();
            match &*name {
                "decision" => form.decision = value,
                "username" => form.inputs.username = value,
                "org_id" => form.inputs.org_id = value,
                _ => {}
            }
        }
        form
    }
}

async fn show_form(
    State(simulator): State<Simulator>,
    Path(key): Path<String>,
    Query(query): Query<LinkQuery>,
) -> Response {
    let now = simulator.now();
    simulator.world(|world| match world.open_consent_request(&key, &query.state, now) {
        Ok(access) => html(StatusCode::OK, page::form(&consent_request(world, access), &Inputs::suggested(), None)),
        Err(error) => link_error(error),
    })
}

async fn answer(
    State(simulator): State<Simulator>,
    Path(key): Path<String>,
    Query(query): Query<LinkQuery>,
    body: Bytes,
) -> Response {
    let now = simulator.now();
    let Form { decision, inputs } = Form::read(&body);
    simulator.world(|world| {
        let access = match world.open_consent_request(&key, &query.state, now) {
            Ok(access) => access,
            Err(error) => return link_error(error),
        };
        let (id, request) = (access.id, consent_request(world, access));
        let (done, page) = match (&*decision, inputs.mistake()) {
            ("deny", _) => (world.deny(id, now), page::denied(&request)),
            ("allow", None) => {
                let org = Org::known_as(inputs.org_id.clone(), &inputs.username);
                let page = page::allowed(&request, &org);
                (world.consent(id, org, now), page)
            }
            ("allow", mistake) => return html(StatusCode::BAD_REQUEST, page::form(&request, &inputs, mistake)),
            _ => {
                let mistake = Some("Choose Allow or Deny.");
                return html(StatusCode::BAD_REQUEST, page::form(&request, &inputs, mistake));
            }
        };
        match done {
            Ok(()) => html(StatusCode::OK, page),
            Err(_) => link_error(LinkError::Withdrawn),
        }
    })
}

fn consent_request(world: &World, access: &OrgAccess) -> ConsentRequest {
    let addon = world.addons.iter().find(|addon| addon.id == access.addon);
    ConsentRequest {
        app: access.created_via_app.clone(),
        addon: addon.map(|addon| addon.name.clone()).unwrap_or_default(),
        collection: access.collection,
        name: access.name.clone(),
        provider: access.provider,
        login_url: access.login_url.to_string(),
    }
}

fn link_error(error: LinkError) -> Response {
    let status = match error {
        LinkError::Unknown => StatusCode::NOT_FOUND,
        LinkError::Used => StatusCode::CONFLICT,
        LinkError::Expired | LinkError::Withdrawn => StatusCode::GONE,
    };
    html(status, page::link_error(error))
}

/// The page loads nothing. The link is a secret, so browsers must not store it or send it as a referrer.
fn html(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    ];
    (status, headers, Html(page)).into_response()
}
