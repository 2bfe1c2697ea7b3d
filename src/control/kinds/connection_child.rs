//! What connection children share: their Connection, the add-on behind it, and the state of both.
//!
//! Decides nothing. Publications and data action targets use it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::addon;
use crate::control::context::Context;
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::crd::{AppLinkAddon, Connection, FINALIZER, ManagementPolicy, Provider, RecordsRemote};
use crate::facts::OrgAccessKind;
use crate::observe::{CollectionRef, Key, Trigger};
use crate::plan::kinds::connection::connection_state;
use crate::plan::remote::{ConnectionState, OwnerState};
use crate::plan::state::{Intent, ReconcileState};

/// A kind whose remote object is on a connection.
pub(super) trait ConnectionChild: Gather<Status: RecordsRemote> {
    /// The kind as messages name it, and the provider that its connection must have.
    const NEEDS: (&'static str, Provider);

    /// Name of its Connection.
    fn connection_name(&self) -> &str;
    /// ID of the connection that its remote object was created on, as its status records it.
    fn recorded_connection(&self) -> Option<&str>;
}

/// The Connection and the add-on of a connection child, and their state.
pub(in crate::control) struct ChildContext {
    pub(super) owner_name: String,
    pub(super) addon: OwnerState,
    pub(super) ceiling: ManagementPolicy,
    pub(super) connection: ConnectionState,
    /// Whether the connection that its remote object was created on is known to be gone.
    pub(super) connection_gone: bool,
    /// UUID of the app; empty if unknown.
    pub(super) app: String,
    /// Whether the app has the config var `HEROKU_APP_ID`. True if unknown.
    pub(super) app_id_set: bool,
}

fn connection_key<C: ConnectionChild>(me: &C) -> Key {
    let namespace = me.namespace().unwrap_or_default();
    Key { kind: Connection::KIND, namespace, name: me.connection_name().to_owned() }
}

/// The result of `read` for its Connection, if that exists and can be read.
pub(super) fn connection<C: ConnectionChild, T>(
    me: &C,
    ctx: &Context,
    read: impl FnOnce(&Connection) -> T,
) -> Option<T> {
    ctx.read(&connection_key(me), read)
}

/// ID of the connection that its Connection has now.
fn current<C: ConnectionChild>(me: &C, ctx: &Context) -> Option<String> {
    connection(me, ctx, |connection| connection.status.as_ref()?.grant.remote.id.clone())?
}

/// The add-on, and the ID of the connection that calls are about.
pub(super) fn call_target<C: ConnectionChild>(me: &C, ctx: &Context) -> Option<(Key, String)> {
    me.owner(ctx).zip(connection_id(me, ctx))
}

/// The add-on of its Connection. If the Connection is gone, the add-on that its status or its intent names.
pub(super) fn addon_key<C: ConnectionChild>(me: &C, ctx: &Context) -> Option<Key> {
    if let Some(addon) = connection(me, ctx, |connection| connection.owner(ctx)) {
        return addon;
    }
    let recorded = me.status().and_then(|status| status.remote().addon_id.clone());
    let recorded = recorded.or_else(|| Some(intent(me)?.owner_id))?;
    let here = |addon: &AppLinkAddon| addon.namespace() == me.namespace();
    let is_it = |addon: &AppLinkAddon| {
        let status = addon.status.as_ref();
        here(addon) && status.and_then(|status| status.addon_id.as_ref()) == Some(&recorded)
    };
    let mut all = ctx.all::<AppLinkAddon>();
    all.find_map(|guard| guard.0.as_ref().ok().filter(|addon| is_it(addon)).map(key))
}

pub(super) fn context<C: ConnectionChild>(me: &C, ctx: &Context, state: &ReconcileState) -> ChildContext {
    let Some(addon_key) = addon_key(me, ctx) else {
        let connection = without_connection(me, ctx);
        return ChildContext {
            owner_name: String::new(),
            addon: OwnerState::Missing,
            ceiling: ManagementPolicy::default(),
            connection,
            connection_gone: false,
            app: String::new(),
            app_id_set: true,
        };
    };
    let (addon, ceiling) = addon::seen(ctx, &addon_key);
    let facts = ctx.observer.addon(&addon_key).and_then(|live| live.facts);
    let created_on = created_on(me);
    ChildContext {
        connection: state_of_connection(me, ctx, &addon_key),
        connection_gone: created_on.is_some_and(|id| ctx.observer.connection_gone(&addon_key, &id, state.changed_at)),
        owner_name: addon_key.name,
        addon,
        ceiling,
        app_id_set: facts.as_ref().is_none_or(|facts| facts.app_id_set),
        app: facts.map(|facts| facts.app_id).unwrap_or_default(),
    }
}

fn state_of_connection<C: ConnectionChild>(me: &C, ctx: &Context, addon: &Key) -> ConnectionState {
    let name = me.connection_name();
    let state = |connection: &Connection| {
        let status = connection.status.clone().unwrap_or_default();
        let (id, remote_name) = (status.grant.remote.id.as_deref(), connection.spec.connection_name.as_str());
        let collection = CollectionRef::org_access(OrgAccessKind::Connection);
        let lookup = ctx.observer.lookup(addon, &collection, id, remote_name, Timestamp::UNIX_EPOCH);
        let deleting = connection.metadata.deletion_timestamp.is_some();
        connection_state(name, &connection.spec, &status, deleting, &lookup, C::NEEDS)
    };
    connection(me, ctx, state).unwrap_or_else(|| without_connection(me, ctx))
}

/// The state of a Connection that does not exist or cannot be read.
fn without_connection<C: ConnectionChild>(me: &C, ctx: &Context) -> ConnectionState {
    let name = me.connection_name();
    if ctx.is_unreadable::<Connection>(&connection_key(me)) {
        let text = "cannot be read by this version of the operator; its own condition says why";
        return ConnectionState::NotReady(format!("Connection {name} {text}"));
    }
    ConnectionState::Missing { name: name.to_owned() }
}

/// Whether the connection that its remote object was created on at `since` is known to be gone, for example because another
/// one replaced it.
pub(super) fn outlived<C: ConnectionChild>(me: &C, ctx: &Context, since: Timestamp) -> bool {
    let Some(recorded) = me.recorded_connection() else { return false };
    let now = current(me, ctx);
    let addon = addon_key(me, ctx).filter(|_| now.as_deref() != Some(recorded));
    addon.is_some_and(|addon| ctx.observer.connection_gone(&addon, recorded, since))
}

/// Its last intent.
fn intent<C: ConnectionChild>(me: &C) -> Option<Intent> {
    let status = me.status().cloned().unwrap_or_default();
    ReconcileState::read(me.meta(), &status).intent
}

/// ID of the connection that its remote object was created on. The intent knows it before the status does.
pub(super) fn created_on<C: ConnectionChild>(me: &C) -> Option<String> {
    intent(me).and_then(|intent| intent.connection_id).or_else(|| me.recorded_connection().map(str::to_owned))
}

/// ID of the connection that calls are about: in a deletion the one that the remote object was created on, otherwise the
/// current one.
pub(super) fn connection_id<C: ConnectionChild>(me: &C, ctx: &Context) -> Option<String> {
    let created_on = || created_on(me);
    let now = || current(me, ctx);
    if me.meta().deletion_timestamp.is_some() { created_on().or_else(now) } else { now().or_else(created_on) }
}

/// IDs of the connections that it records.
pub(super) fn recorded_ids<C: ConnectionChild>(me: &C) -> Vec<String> {
    me.recorded_connection().map(str::to_owned).into_iter().chain(created_on(me)).collect()
}

/// Resources that may be on the same connection: through their Connection, their status, or another Connection that has the
/// same connection.
pub(super) fn siblings<C: ConnectionChild>(me: &C, ctx: &Context) -> BTreeSet<Key> {
    let mut all = BTreeSet::from_iter(users(ctx, &connection_key(me)));
    if let Some(id) = connection_id(me, ctx) {
        all.extend(on_connection(ctx, &id));
    }
    all
}

/// Resources that may be on the connection with this ID.
pub(in crate::control) fn on_connection(ctx: &Context, id: &str) -> BTreeSet<Key> {
    let recording = ctx.index.recording(id);
    let connections = recording.iter().filter(|key| key.kind == Connection::KIND);
    let users: Vec<_> = connections.flat_map(|connection| users(ctx, connection)).collect();
    recording.into_iter().chain(users).collect()
}

fn users(ctx: &Context, connection: &Key) -> Vec<Key> {
    ctx.index.users(&connection.namespace, &Reference::to::<Connection>(&connection.name))
}

/// Whether its connection changed, or something on it.
pub(super) fn is_affected<C: ConnectionChild>(me: &C, ctx: &Context, changed: &BTreeSet<String>) -> bool {
    let now = connection_id(me, ctx);
    let mine = |id: &str| {
        changed.contains(id) || changed.iter().any(|m| m.strip_prefix(id).is_some_and(|r| r.starts_with('/')))
    };
    now.as_deref().is_some_and(mine) || me.recorded_connection().is_some_and(mine)
}

/// Whether both are on the same connection, as far as is known.
pub(super) fn same<C: ConnectionChild>(ctx: &Context, one: &C, other: &C) -> bool {
    connection_key(one) == connection_key(other)
        || connection_id(one, ctx).is_some_and(|id| connection_id(other, ctx) == Some(id))
}

/// Whether the Connection still has our finalizer, so that its own deletion waits for the children.
pub(super) fn has_finalizer(connection: &Connection) -> bool {
    connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Queues its Connection if the child is being deleted, or if it may declare a target again that was released.
pub(super) fn on_observed<C: ConnectionChild>(me: &C, ctx: &Context) {
    let released = |connection: &Connection| connection.status.as_ref().is_some_and(|s| !s.released_targets.is_empty());
    if me.meta().deletion_timestamp.is_some() || connection(me, ctx, released) == Some(true) {
        ctx.trigger(&Trigger::Object(connection_key(me)));
    }
}

pub(super) fn on_status_written(ctx: &Context, generation_changed: bool) {
    if generation_changed {
        // It may only observe from now on, which frees its name.
        ctx.trigger(&Trigger::NameFreed);
    }
}

pub(super) fn on_finalizer_removed<C: ConnectionChild>(me: &C, ctx: &Context) {
    ctx.trigger(&Trigger::Object(connection_key(me)));
    // Another resource may publish or create here now.
    ctx.trigger(&Trigger::Dependents(connection_key(me)));
    addon_key(me, ctx).into_iter().for_each(|addon| ctx.trigger(&Trigger::Object(addon)));
}

/// The methods of `Gather` that connection children share.
macro_rules! connection_child_gather {
    () => {
        fn owner(&self, ctx: &Context) -> Option<Key> {
            connection_child::addon_key(self, ctx)
        }
        fn is_affected(&self, ctx: &Context, changed: &BTreeSet<String>) -> bool {
            connection_child::is_affected(self, ctx, changed)
        }
        fn on_observed(&self, ctx: &Context) {
            connection_child::on_observed(self, ctx);
        }
        fn on_status_written(&self, ctx: &Context, generation_changed: bool) {
            connection_child::on_status_written(ctx, generation_changed);
        }
        fn on_finalizer_removed(&self, ctx: &Context) {
            connection_child::on_finalizer_removed(self, ctx);
        }
    };
}

pub(super) use connection_child_gather;
