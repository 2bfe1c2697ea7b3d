//! Authorization for the driver: as all granted access, and the Secret that keeps its credential.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::org_access::{self, OrgAccessResource};
use super::{Kind, Made, Reference};
use crate::budget::Purpose;
use crate::control::owned_secrets::{self, SecretContent};
use crate::control::stores::key;
use crate::control::{Context, Error};
use crate::crd::{
    AppLinkAddon, AuthSpec, Authorization, AuthorizationStatus, DeletionPolicies, ManagementPolicies, OrgAccessStatus,
    Reason,
};
use crate::facts::{ConsentLink, OrgAccessKind};
use crate::heroku::RemoteError;
use crate::observe::{Key, Subscription, Trigger};
use crate::plan::Plan;
use crate::plan::inputs::OrgAccessPayload;
use crate::plan::kinds::authorization::{self, CredentialsSecret};
use crate::plan::remote::OwnedSecret;
use crate::plan::state::ReconcileState;

/// What is declared, and whose the Secrets of the credential are.
pub(in crate::control) struct Inputs {
    access: org_access::Inputs,
    wanted: Option<CredentialsSecret>,
    kept: Option<CredentialsSecret>,
}

impl OrgAccessResource for Authorization {
    const GRANT: OrgAccessKind = OrgAccessKind::Authorization;

    fn name(&self) -> &str {
        &self.spec.developer_name
    }
    fn addon_name(&self) -> &str {
        &self.spec.addon_ref.name
    }
    fn spec(&self) -> &AuthSpec {
        &self.spec.access
    }
    fn own_policies(&self) -> (ManagementPolicies, DeletionPolicies) {
        (self.spec.handling, self.spec.ending)
    }
    fn recorded(&self) -> Option<&OrgAccessStatus> {
        self.status.as_ref().map(|status| &status.grant)
    }
    /// As the CLI has it: apps ask for an authorization by its alias, too.
    fn alias(&self) -> String {
        format!("applink:{}", self.spec.developer_name)
    }
}

impl Kind for Authorization {
    const KIND: &'static str = "Authorization";
    const INITIAL_REASON: Reason = Reason::Creating;
    type Status = AuthorizationStatus;
    type Inputs = Inputs;
    type Snapshot = authorization::Snapshot;
    type Payload = OrgAccessPayload;

    fn status(&self) -> Option<&AuthorizationStatus> {
        self.status.as_ref()
    }

    fn addon(&self, _shell: &Context) -> Option<Key> {
        Some(org_access::addon_key(self))
    }

    fn references(&self) -> Vec<Reference> {
        let kept = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let names = self.spec.credentials_secret_name.iter().chain(kept);
        org_access::references(self).into_iter().chain(names.map(Reference::secret)).collect()
    }

    fn is_affected(&self, _shell: &Context, moved: &BTreeSet<String>) -> bool {
        org_access::is_affected(self, moved)
    }

    fn subscribe(&self, _shell: &Context, wanted: &mut Subscription) {
        wanted.authorizations = true;
    }

    fn remote_name(&self) -> Option<String> {
        Some(self.name().to_owned())
    }

    fn recorded_ids(&self) -> Vec<String> {
        self.recorded().and_then(|status| status.remote.id.clone()).into_iter().collect()
    }

    async fn prepare(&self, ctx: &Context) -> Result<(), Error> {
        org_access::prepare(self, ctx);
        Ok(())
    }

    async fn payload(&self, ctx: &Context) -> Result<Option<OrgAccessPayload>, Error> {
        org_access::payload(self, ctx).await
    }

    async fn gather(&self, ctx: &Context) -> Result<Inputs, Error> {
        let kept = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let wanted = look(self, ctx, self.spec.credentials_secret_name.as_ref()).await?;
        let kept = match &wanted {
            Some(wanted) if Some(&wanted.secret) == kept => Some(wanted.clone()),
            _ => look(self, ctx, kept).await?,
        };
        Ok(Inputs { access: org_access::gather(self, ctx).await?, wanted, kept })
    }

