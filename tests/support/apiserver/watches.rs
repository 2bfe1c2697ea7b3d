//! One open watch: a response body that streams the changes of a selection in order, until its timeout.
//! Never writes. The routes open it.

use std::time::Duration;

use axum::body::Body;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tower::BoxError;

use super::ApiServer;
use super::resource::Selection;
use super::routes::present;

pub struct Watch {
    server: ApiServer,
    selection: Selection,
    metadata_only: bool,
    bookmarks: bool,
    /// Everything up to this version is sent, or does not concern this watch.
    seen: u64,
    initial: Vec<Value>,
    deadline: Instant,
    changed: watch::Receiver<()>,
    outages: u64,
    ended: bool,
}

impl Watch {
    /// From version 0, which means "any", the watch begins with the existing objects.
    pub fn open(server: ApiServer, selection: Selection, since: u64, seconds: u64) -> Self {
        let changed = server.subscribe();
        let state = server.state();
        let (seen, initial) = match since {
            0 => (state.store.version(), state.store.list(&selection)),
            since => (since, Vec::new()),
        };
        let initial = initial.iter().map(|object| (**object).clone()).collect();
        let outages = state.faults.outages;
        drop(state);
        let deadline = Instant::now() + Duration::from_secs(seconds);
        Self {
            server,
            selection,
            metadata_only: false,
            bookmarks: false,
            seen,
            initial,
            deadline,
            changed,
            outages,
            ended: false,
        }
    }

    pub fn shaped(mut self, metadata_only: bool, bookmarks: bool) -> Self {
        (self.metadata_only, self.bookmarks) = (metadata_only, bookmarks);
        self
    }

    pub fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(
            self,
            |mut watch| async move { watch.next().await.map(|lines| (lines, watch)) },
        ))
    }

    async fn next(&mut self) -> Option<Result<String, BoxError>> {
        while !self.ended {
            match self.due() {
                Ok(lines) if lines.is_empty() => {}
                due => return Some(due),
            }
            if timeout_at(self.deadline, self.changed.changed()).await.is_err() {
                self.ended = true;
                if self.bookmarks {
                    return Some(Ok(self.bookmark()));
                }
            }
        }
        None
    }

    /// Pending events, one per line.
    fn due(&mut self) -> Result<String, BoxError> {
        let state = self.server.state();
        if state.faults.outages != self.outages {
            self.ended = true;
            return Err("connection reset: the test has set an outage".into());
        }
        if state.faults.held.contains(self.selection.resource.plural) {
            return Ok(String::new());
        }
        let changes = match state.store.changes(&self.selection, self.seen) {
            Ok(changes) => changes,
            Err(expired) => {
                self.ended = true;
                return Ok(line("ERROR", expired.status()));
            }
        };
        self.seen = state.store.version();
        let initial = self.initial.drain(..).map(|object| ("ADDED", object));
        let events = initial.chain(changes.into_iter().map(|(event, object)| (event, (*object).clone())));
        Ok(events.map(|(event, object)| line(event, present(&object, self.metadata_only))).collect())
    }

    fn bookmark(&self) -> String {
        let resource = self.selection.resource;
        let meta = json!({"resourceVersion": self.seen.to_string()});
        let object = json!({"apiVersion": resource.api_version(), "kind": resource.kind, "metadata": meta});
        line("BOOKMARK", present(&object, self.metadata_only))
    }
}

fn line(event: &str, object: Value) -> String {
    format!("{}\n", json!({"type": event, "object": object}))
}
