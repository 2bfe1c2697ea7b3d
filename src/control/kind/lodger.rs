//! Where what lives on a connection lives: its Connection, the add-on behind it, and what both are to it now.
//!
//! Decides nothing. Publications and data action targets look here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Kind, Status, addon};
use crate::control::Shell;
use crate::control::roster::key;
use crate::crd::{AppLinkAddon, Connection, FINALIZER, ManagementPolicy, Provider, RecordsRemote};
use crate::observe::{Cause, Key, Shelf};
use crate::plan::diff::connection::parent;
use crate::plan::live::GrantKind;
use crate::plan::memory::{Intent, Memory};
use crate::plan::remote::{Addon, Parent};

/// A kind that lives on a connection.
pub(super) trait Lodger: Kind<Status: RecordsRemote> {
    /// As written for people, and where the connection must lead.
    const NEEDS: (&'static str, Provider);

    /// Name of its Connection.
    fn connection_name(&self) -> &str;
    /// Id of the connection that it was made on, as its status records it.
    fn recorded_connection(&self) -> Option<&str>;
}

/// Where it lives.
pub(in crate::control) struct Home {
    pub(super) addon_name: String,
    pub(super) addon: Addon,
    pub(super) ceiling: ManagementPolicy,
    pub(super) parent: Parent,
    /// Whether the connection that it was made on is known to be gone.
    pub(super) severed: bool,
    /// UUID of the app, where it is known.
    pub(super) app: String,
    /// Whether config var `HEROKU_APP_ID` of the app is set, as far as is known.
    pub(super) app_id_set: bool,
}

fn connection_key<L: Lodger>(me: &L) -> Key {
    let namespace = me.namespace().unwrap_or_default();
    Key { kind: Connection::KIND, namespace, name: me.connection_name().to_owned() }
}

/// What `read` finds in its Connection, where there is one.
pub(super) fn connection<L: Lodger, T>(me: &L, shell: &Shell, read: impl FnOnce(&Connection) -> T) -> Option<T> {
    shell.read(&connection_key(me), read)
}

/// Id of the connection that its Connection stands for now.
fn current<L: Lodger>(me: &L, shell: &Shell) -> Option<String> {
    connection(me, shell, |connection| connection.status.as_ref()?.grant.remote.id.clone())?
}

/// The add-on, and the connection that calls go to.
pub(super) fn place<L: Lodger>(me: &L, shell: &Shell) -> Option<(Key, String)> {
    me.addon(shell).zip(connection_id(me, shell))
}

/// The add-on: its Connection's, or, where there is none any more, the one that its status or its word names.
pub(super) fn addon_key<L: Lodger>(me: &L, shell: &Shell) -> Option<Key> {
    if let Some(addon) = connection(me, shell, |connection| connection.addon(shell)) {
        return addon;
    }
    let recorded = me.status().and_then(|status| status.remote().addon_id.clone());
    let recorded = recorded.or_else(|| Some(word(me)?.addon_id))?;
    let here = |addon: &AppLinkAddon| addon.namespace() == me.namespace();
    let is_it = |addon: &AppLinkAddon| {
        let status = addon.status.as_ref();
        here(addon) && status.and_then(|status| status.addon_id.as_ref()) == Some(&recorded)
    };
    let mut all = shell.all::<AppLinkAddon>();
    all.find_map(|guard| guard.0.as_ref().ok().filter(|addon| is_it(addon)).map(key))
}

pub(super) fn home<L: Lodger>(me: &L, shell: &Shell, memory: &Memory) -> Home {
    let Some(addon_key) = addon_key(me, shell) else {
        let parent = without_connection(me, shell);
        return Home {
            addon_name: String::new(),
            addon: Addon::Missing,
            ceiling: ManagementPolicy::default(),
            parent,
            severed: false,
            app: String::new(),
            app_id_set: true,
        };
    };
    let (addon, ceiling) = addon::seen(shell, &addon_key);
    let facts = shell.observer.addon(&addon_key).and_then(|live| live.facts);
    let made_on = made_on(me);
    Home {
        parent: parent_of(me, shell, &addon_key),
        severed: made_on.is_some_and(|id| shell.observer.severed(&addon_key, &id, memory.since)),
        addon_name: addon_key.name,
        addon,
        ceiling,
        app_id_set: facts.as_ref().is_none_or(|facts| facts.app_id_set),
        app: facts.map(|facts| facts.app_id).unwrap_or_default(),
    }
}

fn parent_of<L: Lodger>(me: &L, shell: &Shell, addon: &Key) -> Parent {
    let name = me.connection_name();
    let judge = |connection: &Connection| {
        let status = connection.status.clone().unwrap_or_default();
        let (id, remote_name) = (status.grant.remote.id.as_deref(), connection.spec.connection_name.as_str());
        let shelf = Shelf::grants(GrantKind::Connection);
        let live = shell.observer.see(addon, &shelf, id, remote_name, Timestamp::UNIX_EPOCH);
        let leaving = connection.metadata.deletion_timestamp.is_some();
        parent(name, &connection.spec, &status, leaving, &live, L::NEEDS)
    };
    connection(me, shell, judge).unwrap_or_else(|| without_connection(me, shell))
}

/// What its Connection is to it where none of that name can be read.
fn without_connection<L: Lodger>(me: &L, shell: &Shell) -> Parent {
    let name = me.connection_name();
    if shell.is_unreadable::<Connection>(&connection_key(me)) {
        let text = "cannot be read by this version of the operator; its own condition says why";
        return Parent::NotReady(format!("Connection {name} {text}"));
    }
    Parent::Missing { name: name.to_owned() }
}

/// Whether the connection that it was made on at `since` made way for another, or went with its Connection, as is known.
pub(super) fn outlived<L: Lodger>(me: &L, shell: &Shell, since: Timestamp) -> bool {
    let Some(recorded) = me.recorded_connection() else { return false };
    let now = current(me, shell);
    let addon = addon_key(me, shell).filter(|_| now.as_deref() != Some(recorded));
    addon.is_some_and(|addon| shell.observer.severed(&addon, recorded, since))
}

/// The word that it gave last.
fn word<L: Lodger>(me: &L) -> Option<Intent> {
    let status = me.status().cloned().unwrap_or_default();
    Memory::read(me.meta(), status.memory()).intent
}

/// The connection that it was made on: the word for that comes before its record.
pub(super) fn made_on<L: Lodger>(me: &L) -> Option<String> {
    word(me).and_then(|word| word.parent).or_else(|| me.recorded_connection().map(str::to_owned))
}

/// The connection that calls go to: on the way out the one that it was made on, else the one there is now.
pub(super) fn connection_id<L: Lodger>(me: &L, shell: &Shell) -> Option<String> {
    let made_on = || made_on(me);
    let now = || current(me, shell);
    if me.meta().deletion_timestamp.is_some() { made_on().or_else(now) } else { now().or_else(made_on) }
}

/// Whether what moved is its connection, or something on that.
pub(super) fn concerned<L: Lodger>(me: &L, shell: &Shell, moved: &BTreeSet<String>) -> bool {
    let now = connection_id(me, shell);
    let mine =
        |id: &str| moved.contains(id) || moved.iter().any(|m| m.strip_prefix(id).is_some_and(|r| r.starts_with('/')));
    now.as_deref().is_some_and(mine) || me.recorded_connection().is_some_and(mine)
}

/// Whether both live on the same connection, as far as is known.
pub(super) fn same<L: Lodger>(shell: &Shell, one: &L, other: &L) -> bool {
    connection_key(one) == connection_key(other)
        || connection_id(one, shell).is_some_and(|id| connection_id(other, shell) == Some(id))
}

/// Whether the connection, when it goes, is still to be told of what lived on it.
pub(super) fn heeds(connection: &Connection) -> bool {
    connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Its connection learns that it is being deleted, or that something it was told was let go of is declared again.
pub(super) fn shown<L: Lodger>(me: &L, shell: &Shell) {
    let released = |connection: &Connection| connection.status.as_ref().is_some_and(|s| !s.released_targets.is_empty());
    if me.meta().deletion_timestamp.is_some() || connection(me, shell, released) == Some(true) {
        shell.wake(&Cause::Object(connection_key(me)));
    }
}

pub(super) fn reported(shell: &Shell, generation_moved: bool) {
    if generation_moved {
        // It may only look from now on.
        shell.wake(&Cause::Freed);
    }
}

pub(super) fn released<L: Lodger>(me: &L, shell: &Shell) {
    shell.wake(&Cause::Object(connection_key(me)));
    // Others may want its place.
    shell.wake(&Cause::Dependants(connection_key(me)));
    addon_key(me, shell).into_iter().for_each(|addon| shell.wake(&Cause::Object(addon)));
}
