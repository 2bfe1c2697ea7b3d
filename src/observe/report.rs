//! Turns errors of remote calls into condition reports.
//!
//! Pure. The poller, its passes and `control` call it.

use http::StatusCode;

use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::heroku::RemoteError;
use crate::transport::CallError;

/// The condition report for an error, whatever resource it affects.
#[must_use]
pub fn report_for(error: &RemoteError) -> ConditionReport {
    match error {
        RemoteError::Changed(_) => ConditionReport::stalled(Reason::AddonChanged, error.to_string()),
        RemoteError::NoApp(_) | RemoteError::NoAddon(_) | RemoteError::Several { .. } => {
            ConditionReport::stalled(Reason::InvalidSpec, error.to_string())
        }
        RemoteError::Provisioning(_) | RemoteError::Forgotten => {
            ConditionReport::in_progress(Reason::AddonNotReady, error.to_string())
        }
        RemoteError::Budget(_) => limited(&error.to_string()),
        RemoteError::Heroku(call) => of_heroku(call).unwrap_or_else(|| of_call(call, error.to_string())),
        RemoteError::AppLink(call) => of_call(call, error.to_string()),
    }
}

fn limited(text: &str) -> ConditionReport {
    ConditionReport::in_progress(Reason::RateLimited, format!("{text}; waiting until calls are allowed again"))
}

/// Permanent errors of the Platform API that a new token cannot fix. They are not outages.
fn of_heroku(call: &CallError) -> Option<ConditionReport> {
    let CallError::Status { status, error, .. } = call else { return None };
    let (reason, remedy) = match (status.as_u16(), error.id.as_deref()) {
        (401 | 403, Some("two_factor")) => (
            Reason::CredentialInvalid,
            "the app requires a second factor, which the operator cannot give. Use the token of a user who does not need one",
        ),
        (403, Some("suspended")) => {
            (Reason::CredentialInvalid, "the Heroku account is suspended. Contact Heroku support")
        }
        (401 | 403 | 408 | 429, _) => return None,
        (402, _) => (Reason::RemoteRejected, "Heroku requires a payment. Settle it in the account's billing"),
        (404 | 410, _) => (
            Reason::RemoteRejected,
            "the Platform API does not know this address. Check spec.platformURL, and that the add-on still exists",
        ),
        (400..500, _) => (Reason::RemoteRejected, "Heroku refuses the request. Fix the cause that it gives"),
        _ => return None,
    };
    Some(ConditionReport::stalled(reason, format!("{call}: {remedy}")))
}

fn of_call(call: &CallError, text: String) -> ConditionReport {
    match call {
        CallError::Host(_) | CallError::Url(_) => ConditionReport::stalled(Reason::InvalidSpec, text),
        CallError::Status { status, .. } if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            let text = format!(
                "{text}: the token in spec.tokenSecretRef is wrong or expired, or its user may not manage this app. \
                 Create a new one with heroku authorizations:create, and store it in the Secret"
            );
            ConditionReport::stalled(Reason::CredentialInvalid, text)
        }
        CallError::Status { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => limited(&text),
        CallError::Status { .. } | CallError::Transport { .. } | CallError::Unreadable { .. } => {
            ConditionReport::in_progress(Reason::RemoteUnavailable, format!("{text}; trying again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ErrorText;

    #[test]
    fn permanent_heroku_errors_are_not_outages() {
        let report = |status: u16, id: &str| {
            let error = ErrorText { id: Some(id.to_owned()), message: None };
            let status = StatusCode::from_u16(status).unwrap();
            let host = "api.heroku.com".to_owned();
            report_for(&RemoteError::Heroku(CallError::Status { host, status, error, retry_after: None }))
        };
        let table = [
            (402, "delinquent", Reason::RemoteRejected, "payment"),
            (404, "not_found", Reason::RemoteRejected, "spec.platformURL"),
            (410, "gone", Reason::RemoteRejected, "spec.platformURL"),
            (422, "invalid_params", Reason::RemoteRejected, "refuses"),
            (403, "two_factor", Reason::CredentialInvalid, "second factor"),
            (403, "suspended", Reason::CredentialInvalid, "suspended"),
            (401, "unauthorized", Reason::CredentialInvalid, "heroku authorizations:create"),
            (429, "rate_limit", Reason::RateLimited, "waiting"),
            (503, "maintenance", Reason::RemoteUnavailable, "trying again"),
        ];
        for (status, id, reason, hint) in table {
            let report = report(status, id);
            assert_eq!(report.reason, reason, "{status} {id}");
            assert!(report.message.contains(hint), "{}", report.message);
        }
    }
}
