//! The page where a person gives or refuses consent by OAuth: what Salesforce would show.
//!
//! Must not be part of the two APIs: a browser opens it, so it asks for no token but the link itself, and it is neither
//! logged nor struck by faults. Called by the router.
//!
//! Looking changes nothing, however often; the first answer counts, and a link takes no second one.

mod page;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Deserialize;
use url::form_urlencoded;

use self::page::{Asked, Inputs};
use crate::Simulator;
use crate::state::{Access, DeadLink, Org, World};

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/consent/{key}", get(ask).post(answer))
}

/// What makes a link whole, beside its path.
#[derive(Deserialize)]
struct Rest {
    #[serde(default)]
    state: String,
}

/// The form, as it was sent.
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

async fn ask(State(simulator): State<Simulator>, Path(key): Path<String>, Query(rest): Query<Rest>) -> Response {
    let now = simulator.now();
    simulator.world(|world| match world.asks(&key, &rest.state, now) {
        Ok(access) => shown(StatusCode::OK, page::form(&asked(world, access), &Inputs::suggested(), None)),
        Err(dead) => refused(dead),
    })
}

async fn answer(
    State(simulator): State<Simulator>,
    Path(key): Path<String>,
    Query(rest): Query<Rest>,
    body: Bytes,
) -> Response {
    let now = simulator.now();
    let Form { decision, inputs } = Form::read(&body);
    simulator.world(|world| {
        let access = match world.asks(&key, &rest.state, now) {
            Ok(access) => access,
            Err(dead) => return refused(dead),
        };
        let (id, asked) = (access.id, asked(world, access));
        let (done, page) = match (&*decision, inputs.mistake()) {
            ("deny", _) => (world.deny(id, now), page::denied(&asked)),
            ("allow", None) => {
                let org = Org::known_as(inputs.org_id.clone(), &inputs.username);
                let page = page::allowed(&asked, &org);
                (world.consent(id, org, now), page)
            }
            ("allow", mistake) => return shown(StatusCode::BAD_REQUEST, page::form(&asked, &inputs, mistake)),
            _ => {
                let mistake = Some("Choose Allow or Deny.");
                return shown(StatusCode::BAD_REQUEST, page::form(&asked, &inputs, mistake));
            }
        };
        match done {
            Ok(()) => shown(StatusCode::OK, page),
            Err(_) => refused(DeadLink::Withdrawn),
        }
    })
}

fn asked(world: &World, access: &Access) -> Asked {
    let addon = world.addons.iter().find(|addon| addon.id == access.addon);
    Asked {
        app: access.created_via_app.clone(),
        addon: addon.map(|addon| addon.name.clone()).unwrap_or_default(),
        collection: access.collection,
        name: access.name.clone(),
        provider: access.provider,
        login_url: access.login_url.to_string(),
    }
}

fn refused(dead: DeadLink) -> Response {
    let status = match dead {
        DeadLink::Unknown => StatusCode::NOT_FOUND,
        DeadLink::Used => StatusCode::CONFLICT,
        DeadLink::Expired | DeadLink::Withdrawn => StatusCode::GONE,
    };
    shown(status, page::dead(dead))
}

/// Nothing is loaded from anywhere, and the link, which is a secret, is neither kept nor passed on.
fn shown(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    ];
    (status, headers, Html(page)).into_response()
}
