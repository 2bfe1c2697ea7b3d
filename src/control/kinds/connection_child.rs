//! Where what lives on a connection lives: its Connection, the add-on behind it, and what both are to it now.
//!
//! Decides nothing. Publications and data action targets look here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Kind, Reference, Status, addon};
use crate::control::Context;
use crate::control::stores::key;
use crate::crd::{AppLinkAddon, Connection, FINALIZER, ManagementPolicy, Provider, RecordsRemote};
use crate::facts::OrgAccessKind;
use crate::observe::{CollectionRef, Key, Trigger};
use crate::plan::kinds::connection::connection_state;
use crate::plan::remote::{ConnectionState, OwnerState};
use crate::plan::state::{Intent, ReconcileState};

/// A kind that lives on a connection.
pub(super) trait ConnectionChild: Kind<Status: RecordsRemote> {
    /// As written for people, and where the connection must lead.
    const NEEDS: (&'static str, Provider);

    /// Name of its Connection.
    fn connection_name(&self) -> &str;
    /// Id of the connection that it was made on, as its status records it.
    fn recorded_connection(&self) -> Option<&str>;
}

/// Where it lives.
pub(in crate::control) struct ChildContext {
    pub(super) owner_name: String,
    pub(super) addon: OwnerState,
    pub(super) ceiling: ManagementPolicy,
    pub(super) parent: ConnectionState,
    /// Whether the connection that it was made on is known to be gone.
    pub(super) connection_gone: bool,
    /// UUID of the app, where it is known.
    pub(super) app: String,
    /// Whether config var `HEROKU_APP_ID` of the app is set, as far as is known.
    pub(super) app_id_set: bool,
}

fn connection_key<L: ConnectionChild>(me: &L) -> Key {
    let namespace = me.namespace().unwrap_or_default();
    Key { kind: Connection::KIND, namespace, name: me.connection_name().to_owned() }
}

/// What `read` finds in its Connection, where there is one.
pub(super) fn connection<L: ConnectionChild, T>(
    me: &L,
    ctx: &Context,
    read: impl FnOnce(&Connection) -> T,
) -> Option<T> {
    ctx.read(&connection_key(me), read)
}

/// Id of the connection that its Connection stands for now.
fn current<L: ConnectionChild>(me: &L, ctx: &Context) -> Option<String> {
    connection(me, ctx, |connection| connection.status.as_ref()?.grant.remote.id.clone())?
}

/// The add-on, and the connection that calls go to.
pub(super) fn place<L: ConnectionChild>(me: &L, ctx: &Context) -> Option<(Key, String)> {
    me.addon(ctx).zip(connection_id(me, ctx))
}

/// The add-on: its Connection's, or, where there is none any more, the one that its status or its word names.
pub(super) fn addon_key<L: ConnectionChild>(me: &L, ctx: &Context) -> Option<Key> {
    if let Some(addon) = connection(me, ctx, |connection| connection.addon(ctx)) {
        return addon;
    }
    let recorded = me.status().and_then(|status| status.remote().addon_id.clone());
    let recorded = recorded.or_else(|| Some(word(me)?.owner_id))?;
    let here = |addon: &AppLinkAddon| addon.namespace() == me.namespace();
    let is_it = |addon: &AppLinkAddon| {
        let status = addon.status.as_ref();
        here(addon) && status.and_then(|status| status.addon_id.as_ref()) == Some(&recorded)
    };
    let mut all = ctx.all::<AppLinkAddon>();
    all.find_map(|guard| guard.0.as_ref().ok().filter(|addon| is_it(addon)).map(key))
}

pub(super) fn child<L: ConnectionChild>(me: &L, ctx: &Context, state: &ReconcileState) -> ChildContext {
    let Some(addon_key) = addon_key(me, ctx) else {
        let parent = without_connection(me, ctx);
        return ChildContext {
            owner_name: String::new(),
            addon: OwnerState::Missing,
            ceiling: ManagementPolicy::default(),
            parent,
            connection_gone: false,
            app: String::new(),
            app_id_set: true,
        };
    };
    let (addon, ceiling) = addon::seen(ctx, &addon_key);
    let facts = ctx.observer.addon(&addon_key).and_then(|live| live.facts);
    let made_on = made_on(me);
    ChildContext {
        parent: parent_of(me, ctx, &addon_key),
        connection_gone: made_on.is_some_and(|id| ctx.observer.connection_gone(&addon_key, &id, state.changed_at)),
        owner_name: addon_key.name,
        addon,
        ceiling,
        app_id_set: facts.as_ref().is_none_or(|facts| facts.app_id_set),
        app: facts.map(|facts| facts.app_id).unwrap_or_default(),
    }
}

fn parent_of<L: ConnectionChild>(me: &L, ctx: &Context, addon: &Key) -> ConnectionState {
    let name = me.connection_name();
    let judge = |connection: &Connection| {
        let status = connection.status.clone().unwrap_or_default();
        let (id, remote_name) = (status.grant.remote.id.as_deref(), connection.spec.connection_name.as_str());
        let shelf = CollectionRef::org_access(OrgAccessKind::Connection);
        let live = ctx.observer.lookup(addon, &shelf, id, remote_name, Timestamp::UNIX_EPOCH);
        let leaving = connection.metadata.deletion_timestamp.is_some();
        connection_state(name, &connection.spec, &status, leaving, &live, L::NEEDS)
    };
    connection(me, ctx, judge).unwrap_or_else(|| without_connection(me, ctx))
}

/// What its Connection is to it where none of that name can be read.
fn without_connection<L: ConnectionChild>(me: &L, ctx: &Context) -> ConnectionState {
    let name = me.connection_name();
    if ctx.is_unreadable::<Connection>(&connection_key(me)) {
        let text = "cannot be read by this version of the operator; its own condition says why";
        return ConnectionState::NotReady(format!("Connection {name} {text}"));
    }
    ConnectionState::Missing { name: name.to_owned() }
}

/// Whether the connection that it was made on at `since` made way for another, or went with its Connection, as is known.
pub(super) fn outlived<L: ConnectionChild>(me: &L, ctx: &Context, since: Timestamp) -> bool {
    let Some(recorded) = me.recorded_connection() else { return false };
    let now = current(me, ctx);
    let addon = addon_key(me, ctx).filter(|_| now.as_deref() != Some(recorded));
    addon.is_some_and(|addon| ctx.observer.connection_gone(&addon, recorded, since))
}

/// The word that it gave last.
fn word<L: ConnectionChild>(me: &L) -> Option<Intent> {
    let status = me.status().cloned().unwrap_or_default();
    ReconcileState::read(me.meta(), status.state()).intent
}

/// The connection that it was made on: the word for that comes before its record.
pub(super) fn made_on<L: ConnectionChild>(me: &L) -> Option<String> {
    word(me).and_then(|word| word.connection_id).or_else(|| me.recorded_connection().map(str::to_owned))
}

/// The connection that calls go to: on the way out the one that it was made on, else the one there is now.
pub(super) fn connection_id<L: ConnectionChild>(me: &L, ctx: &Context) -> Option<String> {
    let made_on = || made_on(me);
    let now = || current(me, ctx);
    if me.meta().deletion_timestamp.is_some() { made_on().or_else(now) } else { now().or_else(made_on) }
}

/// Ids of the connections that it was made on, as it records them.
pub(super) fn recorded_ids<L: ConnectionChild>(me: &L) -> Vec<String> {
    me.recorded_connection().map(str::to_owned).into_iter().chain(made_on(me)).collect()
}

/// Resources that may be on the same connection: by their Connection, by their record, or by another Connection that stands
/// for the same one.
pub(super) fn siblings<L: ConnectionChild>(me: &L, ctx: &Context) -> BTreeSet<Key> {
    let mut all = BTreeSet::from_iter(users(ctx, &connection_key(me)));
    if let Some(id) = connection_id(me, ctx) {
        all.extend(on_connection(ctx, &id));
    }
    all
}

/// Resources that may be on the connection of this id.
pub(in crate::control) fn on_connection(ctx: &Context, id: &str) -> BTreeSet<Key> {
    let recording = ctx.index.recording(id);
    let connections = recording.iter().filter(|key| key.kind == Connection::KIND);
    let users: Vec<_> = connections.flat_map(|connection| users(ctx, connection)).collect();
    recording.into_iter().chain(users).collect()
}

fn users(ctx: &Context, connection: &Key) -> Vec<Key> {
    ctx.index.users(&connection.namespace, &Reference::to::<Connection>(&connection.name))
}

/// Whether what moved is its connection, or something on that.
pub(super) fn is_affected<L: ConnectionChild>(me: &L, ctx: &Context, moved: &BTreeSet<String>) -> bool {
    let now = connection_id(me, ctx);
    let mine =
        |id: &str| moved.contains(id) || moved.iter().any(|m| m.strip_prefix(id).is_some_and(|r| r.starts_with('/')));
    now.as_deref().is_some_and(mine) || me.recorded_connection().is_some_and(mine)
}

/// Whether both live on the same connection, as far as is known.
pub(super) fn same<L: ConnectionChild>(ctx: &Context, one: &L, other: &L) -> bool {
    connection_key(one) == connection_key(other)
        || connection_id(one, ctx).is_some_and(|id| connection_id(other, ctx) == Some(id))
}

/// Whether the connection, when it goes, is still to be told of what lived on it.
pub(super) fn heeds(connection: &Connection) -> bool {
    connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Its connection learns that it is being deleted, or that something it was told was let go of is declared again.
pub(super) fn on_observed<L: ConnectionChild>(me: &L, ctx: &Context) {
    let released = |connection: &Connection| connection.status.as_ref().is_some_and(|s| !s.released_targets.is_empty());
    if me.meta().deletion_timestamp.is_some() || connection(me, ctx, released) == Some(true) {
        ctx.trigger(&Trigger::Object(connection_key(me)));
    }
}

pub(super) fn on_reported(ctx: &Context, generation_moved: bool) {
    if generation_moved {
        // It may only look from now on.
        ctx.trigger(&Trigger::NameFreed);
    }
}

pub(super) fn on_finalizer_removed<L: ConnectionChild>(me: &L, ctx: &Context) {
    ctx.trigger(&Trigger::Object(connection_key(me)));
    // Others may want its place.
    ctx.trigger(&Trigger::Dependents(connection_key(me)));
    addon_key(me, ctx).into_iter().for_each(|addon| ctx.trigger(&Trigger::Object(addon)));
}
