//! Storage of the API server: the objects and the history of their changes.
//! Knows neither HTTP nor faults; `rules` decides what a write does. The routes and the test handle call it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::{Refusal, Resource, Result, Selection, text};
use super::rules::{
    Scope, ServerFields, bump_generation, created_object, finalizers, is_deleting, merge, updated_object,
};

pub type Object = Arc<Value>;
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Watches that start further back get 410, as after a compaction of etcd.
const HISTORY: usize = 20_000;

struct Change {
    version: u64,
    resource: &'static Resource,
    before: Option<Object>,
    after: Object,
    gone: bool,
}

type Key = (&'static str, String, String);

pub struct Store {
    objects: BTreeMap<Key, Object>,
    history: VecDeque<Change>,
    /// The newest version that is no longer in `history`.
    forgotten: u64,
    version: u64,
    clock: Clock,
}

impl Store {
    pub fn new(clock: Clock) -> Self {
        let (objects, history) = (BTreeMap::new(), VecDeque::new());
        // Not 0, which means "any version" in a watch or a list.
        Self { objects, history, forgotten: 1, version: 1, clock }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn forget_history(&mut self) {
        self.history.clear();
        self.forgotten = self.version;
    }

    pub fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Result<Object> {
        self.objects.get(&key(resource, namespace, name)).cloned().ok_or_else(|| Refusal::not_found(resource, name))
    }

    pub fn list(&self, selection: &Selection) -> Vec<Object> {
        let plural = selection.resource.plural;
        self.objects
            .range((plural, String::new(), String::new())..)
            .take_while(|(key, _)| key.0 == plural)
            .map(|(_, object)| object)
            .filter(|object| selection.matches(object))
            .cloned()
            .collect()
    }

    /// Watch events of a selection after a version, oldest first.
    pub fn changes(&self, selection: &Selection, after: u64) -> Result<Vec<(&'static str, Object)>> {
        if after < self.forgotten {
            let message = format!("too old resource version: {after} ({})", self.forgotten);
            return Err(Refusal { code: 410, reason: "Expired", message });
        }
        let first = self.history.partition_point(|change| change.version <= after);
        let of_kind = self.history.range(first..).filter(|change| change.resource == selection.resource);
        Ok(of_kind.filter_map(|change| change.seen_by(selection)).collect())
    }

    pub fn create(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        object: Value,
        scope: Scope,
    ) -> Result<Object> {
        let server_fields = ServerFields { version: self.version + 1, now: self.now() };
        let object = created_object(resource, namespace, object, scope, &server_fields)?;
        let name = text(&object, "/metadata/name");
        match self.get(resource, namespace, name) {
            Ok(_) => Err(Refusal::already_exists(resource, name)),
            Err(_) => Ok(self.keep(resource, None, object)),
        }
    }

    /// PUT. A UID in the object is a precondition.
    pub fn replace(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        object: Value,
        scope: Scope,
    ) -> Result<Object> {
        let old = self.get(resource, namespace, name)?;
        let (wanted, uid) = (text(&object, "/metadata/uid"), text(&old, "/metadata/uid"));
        if !wanted.is_empty() && wanted != uid {
            let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}");
            return Err(Refusal::conflict(resource, name, &why));
        }
        self.write(resource, old, object, scope)
    }

    /// RFC 7386 merge patch. A resourceVersion in the patch is a precondition.
    pub fn patch(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
        scope: Scope,
    ) -> Result<Object> {
        let old = self.get(resource, namespace, name)?;
        let mut new = (*old).clone();
        merge(&mut new, patch);
        self.write(resource, old, new, scope)
    }

    /// Returns the object, and whether it is gone or still has finalizers.
    pub fn delete(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        options: &Value,
    ) -> Result<(Object, bool)> {
        let old = self.get(resource, namespace, name)?;
        for field in ["uid", "resourceVersion"] {
            let wanted = text(options, &format!("/preconditions/{field}"));
            let actual = text(&old, &format!("/metadata/{field}"));
            if !wanted.is_empty() && wanted != actual {
                let why = format!(
                    "the {field} in the precondition ({wanted}) does not match the {field} in record ({actual})"
                );
                return Err(Refusal::conflict(resource, name, &why));
            }
        }
        if finalizers(&old).is_empty() {
            let last = (*old).clone();
            return Ok((self.remove(resource, old, last), true));
        }
        if is_deleting(&old) {
            return Ok((old, false));
        }
        let mut new = (*old).clone();
        new["metadata"]["deletionTimestamp"] = json!(self.now());
        new["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        bump_generation(&mut new);
        Ok((self.keep(resource, Some(old), new), false))
    }

    fn write(&mut self, resource: &'static Resource, old: Object, new: Value, scope: Scope) -> Result<Object> {
        let new = updated_object(resource, &old, new, scope)?;
        if new == *old {
            return Ok(old);
        }
        if is_deleting(&new) && finalizers(&new).is_empty() {
            return Ok(self.remove(resource, old, new));
        }
        Ok(self.keep(resource, Some(old), new))
    }

    fn keep(&mut self, resource: &'static Resource, before: Option<Object>, object: Value) -> Object {
        let after = self.record(resource, before, object, false);
        self.objects.insert(key_of(resource, &after), after.clone());
        after
    }

    fn remove(&mut self, resource: &'static Resource, before: Object, last: Value) -> Object {
        self.objects.remove(&key_of(resource, &before));
        let last = self.record(resource, Some(before), last, true);
        self.collect_orphans();
        last
    }

    fn record(&mut self, resource: &'static Resource, before: Option<Object>, mut object: Value, gone: bool) -> Object {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let after = Arc::new(object);
        self.history.push_back(Change { version: self.version, resource, before, after: after.clone(), gone });
        if self.history.len() > HISTORY {
            self.forgotten = self.history.pop_front().map_or(self.forgotten, |change| change.version);
        }
        after
    }

    /// Deletes objects whose owners are all gone.
    fn collect_orphans(&mut self) {
        let alive: HashSet<&str> = self.objects.values().map(|object| text(object, "/metadata/uid")).collect();
        let orphans: Vec<Key> = self
            .objects
            .iter()
            .filter(|(_, object)| {
                let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
                owners.is_some_and(|owners| owners.iter().all(|owner| !alive.contains(text(owner, "/uid"))))
            })
            .map(|(key, _)| key.clone())
            .collect();
        for (plural, namespace, name) in orphans {
            // Already gone if an earlier orphan owned it.
            let _ = self.delete(Resource::named(plural), &namespace, &name, &Value::Null);
        }
    }

    /// Whole seconds, as in metav1.Time.
    fn now(&self) -> String {
        let now = (self.clock)();
        Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
    }
}

impl Change {
    /// A label change may move an object into or out of a selection: that watcher sees it added or deleted.
    fn seen_by(&self, selection: &Selection) -> Option<(&'static str, Object)> {
        let was = self.before.as_ref().filter(|before| selection.matches(before));
        let is = !self.gone && selection.matches(&self.after);
        match (was, is) {
            (None, true) => Some(("ADDED", self.after.clone())),
            (Some(_), true) => Some(("MODIFIED", self.after.clone())),
            (Some(_), false) if self.gone => Some(("DELETED", self.after.clone())),
            (Some(before), false) => {
                let mut last = (**before).clone();
                last["metadata"]["resourceVersion"] = json!(self.version.to_string());
                Some(("DELETED", Arc::new(last)))
            }
            (None, false) => None,
        }
    }
}

fn key(resource: &'static Resource, namespace: &str, name: &str) -> Key {
    (resource.plural, namespace.to_owned(), name.to_owned())
}

fn key_of(resource: &'static Resource, object: &Value) -> Key {
    key(resource, text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}
