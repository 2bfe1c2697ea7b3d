//! The Authorization kind: what it shares with connections, and the Secret that keeps its credential.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::org_access::{self, OrgAccessResource, org_access_effects, org_access_gather, org_access_kind};
use crate::budget::Purpose;
use crate::control::context::Context;
use crate::control::effects::{Effects, Made};
use crate::control::error::Error;
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::control::owned_secrets::{self, SecretContent};
use crate::crd::{
    AppLinkAddon, AuthSpec, Authorization, AuthorizationStatus, DeletionPolicies, ManagementPolicies, OrgAccessStatus,
    Reason,
};
use crate::facts::{ConsentLink, OrgAccessKind};
use crate::observe::{Key, Subscription};
use crate::plan::Plan;
use crate::plan::inputs::OrgAccessPayload;
use crate::plan::kinds::authorization::{self, CredentialsSecret};
use crate::plan::remote::OwnedSecret;
use crate::plan::state::ReconcileState;
use crate::plan::transition::CallFailure;

/// The inputs, and the state of the Secrets for the credential: the one in the spec, and the one in the status.
pub(in crate::control) struct Inputs {
    access: org_access::Inputs,
    wanted: Option<CredentialsSecret>,
    recorded: Option<CredentialsSecret>,
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
    /// As the CLI names it, because apps also look an authorization up by its alias.
    fn alias(&self) -> String {
        format!("applink:{}", self.spec.developer_name)
    }
}

impl Kind for Authorization {
    const KIND: &'static str = "Authorization";
    const INITIAL_REASON: Reason = Reason::Creating;
    type Status = AuthorizationStatus;

    fn status(&self) -> Option<&AuthorizationStatus> {
        self.status.as_ref()
    }

    fn references(&self) -> Vec<Reference> {
        let recorded = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let names = self.spec.credentials_secret_name.iter().chain(recorded);
        org_access::references(self).into_iter().chain(names.map(Reference::secret)).collect()
    }

    org_access_kind!();
}

impl Gather for Authorization {
    type Inputs = Inputs;
    type Snapshot = authorization::Snapshot;

    org_access_gather!();

    fn subscribe(&self, _ctx: &Context, subscription: &mut Subscription) {
        subscription.authorizations = true;
    }

    async fn gather(&self, ctx: &Context) -> Result<Inputs, Error> {
        let recorded_name = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let wanted = read_secret(self, ctx, self.spec.credentials_secret_name.as_ref()).await?;
        let recorded = match &wanted {
            Some(wanted) if Some(&wanted.secret) == recorded_name => Some(wanted.clone()),
            _ => read_secret(self, ctx, recorded_name).await?,
        };
        Ok(Inputs { access: org_access::gather(self, ctx).await?, wanted, recorded })
    }

    async fn gather_without_inputs(&self, ctx: &Context) -> Inputs {
        let recorded_name = self.status.as_ref().and_then(|status| status.credentials_secret_name.as_ref());
        let wanted = try_read_secret(self, ctx, self.spec.credentials_secret_name.as_ref()).await;
        let recorded = match &wanted {
            Some(wanted) if Some(&wanted.secret) == recorded_name => Some(wanted.clone()),
            _ => try_read_secret(self, ctx, recorded_name).await,
        };
        Inputs { access: org_access::gather_without_inputs(self), wanted, recorded }
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
            recorded: inputs.recorded.clone(),
            status: self.status.clone().unwrap_or_default(),
        }
    }

    fn plan(snapshot: &authorization::Snapshot) -> Plan<AuthorizationStatus> {
        authorization::plan(snapshot)
    }
}

impl Effects for Authorization {
    org_access_effects!();

    async fn read_credentials(&self, ctx: &Context, id: &str, urgent: bool) -> Result<SecretContent, CallFailure> {
        let purpose = if urgent { Purpose::Edit } else { Purpose::Poll };
        let api = ctx.observer.api(&org_access::addon_key(self))?.with_purpose(purpose);
        let credential = api.read_credentials(&self.spec.developer_name, id).await?;
        let fields = [
            ("instanceURL", credential.org.instance_url),
            ("apiVersion", credential.org.api_version),
            ("orgID", credential.org.id),
            ("orgType", credential.org.kind),
            ("userID", credential.org.user_id),
            ("username", credential.org.username),
        ];
        let org_fields = fields.into_iter().filter_map(|(key, value)| Some((key, value?.into())));
        let data: BTreeMap<_, _> = org_fields.chain([("accessToken", credential.access_token)]).collect();
        Ok(SecretContent { data, link_for: None })
    }
}

async fn read_secret(
    me: &Authorization,
    ctx: &Context,
    secret: Option<&String>,
) -> Result<Option<CredentialsSecret>, Error> {
    let Some(secret) = secret else { return Ok(None) };
    Ok(Some(credentials_secret(me, ctx, secret, owned_secrets::read(ctx, me, secret).await?)))
}

/// Like [`read_secret`], but never fails: Kubernetes deletes a Secret that cannot be read with its owner.
async fn try_read_secret(me: &Authorization, ctx: &Context, secret: Option<&String>) -> Option<CredentialsSecret> {
    let secret = secret?;
    let state = owned_secrets::read(ctx, me, secret).await.unwrap_or_else(|error| {
        tracing::warn!(object = %key(me), "{error}; going on without it");
        OwnedSecret::Unreadable
    });
    Some(credentials_secret(me, ctx, secret, state))
}

fn credentials_secret(me: &Authorization, ctx: &Context, secret: &str, state: OwnedSecret) -> CredentialsSecret {
    let token_of = |addon: &AppLinkAddon| addon.spec.token_secret_ref.name.clone();
    let token = ctx.read(&org_access::addon_key(me), token_of);
    let key = me.spec().jwt.as_ref().map(|jwt| jwt.private_key_secret_ref.name.clone());
    let reserved = [token, key, me.oauth_secret_name()].iter().flatten().any(|name| name == secret);
    CredentialsSecret { secret: secret.to_owned(), state, reserved }
}
