//! Executes the steps that write and delete the Secrets that an object owns.
//!
//! Decides nothing. A Secret that the object does not own stays as it is.

use super::{Execution, Next};
use crate::control::effects::Effects;
use crate::control::error::Error;
use crate::control::kind::key;
use crate::control::owned_secrets::{self, SecretContent};
use crate::plan::state::{CredentialsState, ReconcileState};
use crate::plan::transition::StepOutcome;

impl<K: Effects> Execution<'_, K> {
    pub(super) async fn write_oauth_secret(&self, id: &str) -> Result<Next<K>, Error> {
        let object = &**self.object;
        if let Some((name, link)) = object.oauth_secret_name().zip(object.consent_link(self.ctx(), id)) {
            let content = SecretContent::consent_link(link.expose(), id);
            owned_secrets::write(self.ctx(), object, &name, &content).await?;
        }
        Ok(Next::Gather)
    }

    pub(super) async fn delete_oauth_secret(&self) -> Result<Next<K>, Error> {
        if let Some(name) = self.object.oauth_secret_name() {
            owned_secrets::delete(self.ctx(), &**self.object, &name).await?;
        }
        Ok(Next::Gather)
    }

    pub(super) async fn set_secret_owner(&self, secret: &str) -> Result<Next<K>, Error> {
        owned_secrets::set_owner(self.ctx(), &**self.object, secret).await?;
        Ok(Next::Gather)
    }

    /// Deletes the Secret that holds the credential. A deletion of its owner does not wait for a missing right, because
    /// Kubernetes deletes the Secret with its owner.
    pub(super) async fn delete_credentials_secret(&self, secret: &str) -> Result<Next<K>, Error> {
        let object = &**self.object;
        let outcome = match owned_secrets::delete(self.ctx(), object, secret).await {
            Err(error) if self.state.deleting && !error.is_conflict() => {
                tracing::warn!(object = %key(object), "{error}; leaving it to Kubernetes, which deletes it with its owner");
                StepOutcome::NotDeleted
            }
            result => result.map(|()| StepOutcome::Done)?,
        };
        self.record(&outcome);
        Ok(Next::Gather)
    }

    /// Reads the credential and writes it to its Secret.
    pub(super) async fn write_credentials_secret(&self, id: &str, secret: &str) -> Result<Next<K>, Error> {
        let (ctx, object, state) = (self.ctx(), &**self.object, self.state);
        let began = ctx.clock.now();
        let urgent = state.requested.is_some() || state.credentials.written.is_none();
        let outcome = match object.read_credentials(ctx, id, urgent).await {
            Ok(content) => {
                // If the write fails, the Secret does not have this credential, whatever it had before.
                let unwritten = ReconcileState { credentials: CredentialsState::default(), ..state.clone() };
                self.reconciler.state_cache.store(object, &unwritten);
                owned_secrets::write(ctx, object, secret, &content).await?;
                StepOutcome::Done
            }
            Err(failure) => {
                tracing::warn!(object = %key(object), "cannot {}: {}", self.step, failure.text);
                StepOutcome::Failed { failure, began }
            }
        };
        self.reconciler.state_cache.store(object, &state.after(self.step, &outcome, began));
        Ok(Next::Gather)
    }
}
