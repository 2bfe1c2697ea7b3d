//! A small in-memory Kubernetes API server as a tower service: it opens no socket, and all its waits are on tokio's
//! clock, so that tests can pause it. It follows the rules that an operator depends on (resourceVersion, finalizers,
//! generation, the status subresource, watches, metadata-only responses), but validates neither schema nor CEL; that
//! needs a real server. In-process tests hold an `ApiServer` and pass its `client()` to the code under test.

mod faults;
mod resource;
mod routes;
mod rules;
mod store;
mod watches;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

use faults::{Fault, Faults};
use resource::{Refusal, Resource, Selection, text};
use rules::{Scope, merge};
use store::{Clock, Object, Store};

/// A handle to one server; clones share it. `writes` does not include changes made through its methods.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
}

struct State {
    store: Store,
    faults: Faults,
    writes: Vec<Write>,
    on_write: Option<Hook>,
}

type Hook = Arc<dyn Fn(&Write) + Send + Sync>;

/// A write by a client and its status code. A write without effect counts; a request lost in an outage does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// create, update, patch or delete.
    pub verb: &'static str,
    pub group: &'static str,
    /// Plural, such as `connections`.
    pub resource: &'static str,
    /// `status` or empty.
    pub subresource: &'static str,
    pub namespace: String,
    pub name: String,
    pub field_manager: String,
    pub body: Value,
    pub status: u16,
}

impl ApiServer {
    /// Its wall clock starts at the current time and follows tokio's clock.
    pub fn new() -> Self {
        let (start, origin) = (Timestamp::now(), tokio::time::Instant::now());
        Self::with_clock(Arc::new(move || start + origin.elapsed()))
    }

    /// `clock` is read for creationTimestamp and deletionTimestamp.
    pub fn with_clock(clock: Clock) -> Self {
        let store = Store::new(clock);
        let state = State { store, faults: Faults::default(), writes: Vec::new(), on_write: None };
        Self { state: Arc::new(Mutex::new(state)), changed: watch::Sender::new(()) }
    }

    /// A client without retries, like one made from a kubeconfig.
    pub fn client(&self) -> Client {
        let server = self.clone();
        Client::new(tower::service_fn(move |request| routes::serve(server.clone(), request)), "default")
    }

    // Writes of the clients.

    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    pub fn clear_writes(&self) {
        self.state().writes.clear();
    }

    /// Called after each write is executed and before it is answered. The hook may use this handle.
    pub fn on_write(&self, hook: impl Fn(&Write) + Send + Sync + 'static) {
        self.state().on_write = Some(Arc::new(hook));
    }

    // Faults. Resources are named as in RBAC rules: `connections`, `connections/status`.

    /// During an outage no request arrives. Open watches break when it begins.
    pub fn outage(&self, outage: bool) {
        self.state().faults.set_outage(outage);
        self.changed.send_replace(());
    }

    pub fn forbid(&self, verb: &str, resource: &str) {
        self.state().faults.refuse("", verb, resource, Some(Refusal::forbidden(verb, resource)));
    }

    pub fn allow(&self, verb: &str, resource: &str) {
        self.state().faults.refuse("", verb, resource, None);
    }

    /// Answers such requests with `code` and `message`, as an admission policy does, until [`ApiServer::allow`].
    pub fn refuse(&self, verb: &str, resource: &str, code: u16, message: &str) {
        self.state().faults.refuse("", verb, resource, Some(Refusal::of(code, message)));
    }

    /// Like `forbid` or `allow`, in one namespace.
    pub fn permit_in(&self, namespace: &str, verb: &str, resource: &str, yes: bool) {
        let refusal = (!yes).then(|| Refusal::forbidden(verb, resource));
        self.state().faults.refuse(namespace, verb, resource, refusal);
    }

    /// Number of requests refused that way.
    pub fn refused(&self) -> usize {
        self.state().faults.times_refused
    }

    /// Answers the next `times` requests with `code`, without executing them.
    pub fn fail_next(&self, verb: &str, resource: &str, times: usize, code: u16) {
        self.state().faults.add(verb, resource, times, &Fault::Refuse(Refusal::injected(code)));
    }

    /// Executes the next `times` requests, and loses the responses.
    pub fn lose_next(&self, verb: &str, resource: &str, times: usize) {
        self.state().faults.add(verb, resource, times, &Fault::LoseAnswer);
    }

    /// Never answers the next `times` requests.
    pub fn ignore_next(&self, verb: &str, resource: &str, times: usize) {
        self.state().faults.add(verb, resource, times, &Fault::Ignore);
    }

    /// Watches of this resource send nothing from now on.
    pub fn hold_watches(&self, plural: &str) {
        self.state().faults.held.insert(plural.to_owned());
    }

    /// Sends everything that was held back.
    pub fn release_watches(&self) {
        self.state().faults.held.clear();
        self.changed.send_replace(());
    }