    async fn gather_without_inputs(&self, ctx: &Context) -> Inputs {
        let recorded = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let wanted = look_leniently(self, ctx, self.spec.credentials_secret_name.as_ref()).await;
        let kept = match &wanted {
            Some(wanted) if Some(&wanted.secret) == recorded => Some(wanted.clone()),
            _ => look_leniently(self, ctx, recorded).await,
        };
        Inputs { access: org_access::gather_without_inputs(self), wanted, kept }
    }

    fn is_passive(&self) -> bool {
        org_access::is_passive(self)
    }

    fn snapshot(
        &self,
        ctx: &Context,
        inputs: &Inputs,
        state: ReconcileState,
        now: Timestamp,
    ) -> authorization::Snapshot {
        authorization::Snapshot {
            access: org_access::snapshot(self, ctx, &inputs.access, state, now),
            wanted: inputs.wanted.clone(),
            recorded: inputs.kept.clone(),
            status: self.status.clone().unwrap_or_default(),
        }
    }

    fn plan(snapshot: &authorization::Snapshot) -> Plan<AuthorizationStatus> {
        authorization::plan(snapshot)
    }

    async fn create(&self, ctx: &Context, payload: &OrgAccessPayload) -> Result<Made, RemoteError> {
        org_access::create(self, ctx, payload).await
    }

    async fn delete(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        org_access::delete(self, ctx, id).await
    }

    async fn get(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        org_access::get(self, ctx, id).await
    }

    async fn read_credentials(&self, ctx: &Context, id: &str, urgent: bool) -> Result<SecretContent, RemoteError> {
        let purpose = if urgent { Purpose::Edit } else { Purpose::Poll };
        let api = ctx.observer.api(&org_access::addon_key(self))?.with_purpose(purpose);
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
        Ok(SecretContent { data, link_for: None })
    }

    fn consent_link(&self, ctx: &Context, id: &str) -> Option<ConsentLink> {
        org_access::consent_link(self, ctx, id)
    }

    fn oauth_secret_name(&self) -> Option<String> {
        Some(org_access::oauth_secret_name(self))
    }

    fn on_finalizer_removed(&self, ctx: &Context) {
        // Its name may be free for another, and its add-on for deletion.
        let addon = org_access::addon_key(self);
        ctx.trigger(&Trigger::Changed(addon.clone(), BTreeSet::from([self.spec.developer_name.clone()])));
        ctx.trigger(&Trigger::Object(addon));
    }
}

async fn look(me: &Authorization, ctx: &Context, secret: Option<&String>) -> Result<Option<CredentialsSecret>, Error> {
    let Some(secret) = secret else { return Ok(None) };
    Ok(Some(kept(me, ctx, secret, owned_secrets::read(ctx, me, secret).await?)))
}

/// The same where nothing may fail: a Secret that cannot be read is left to Kubernetes, which collects it with its owner.
async fn look_leniently(me: &Authorization, ctx: &Context, secret: Option<&String>) -> Option<CredentialsSecret> {
    let secret = secret?;
    let there = owned_secrets::read(ctx, me, secret).await.unwrap_or_else(|error| {
        tracing::warn!(object = %key(me), "{error}; going on without it");
        OwnedSecret::Unreadable
    });
    Some(kept(me, ctx, secret, there))
}

fn kept(me: &Authorization, ctx: &Context, secret: &str, there: OwnedSecret) -> CredentialsSecret {
    let token_of = |addon: &AppLinkAddon| addon.spec.token_secret_ref.name.clone();
    let token = ctx.read(&org_access::addon_key(me), token_of);
    let key = me.spec().jwt.as_ref().map(|jwt| jwt.private_key_secret_ref.name.clone());
    let reserved = [token, key, me.oauth_secret_name()].iter().flatten().any(|name| name == secret);
    CredentialsSecret { secret: secret.to_owned(), state: there, reserved }
}
