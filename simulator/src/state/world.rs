//! The simulated world. What happens in it is in the files beside this one.
//!
//! Must not know them. Called by all of them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::account::Account;
use super::addon::{Addon, App};
use super::budget::Budget;
use super::collection::Collection;
use super::org_access::OrgAccess;
use super::publication::Publication;
use super::target::Target;
use crate::seed::Seed;
use crate::settings::Settings;

/// The whole world. `Debug` shows tokens as digests.
#[derive(Debug)]
pub struct World {
    pub settings: Settings,
    pub account: Account,
    pub apps: Vec<App>,
    pub addons: Vec<Addon>,
    pub(super) org_accesses: Vec<OrgAccess>,
    // How many were ever created.
    pub(super) created: BTreeMap<Collection, u64>,
    pub(super) publications: Vec<Publication>,
    pub(super) publications_created: u64,
    pub(super) targets: Vec<Target>,
    pub(super) targets_created: u64,
    // Of AppLink's rate limit, by add-on.
    pub(super) budgets: BTreeMap<Uuid, Budget>,
    // Random, so that a world refuses the SSO payloads of another.
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
            org_accesses: Vec::new(),
            created: BTreeMap::new(),
            publications: Vec::new(),
            publications_created: 0,
            targets: Vec::new(),
            targets_created: 0,
            budgets: BTreeMap::new(),
            sso_salt: Uuid::new_v4(),
        }
    }
}
