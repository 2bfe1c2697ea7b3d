//! Authorization for the driver: as all granted access, and the Secret that keeps its credential.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::grant::{self, Granting};
use super::{Kind, Made, Reference};
use crate::budget::Purpose;
use crate::control::owned::{self, Content};
use crate::control::roster::key;
use crate::control::{Error, Shell};
use crate::crd::{Access, AppLinkAddon, Authorization, AuthorizationStatus, Ending, GrantStatus, Handling, Reason};
use crate::heroku::AccessError;
use crate::observe::{Cause, Key, Wanted};
use crate::plan::Plan;
use crate::plan::diff::authorization::{self, Kept};
use crate::plan::live::{GrantKind, Link};
use crate::plan::memory::Memory;
use crate::plan::remote::HandOff;

/// What is declared, and whose the Secrets of the credential are.
pub(in crate::control) struct Inputs {
    grant: grant::Inputs,
    wanted: Option<Kept>,
    kept: Option<Kept>,
}

/// What is live of an authorization.
pub(in crate::control) struct Live {
    grant: grant::Live,
    none: AuthorizationStatus,
}

impl Granting for Authorization {
    const GRANT: GrantKind = GrantKind::Authorization;

    fn name(&self) -> &str {
        &self.spec.developer_name
    }
    fn addon_name(&self) -> &str {
        &self.spec.addon_ref.name
    }
    fn access(&self) -> &Access {
        &self.spec.access
    }
    fn own_policies(&self) -> (Handling, Ending) {
        (self.spec.handling, self.spec.ending)
    }
    fn recorded(&self) -> Option<&GrantStatus> {
        self.status.as_ref().map(|status| &status.grant)
    }
    /// As the CLI has it: apps ask for an authorization by its alias, too.
    fn alias(&self) -> String {
        format!("applink:{}", self.spec.developer_name)
    }
}

impl Kind for Authorization {
    const KIND: &'static str = "Authorization";
    const BEGINNING: Reason = Reason::Creating;
    type Status = AuthorizationStatus;
    type Inputs = Inputs;
    type Live = Live;

    fn status(&self) -> Option<&AuthorizationStatus> {
        self.status.as_ref()
    }

    fn addon(&self, _shell: &Shell) -> Option<Key> {
        Some(grant::addon_key(self))
    }

    fn references(&self) -> Vec<Reference> {
        let kept = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let names = self.spec.credentials_secret_name.iter().chain(kept);
        grant::references(self).into_iter().chain(names.map(Reference::secret)).collect()
    }

    fn concerned(&self, _shell: &Shell, moved: &BTreeSet<String>) -> bool {
        grant::concerned(self, moved)
    }

    fn want(&self, _shell: &Shell, wanted: &mut Wanted) {
        wanted.authorizations = true;
    }

    async fn resolve(&self, shell: &Shell) -> Result<Inputs, Error> {
        let kept = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let wanted = look(self, shell, self.spec.credentials_secret_name.as_ref()).await?;
        let kept = match &wanted {
            Some(wanted) if Some(&wanted.secret) == kept => Some(wanted.clone()),
            _ => look(self, shell, kept).await?,
        };
        Ok(Inputs { grant: grant::resolve(self, shell).await?, wanted, kept })
    }

    async fn without_inputs(&self, shell: &Shell) -> Inputs {
        let recorded = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let wanted = look_leniently(self, shell, self.spec.credentials_secret_name.as_ref()).await;
        let kept = look_leniently(self, shell, recorded).await;
        Inputs { grant: grant::without_inputs(self), wanted, kept }
    }

    fn is_passive(&self) -> bool {
        grant::is_passive(self)
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        Live { grant: grant::live(self, shell, memory), none: AuthorizationStatus::default() }
    }

    fn plan(&self, inputs: &Inputs, live: &Live, memory: &Memory, now: Timestamp) -> Plan<AuthorizationStatus> {
        authorization::plan(&authorization::Input {
            grant: grant::input(self, &inputs.grant, &live.grant, memory, now),
            wanted: inputs.wanted.as_ref(),
            kept: inputs.kept.as_ref(),
            status: self.status.as_ref().unwrap_or(&live.none),
        })
    }

    async fn create(&self, shell: &Shell, inputs: &Inputs) -> Result<Made, AccessError> {
        grant::create(self, shell, &inputs.grant).await
    }

    async fn delete(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        grant::delete(self, shell, id).await
    }

    async fn confirm(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        grant::confirm(self, shell, id).await
    }

    async fn credentials(&self, shell: &Shell, id: &str, urgent: bool) -> Result<Content, AccessError> {
        let purpose = if urgent { Purpose::Edit } else { Purpose::Poll };
        let api = shell.observer.api(&grant::addon_key(self))?.with_purpose(purpose);
        let told = api.read_credentials(&self.spec.developer_name, id).await?;
        let fields = [
            ("instanceURL", told.org.instance_url),
            ("apiVersion", told.org.api_version),
            ("orgID", told.org.id),
            ("orgType", told.org.kind),
            ("userID", told.org.user_id),
            ("username", told.org.username),
        ];
        let told_fields = fields.into_iter().filter_map(|(key, value)| Some((key, value?.into())));
        let data: BTreeMap<_, _> = told_fields.chain([("accessToken", told.access_token)]).collect();
        Ok(Content { data, link_for: None })
    }

    fn link(&self, shell: &Shell, id: &str) -> Option<Link> {
        grant::link(self, shell, id)
    }

    fn link_secret(&self) -> Option<String> {
        Some(grant::link_secret(self))
    }

    fn released(&self, shell: &Shell) {
        // Its name may be free for another, and its add-on for deletion.
        let addon = grant::addon_key(self);
        shell.wake(&Cause::Moved(addon.clone(), BTreeSet::from([self.spec.developer_name.clone()])));
        shell.wake(&Cause::Object(addon));
    }
}

async fn look(me: &Authorization, shell: &Shell, secret: Option<&String>) -> Result<Option<Kept>, Error> {
    let Some(secret) = secret else { return Ok(None) };
    Ok(Some(kept(me, shell, secret, owned::read(shell, me, secret).await?)))
}

/// The same where nothing may fail: a Secret that cannot be read is left to Kubernetes, which collects it with its owner.
async fn look_leniently(me: &Authorization, shell: &Shell, secret: Option<&String>) -> Option<Kept> {
    let secret = secret?;
    let there = owned::read(shell, me, secret).await.unwrap_or_else(|error| {
        tracing::warn!(object = %key(me), "{error}; going on without it");
        HandOff::Unreadable
    });
    Some(kept(me, shell, secret, there))
}

fn kept(me: &Authorization, shell: &Shell, secret: &str, there: HandOff) -> Kept {
    let token_of = |addon: &AppLinkAddon| addon.spec.token_secret_ref.name.clone();
    let token = shell.read(&grant::addon_key(me), token_of);
    let key = me.access().jwt.as_ref().map(|jwt| jwt.private_key_secret_ref.name.clone());
    let reserved = [token, key, me.link_secret()].iter().flatten().any(|name| name == secret);
    Kept { secret: secret.to_owned(), there, reserved }
}
