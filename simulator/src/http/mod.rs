//! HTTP: the Platform API, the AppLink API, the consent page and the control API on one port.
//!
//! Must not contain the rules of the service: handlers read requests, call `state`, and write responses. Called through
//! `Simulator::router`.
//!
//! - `platform`: `/apps/...`, `/account/...`. `door`: who may call `/addons/...`.
//! - `request`, `answer`: what all handlers read and write.
//! - `org_accesses`: AppLink's endpoints of connections and authorizations. `publications`, `targets`: those of
//!   the children of connections. `shape`: status codes, pages and errors. `dialect`: the body of a connection or an
//!   authorization. `overrides`: what settings change in it. `mixed`: bodies that mix the keys of two dialects.
//! - `intercept`: the request log and faults, for both APIs.
//! - `consent`: `/consent/...`, Salesforce's side, for browsers. `control`: `/_control/...`.

mod answer;
mod consent;
mod control;
mod dialect;
mod door;
mod intercept;
mod mixed;
mod org_accesses;
mod overrides;
mod platform;
mod publications;
mod request;
mod shape;
mod targets;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};

use crate::Simulator;

pub(super) fn router(simulator: Simulator) -> Router {
    let apis = Router::new()
        .merge(platform::routes())
        .merge(org_accesses::routes())
        .merge(publications::routes())
        .merge(targets::routes())
        .fallback(answer::no_route)
        .layer(map_response(answer::as_json))
        .layer(from_fn_with_state(simulator.clone(), shape::errors))
        .layer(from_fn_with_state(simulator.clone(), intercept::intercept));
    let control = control::routes().fallback(answer::no_route).layer(map_response(answer::as_json));
    Router::new().merge(apis).merge(consent::routes()).nest("/_control", control).with_state(simulator)
}
