//! The simulated world. What happens in it is in the files beside this one.
//!
//! Must not know them. Called by all of them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::access::Access;
use super::account::Account;
use super::addon::{Addon, App};
use super::budget::Budget;
use super::collection::Collection;
use super::publication::Publication;
use super::target::Target;
use crate::seed::Seed;
use crate::settings::Settings;

/// Everything there is. `Debug` shows tokens as digests.
#[derive(Debug)]
pub struct World {
    /// The switches.
    pub settings: Settings,
    /// The Heroku account.
    pub account: Account,
    /// Its apps.
    pub apps: Vec<App>,
    /// Its add-ons.
    pub addons: Vec<Addon>,
    pub(super) accesses: Vec<Access>,
    // How many were ever made.
    pub(super) created: BTreeMap<Collection, u64>,
    pub(super) publications: Vec<Publication>,
    pub(super) published: u64,
    pub(super) targets: Vec<Target>,
    pub(super) targeted: u64,
    // Of AppLink's own limit, by add-on.
    pub(super) budgets: BTreeMap<Uuid, Budget>,
    // Differs from world to world, so that an SSO payload of another one is refused.
    pub(super) sso_salt: Uuid,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: Seed) -> Self {
        Self {
            settings: seed.settings,
            account: Account::new(seed.email, seed.heroku_tokens),
            apps: seed.apps,
            addons: seed.addons,
            accesses: Vec::new(),
            created: BTreeMap::new(),
            publications: Vec::new(),
            published: 0,
            targets: Vec::new(),
            targeted: 0,
            budgets: BTreeMap::new(),
            sso_salt: Uuid::new_v4(),
        }
    }
}
