//! Guards all requests: none that changes something passes the closed fence, and none to the API server waits forever.
//!
//! Retries nothing. `run` wraps the API client and the transport in this before anything else gets them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt, service_fn};

use super::fence::WriteFence;
use crate::timing::{KUBE_DEADLINE, KUBE_LIST_DEADLINE};
use crate::transport::{Transport, TransportError};

/// Why a request was not sent, or was given up.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("this replica no longer holds the lease, and writes nothing")]
    Fenced,
    #[error("the API server has not answered within {} s", .0.as_secs())]
    Late(Duration),
}

/// Puts `transport` behind the fence.
pub(super) fn transport(transport: Transport, fence: WriteFence) -> Transport {
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let fence = (!request.method().is_safe()).then(|| fence.clone());
        let answer = transport.clone().oneshot(request);
        async move {
            match fence {
                None => answer.await,
                Some(fence) => Fenced::new(answer, fence).await.unwrap_or_else(|polled| {
                    let why = Stopped::Fenced.to_string();
                    Err(if polled { TransportError::Lost(why) } else { TransportError::Unsent(why) })
                }),
            }
        }
    }))
}

/// Adds deadlines to `client`, and puts it behind the fence if there is one. Only the start of a watch has a deadline here;
/// kube ends a watch that stays silent.
pub(super) fn client(client: Client, fence: Option<WriteFence>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, fence) = (client.clone(), fence.clone().filter(|_| !request.method().is_safe()));
        async move {
            let (deadline, watches) = deadline_of(request.method(), request.uri());
            let late = |_| BoxError::from(Stopped::Late(deadline));
            let begun = tokio::time::Instant::now();
            let answer = async move { client.send(request).await.map_err(BoxError::from) };
            let answer = async move {
                match fence {
                    None => answer.await,
                    Some(fence) => Fenced::new(answer, fence).await.unwrap_or_else(|_| Err(Stopped::Fenced.into())),
                }
            };
            let answer: Response<Body> = tokio::time::timeout(deadline, answer).await.map_err(late)??;
            if watches {
                return Ok(answer);
            }
            let (parts, body) = answer.into_parts();
            let whole = tokio::time::timeout_at(begun + deadline, body.collect()).await.map_err(late)?;
            Ok::<_, BoxError>(Response::from_parts(parts, Body::from(whole.map_err(BoxError::from)?.to_bytes())))
        }
    });
    Client::new(service, namespace)
}

/// The deadline of a request, and whether it is a watch.
fn deadline_of(method: &Method, uri: &Uri) -> (Duration, bool) {
    let has = |wanted: &[&str]| uri.query().unwrap_or_default().split('&').any(|part| wanted.contains(&part));
    let watches = method == Method::GET && has(&["watch=true", "watch=1"]);
    let is_list = method == Method::GET && uri.query().unwrap_or_default().split('&').any(|p| p.starts_with("limit="));
    (if is_list || watches { KUBE_LIST_DEADLINE } else { KUBE_DEADLINE }, watches)
}

/// Asks the fence at each poll of the request, so that nothing starts or continues after the deadline.
struct Fenced<F> {
    inner: Pin<Box<F>>,
    fence: WriteFence,
    polled: bool,
}

impl<F> Fenced<F> {
    fn new(inner: F, fence: WriteFence) -> Self {
        Self { inner: Box::pin(inner), fence, polled: false }
    }
}

impl<F: Future> Future for Fenced<F> {
    /// The error says whether the request may have been sent.
    type Output = Result<F::Output, bool>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.fence.is_open() {
            return Poll::Ready(Err(self.polled));
        }
        self.polled = true;
        self.inner.as_mut().poll(cx).map(Ok)
    }
}
