//! Admission to the AppLink API: who may call, on behalf of which app, and how often.
//!
//! Must not accept a Heroku token unless a setting says so: the history of the CLI says that AppLink refuses it. Called by
//! every handler of a route below an add-on.

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::answer::{ApiError, HandlerResult, REMAINING};
use super::request::bearer;
use crate::Simulator;
use crate::settings::{AcceptedBearer, AddonSegment, RetryAfter, Settings, SsoCheck, SsoFreshness, SsoRefusal};
use crate::state::{Addon, Sso, StateError, World, is_id};

/// Who sends a request.
pub(super) struct Caller {
    pub(super) addon: Uuid,
    pub(super) app: Uuid,
}

/// The purpose of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It changes nothing.
    Reading,
    Change,
    /// An app fetches the credentials of an authorization.
    Credentials,
}

/// Handles a request that changes nothing: checks the caller, then runs `act`.
pub(super) fn serve_read(
    simulator: &Simulator,
    addon: &str,
    headers: &HeaderMap,
    act: impl FnOnce(&mut World, &Caller, Timestamp) -> Result<Response, ApiError>,
) -> HandlerResult {
    serve(Purpose::Reading, simulator, addon, headers, act)
}

/// Handles a request that changes something.
pub(super) fn serve_change(
    simulator: &Simulator,
    addon: &str,
    headers: &HeaderMap,
    act: impl FnOnce(&mut World, &Caller, Timestamp) -> Result<Response, ApiError>,
) -> HandlerResult {
    serve(Purpose::Change, simulator, addon, headers, act)
}

/// Handles a request of the SDKs, which have no `x-addon-sso`.
pub(super) fn serve_credentials(
    simulator: &Simulator,
    addon: &str,
    headers: &HeaderMap,
    act: impl FnOnce(&mut World, &Caller, Timestamp) -> Result<Response, ApiError>,
) -> HandlerResult {
    serve(Purpose::Credentials, simulator, addon, headers, act)
}

fn serve(
    purpose: Purpose,
    simulator: &Simulator,
    addon: &str,
    headers: &HeaderMap,
    act: impl FnOnce(&mut World, &Caller, Timestamp) -> Result<Response, ApiError>,
) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let caller = authenticate(world, purpose, addon, headers, now)?;
        let budget = world.spend_on_applink(caller.addon, now);
        let answer = match &budget {
            Ok(_) => act(world, &caller, now),
            Err(error) => Err(error.clone().into()),
        };
        let mut response = answer.into_response();
        response.headers_mut().extend(rate_limit_headers(&world.settings, budget, now));
        Ok(response)
    })
}

/// The headers about AppLink's rate limit.
fn rate_limit_headers(
    settings: &Settings,
    budget: Result<Option<u32>, StateError>,
    now: Timestamp,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut rate_headers = Vec::new();
    let remaining = match budget {
        Ok(remaining) => remaining,
        Err(StateError::AddonRateLimited { wait }) => {
            rate_headers
                .extend(retry_after(settings.applink_retry_after, wait, now).map(|at| (header::RETRY_AFTER, at)));
            Some(0)
        }
        Err(_) => None,
    };
    if let Some(remaining) = remaining.filter(|_| settings.applink_tells_remaining) {
        rate_headers.push((REMAINING, remaining.into()));
    }
    rate_headers
}

/// In whole seconds, at most an hour.
fn retry_after(shape: RetryAfter, wait: SignedDuration, now: Timestamp) -> Option<HeaderValue> {
    let seconds = (wait.as_secs_f64().ceil() as i64).clamp(1, 3600);
    match shape {
        RetryAfter::Absent => None,
        RetryAfter::Seconds => Some(seconds.into()),
        RetryAfter::Date => {
            let at = now.checked_add(SignedDuration::from_secs(seconds)).ok()?;
            let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
            HeaderValue::try_from(date).ok()
        }
    }
}

fn authenticate(
    world: &World,
    purpose: Purpose,
    segment: &str,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let settings = &world.settings;
    let addon = world.addon(segment)?;
    if settings.addon_segment == AddonSegment::Id && !is_id(addon.id, segment) {
        return Err(StateError::NotFound("add-on").into());
    }
    check_bearer(world, addon, headers)?;
    match (settings.sso_check, purpose) {
        (SsoCheck::Never, _) | (SsoCheck::Management, Purpose::Credentials) => {}
        (SsoCheck::Always, _) | (SsoCheck::Management, Purpose::Reading | Purpose::Change) => {
            let fresh = purpose == Purpose::Change || settings.sso_freshness == SsoFreshness::EveryCall;
            check_sso(world, addon, headers, fresh.then_some(now))?;
        }
    }
    let app = value(headers, "x-app-uuid").ok_or_else(|| ApiError::bad_request("x-app-uuid is missing."))?;
    let mut attached = world.apps.iter().filter(|a| addon.attachment_to(a.id).is_some());
    let app = attached.find(|known| is_id(known.id, app));
    let app =
        app.ok_or_else(|| ApiError::forbidden("x-app-uuid is not the id of an app that this add-on is attached to."))?;
    Ok(Caller { addon: addon.id, app: app.id })
}

fn check_bearer(world: &World, addon: &Addon, headers: &HeaderMap) -> Result<(), ApiError> {
    let token = bearer(headers).ok_or_else(|| ApiError::unauthorized("A bearer token is missing."))?;
    let heroku = world.account.accepts(token);
    let own = !addon.token_revoked && addon.token.expose() == token;
    match world.settings.accepted_bearer {
        AcceptedBearer::AddonToken if heroku => {
            Err(ApiError::unauthorized("This is a Heroku token; AppLink takes the add-on's _TOKEN."))
        }
        AcceptedBearer::AddonToken if own => Ok(()),
        AcceptedBearer::HerokuToken if heroku => Ok(()),
        AcceptedBearer::Either if heroku || own => Ok(()),
        AcceptedBearer::HerokuToken => Err(ApiError::unauthorized("Invalid credentials provided.")),
        AcceptedBearer::AddonToken | AcceptedBearer::Either => Err(ApiError::unauthorized("Invalid add-on token.")),
    }
}

/// Checks `x-addon-sso`. If `fresh_at` is given, it must not be too old.
fn check_sso(world: &World, addon: &Addon, headers: &HeaderMap, fresh_at: Option<Timestamp>) -> Result<(), ApiError> {
    let sso = headers.get("x-addon-sso").ok_or_else(|| ApiError::unauthorized("x-addon-sso is missing."))?;
    let sso: Option<Sso> = STANDARD.decode(sso).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let checked = match sso {
        Some(sso) => world.check_sso(&sso, addon, fresh_at),
        None => Err(StateError::SsoUnreadable),
    };
    checked.map_err(|error| match world.settings.sso_refusal {
        SsoRefusal::Forbidden => error.into(),
        SsoRefusal::Unauthorized => ApiError::unauthorized(error.to_string()),
    })
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
