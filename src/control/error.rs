//! Errors of calls to the API server: what they say, and what a user can do about them.
//!
//! A failed call to a remote service is no error here: it is an outcome that the next plan reads.

/// Why a request to the API server failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the API server.
    #[error("cannot {what}: {}", said(&**cause))]
    Kube {
        /// What the request was for.
        what: String,
        /// The error of the client.
        cause: Box<kube::Error>,
    },
    /// A document could not be packed. That is a bug.
    #[error("cannot pack what is to be published")]
    Unpacked,
    /// An object cannot be written as JSON. That is a bug.
    #[error("cannot write {0} as JSON")]
    Json(&'static str),
}

impl Error {
    pub(super) fn kube(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |cause| Self::Kube { what: what.into(), cause: Box::new(cause) }
    }

    /// The object changed since it was read, so plan again soon.
    pub(super) fn is_conflict(&self) -> bool {
        self.answer().is_some_and(|answer| answer.is_conflict())
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.answer().is_some_and(|answer| answer.is_not_found())
    }

    /// What the user can do about a request that the API server refuses. `None` if the API server is only busy, or was not
    /// reached.
    pub(super) fn remedy(&self) -> Option<&'static str> {
        const AGAIN: &str = "The operator tries again by itself";
        let status = self.answer()?;
        let ends = |cause: &kube::core::response::StatusCause| cause.reason == "NamespaceTerminating";
        match status.code {
            404 | 409 | 429 => None,
            403 if status.details.iter().any(|details| details.causes.iter().any(ends)) => {
                Some("The namespace is being deleted, and Kubernetes creates nothing in it any more")
            }
            // The sentence of the authorizer. Admission answers with 403, too.
            403 if status.message.contains(" cannot ") && status.message.contains(" resource ") => {
                Some("Grant the operator what deploy/ has for it; it goes on by itself then")
            }
            400..500 => Some(
                "An admission policy, a quota or a size limit of the cluster forbids it: change that, or the \
                              object. The operator tries again by itself, at once when applink.dev/requestedAt gets a \
                              new value",
            ),
            _ => Some(AGAIN),
        }
    }

    /// Whether the API server says that it is busy or broken, rather than that the request is.
    pub(super) fn is_passing(&self) -> bool {
        self.answer().is_none_or(|status| status.code == 429 || status.code >= 500)
    }

    /// The answer of the API server, if there is one.
    fn answer(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Kube { cause, .. } => match &**cause {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Json(_) | Self::Unpacked => None,
        }
    }
}

/// The message of an error in the words of the API server, because kube's message repeats the whole answer.
pub(super) fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let answers = chain.filter_map(|error| match error.downcast_ref() {
        Some(kube::Error::Api(status)) if !status.message.is_empty() => Some(status.message.clone()),
        _ => None,
    });
    answers.last().unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    #[test]
    fn a_namespace_that_is_being_deleted_is_not_told_as_a_missing_right() {
        let said =
            "secrets \"a\" is forbidden: unable to create new content in namespace crm because it is being terminated";
        let cause =
            StatusCause { reason: "NamespaceTerminating".to_owned(), message: String::new(), field: String::new() };
        let mut details: StatusDetails = serde_json::from_str("{}").expect("no field is required");
        details.causes.push(cause);
        let refused = |message: &str, details: Option<StatusDetails>| {
            let status = Status { code: 403, details, ..Status::failure(message, "Forbidden") };
            Error::kube("create Secret crm/a")(kube::Error::Api(Box::new(status))).remedy().unwrap_or_default()
        };
        assert!(refused(said, Some(details)).starts_with("The namespace is being deleted"));
        let right = r#"User "a" cannot create resource "secrets" in API group "" in the namespace "crm""#;
        assert!(refused(right, None).starts_with("Grant the operator"));
        assert!(refused("denied by policy", None).starts_with("An admission policy"));
    }
}