    /// Watches from an older version get 410 Expired, including open ones that have not read on.
    pub fn compact(&self) {
        self.state().store.forget_history();
    }

    // Reads by the test. The namespace of a cluster-scoped object is "".

    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let found = self.state().store.get(Resource::named(plural), namespace, name);
        found.ok().map(|object| (*object).clone())
    }

    /// All objects of a resource in all namespaces.
    pub fn list(&self, plural: &str) -> Vec<Value> {
        let selection = Selection::all(Resource::named(plural));
        self.state().store.list(&selection).iter().map(|object| (**object).clone()).collect()
    }

    pub fn events(&self) -> Vec<Value> {
        self.list("events")
    }

    /// Waits until the object is as wanted, and returns it; on a timeout, panics and shows the object.
    pub async fn wait_until(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        what: impl Fn(Option<&Value>) -> bool,
        at_most: Duration,
    ) -> Option<Value> {
        let mut changed = self.subscribe();
        let wanted = async {
            loop {
                let object = self.get(plural, namespace, name);
                if what(object.as_ref()) {
                    return object;
                }
                changed.changed().await.expect("this handle keeps the sender");
            }
        };
        tokio::time::timeout(at_most, wanted).await.unwrap_or_else(|_| {
            let last = self.get(plural, namespace, name);
            panic!("{plural} {namespace}/{name} after {at_most:?} is not what the test waits for, but {last:#?}")
        })
    }

    // Changes by the test. Each creates the object or needs an existing one, and panics otherwise.

    /// Like `kubectl apply`: creates the object, or sets the given fields. Merges metadata, keeps an omitted status.
    pub fn apply(&self, manifest: Value) -> Value {
        let (resource, namespace, name) = locate(&manifest);
        self.arrange(|store| match store.get(resource, &namespace, &name) {
            Err(_) => store.create(resource, &namespace, manifest, Scope::Whole),
            Ok(old) => {
                let mut new = (*old).clone();
                for (field, value) in manifest.as_object().into_iter().flatten() {
                    match field.as_str() {
                        "metadata" => merge(&mut new["metadata"], value),
                        _ => new[field] = value.clone(),
                    }
                }
                store.replace(resource, &namespace, &name, new, Scope::Whole)
            }
        })
    }

    /// Like `kubectl replace`: drops finalizers and annotations that the manifest lacks, keeps the status.
    pub fn replace(&self, mut manifest: Value) -> Value {
        let (resource, namespace, name) = locate(&manifest);
        self.arrange(|store| {
            let old = store.get(resource, &namespace, &name)?;
            manifest["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            store.replace(resource, &namespace, &name, manifest, Scope::Main)
        })
    }

    /// A merge patch of any field, including the status.
    pub fn patch(&self, plural: &str, namespace: &str, name: &str, patch: Value) -> Value {
        self.arrange(|store| store.patch(Resource::named(plural), namespace, name, &patch, Scope::Whole))
    }

    /// Sets or removes an annotation.
    pub fn annotate(&self, plural: &str, namespace: &str, name: &str, annotation: &str, value: Option<&str>) -> Value {
        self.patch(plural, namespace, name, json!({"metadata": {"annotations": {annotation: value}}}))
    }

    /// Like `kubectl delete --wait=false`, with finalizers.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        self.arrange(|store| {
            let deleted = store.delete(Resource::named(plural), namespace, name, &Value::Null);
            deleted.map(|(object, _)| object)
        });
    }

    /// Creates the Secret, or replaces its data.
    pub fn set_secret(&self, namespace: &str, name: &str, data: &[(&str, &str)]) {
        let strings: serde_json::Map<_, _> = data.iter().map(|(key, value)| ((*key).into(), json!(value))).collect();
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"namespace": namespace, "name": name}, "data": {}, "stringData": strings,
        }));
    }

    // For the modules of this server.

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let outcome = change(&mut self.state().store);
        self.changed.send_replace(());
        outcome
    }

    fn arrange(&self, change: impl FnOnce(&mut Store) -> resource::Result<Object>) -> Value {
        let outcome = self.change(change);
        let object = outcome.unwrap_or_else(|refusal| panic!("the test arranges what cannot be: {}", refusal.message));
        (*object).clone()
    }

    fn log(&self, write: Write) {
        let hook = {
            let mut state = self.state();
            state.writes.push(write.clone());
            state.on_write.clone()
        };
        if let Some(hook) = hook {
            hook(&write);
        }
    }
}

/// Resource, namespace and name of a manifest.
fn locate(manifest: &Value) -> (&'static Resource, String, String) {
    let resource = Resource::of(manifest);
    let namespace = match text(manifest, "/metadata/namespace") {
        _ if !resource.namespaced => "",
        "" => "default",
        namespace => namespace,
    };
    (resource, namespace.to_owned(), text(manifest, "/metadata/name").to_owned())
}
