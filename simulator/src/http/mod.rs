//! HTTP: the Platform API, the AppLink API, the consent page and the control API on one port.
//!
//! Must not decide what becomes of the world: the handlers read requests, call `state`, and write
//! answers. Called through `Simulator::router`.
//!
//! - `platform`: `/apps/...`, `/account/...`. `applink`: who may call `/addons/...`, and its routes.
//! - `accesses`: AppLink's endpoints of connections and authorizations. `publications`, `targets`: those of what hangs on
//!   connections. `shape`: status codes, pages and errors. `dialect`, `spelling`: how a connection or authorization is
//!   spelled. `mixed`: how anything is that mixes two spellings.
//! - `intercept`: request log and faults, around both APIs.
//! - `consent`: `/consent/...`, Salesforce's side, for browsers. `control`: `/_control/...`.

mod accesses;
mod answer;
mod applink;
mod consent;
mod control;
mod dialect;
mod intercept;
mod mixed;
mod platform;
mod publications;
mod shape;
mod spelling;
mod targets;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};

use super::Simulator;

pub(super) fn router(simulator: Simulator) -> Router {
    let apis = Router::new()
        .merge(platform::routes())
        .merge(applink::routes())
        .fallback(answer::no_route)
        .layer(map_response(answer::as_json))
        .layer(from_fn_with_state(simulator.clone(), shape::errors))
        .layer(from_fn_with_state(simulator.clone(), intercept::intercept));
    let control = control::routes().fallback(answer::no_route).layer(map_response(answer::as_json));
    Router::new().merge(apis).merge(consent::routes()).nest("/_control", control).with_state(simulator)
}
