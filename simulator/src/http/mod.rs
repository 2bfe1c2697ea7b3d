//! HTTP: the Platform API, the AppLink API, the consent page and the control API on one port.
//!
//! Must not decide what becomes of the world: the handlers read requests, call `state`, and write
//! answers. Called through `Simulator::router`.
//!
//! - `platform`: `/apps/...`, `/account/...`. `door`: who may call `/addons/...`. `request`, `answer`: what
//!   all handlers read and write.
//! - `accesses`: AppLink's endpoints of connections and authorizations. `publications`, `targets`: those of what hangs on
//!   connections. `shape`: status codes, pages and errors. `dialect`, `spelling`: how a connection or authorization is
//!   spelled. `mixed`: how anything is that mixes two spellings.
//! - `intercept`: request log and faults, around both APIs.
//! - `consent`: `/consent/...`, Salesforce's side, for browsers. `control`: `/_control/...`.

mod accesses;
mod answer;
mod consent;
mod control;
mod dialect;
mod door;
mod intercept;
mod mixed;
mod platform;
mod publications;
mod request;
mod shape;
mod spelling;
mod targets;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};

use crate::Simulator;

pub(super) fn router(simulator: Simulator) -> Router {
    let apis = Router::new()
        .merge(platform::routes())
        .merge(accesses::routes())
        .merge(publications::routes())
        .merge(targets::routes())
        .fallback(answer::no_route)
        .layer(map_response(answer::as_json))
        .layer(from_fn_with_state(simulator.clone(), shape::errors))
        .layer(from_fn_with_state(simulator.clone(), intercept::intercept));
    let control = control::routes().fallback(answer::no_route).layer(map_response(answer::as_json));
    Router::new().merge(apis).merge(consent::routes()).nest("/_control", control).with_state(simulator)
}
