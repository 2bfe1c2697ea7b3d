//! Heroku AppLink and the part of the Heroku Platform API around it, as their documentation and the
//! Heroku CLI describe them, for tests and for `make demo`.
//!
//! It must share no type with the rest of the crate: a client and a simulator built on the same
//! types would be wrong together. Hence only `super::` and `self::` paths below this folder.
//!
//! Called by the tests, in-process through [`Simulator::router`], and by the `applink-simulator`
//! binary, on a socket.
//!
//! - `state`: the world (accounts, apps, add-ons, connections and what hangs on them, authorizations), pure: time is
//!   passed in.
//! - `settings`: the switches for everything that the documentation leaves open.
//! - `faults`: what shall go wrong, and when. `requests`: what was asked.
//! - `http`: both APIs and the control API under `/_control/`. `tls`: the same by HTTPS.

mod faults;
mod http;
mod requests;
mod seed;
mod settings;
mod state;
mod tls;
mod token;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

pub use self::faults::{Fault, FaultError, Faults, What, Where};
pub use self::requests::{Api, RequestLog, RequestRecord};
pub use self::seed::Seed;
pub use self::settings::{
    Abandoned, AcceptedBearer, AccessToken, AddonSegment, ChangeRefusal, CreateAnswer, DeleteAnswer, DeleteStatus,
    Dialect, ErrorShape, JwtFailure, LinkServed, ListedAddonId, NameCase, NamePlace, NameRule, Omitted, OmittedAs,
    OmittedOfPublication, OneAnswer, PageHeader, PendingOrg, PublicationSettings, PublishAnswer, Republish, RetryAfter,
    Settings, SettingsError, SsoCheck, SsoFreshness, SsoRefusal, SsoVariant, StatusAfterDelete, StatusKey, StatusWords,
    TakenAlias, TakenByAnotherApp, TakenName, TakenTarget, TargetFailure, TargetList, TargetSettings, TargetWords,
    UnknownAnswer, UnknownApp,
};
pub use self::state::{
    ACCESS_TOKEN_MARK, Access, Account, Addon, AddonState, App, Archive, ArchiveEntry, Attachment, CONSENT_MARKS,
    Collection, Edition, Grant, NewAccess, NewPublication, NewTarget, Org, Planted, Provider, Publication, RemoteError,
    StateError, Status, Target, TargetKind, TargetStatus, TargetTransition, Transition, Upload, UploadError, World,
};
pub use self::tls::{Tls, TlsError};
pub use self::token::Token;

/// Where a simulator reads the time; tests on tokio's paused clock bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A running simulator. Clones share one world.
#[derive(Clone)]
pub struct Simulator {
    core: Arc<Mutex<Core>>,
    clock: Clock,
}

struct Core {
    world: World,
    faults: Faults,
    requests: RequestLog,
}

impl Simulator {
    /// A simulator on real time.
    pub fn new(seed: Seed) -> Self {
        Self::with_clock(seed, Arc::new(Timestamp::now))
    }

    /// A simulator that reads the time from `clock`.
    pub fn with_clock(seed: Seed, clock: Clock) -> Self {
        let core = Core { world: World::new(seed), faults: Faults::default(), requests: RequestLog::default() };
        Self { core: Arc::new(Mutex::new(core)), clock }
    }

    /// The time as this simulator sees it.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The Platform API, the AppLink API and the control API, on one port.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// Serves [`Self::router`] until the future is dropped.
    pub async fn serve(&self, listener: tokio::net::TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// The same by HTTPS.
    pub async fn serve_tls(&self, listener: tokio::net::TcpListener, tls: &Tls) -> std::io::Result<()> {
        let router = self.router().layer(axum::middleware::map_request(tls::by_https));
        axum::serve(tls::TlsListener::new(listener, tls), router).await
    }

    /// Looks at the world, or changes it behind everyone's back. The closure must not call back
    /// into this simulator, except for [`Self::now`].
    pub fn world<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        self.with(|core| act(&mut core.world))
    }

    /// Reads or changes the switches.
    pub fn settings<R>(&self, act: impl FnOnce(&mut Settings) -> R) -> R {
        self.with(|core| act(&mut core.world.settings))
    }

    /// Reads or changes the faults.
    pub fn faults<R>(&self, act: impl FnOnce(&mut Faults) -> R) -> R {
        self.with(|core| act(&mut core.faults))
    }

    /// Reads or clears the request log.
    pub fn requests<R>(&self, act: impl FnOnce(&mut RequestLog) -> R) -> R {
        self.with(|core| act(&mut core.requests))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
