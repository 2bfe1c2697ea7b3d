//! The plan of one DataActionTarget: made once, never changed, and let go of in the end, since AppLink cannot delete one.
//!
//! Pure. The create-intent protocol is `plan::remote`'s; here is what only a target knows. It goes only after its connection
//! has put down that it was let go of.

use jiff::Timestamp;

use crate::crd::{DataActionTargetSpec, DataActionTargetStatus, Reason};
use crate::plan::desired::digest;
use crate::plan::live::{Live, Phase, RemoteTarget, Sighting};
use crate::plan::memory::Memory;
use crate::plan::policy::Policies;
use crate::plan::remote::name::Rival;
use crate::plan::remote::record::{carried, establish, fuller, fuller_org, placed, readable, settle, stand_for, taken};
use crate::plan::remote::{Addon, Case, Course, Holder, Parent, Record};
use crate::plan::verdict::Verdict;
use crate::plan::{Plan, Step};

/// What Heroku asks for before a target is made, and takes one without, as far as anybody knows.
const APP_ID_UNSET: &str = "config var HEROKU_APP_ID is not set on the app, which AppLink and its SDKs ask for: set it with \
                            heroku config:set HEROKU_APP_ID=<the app's UUID>";

/// All that a DataActionTarget's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// What the user wrote.
    pub spec: &'a DataActionTargetSpec,
    /// Name of the target in AppLink.
    pub name: &'a str,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// Name of the AppLinkAddon.
    pub addon_name: &'a str,
    /// The add-on.
    pub addon: &'a Addon,
    /// The connection.
    pub parent: &'a Parent,
    /// Whether config var `HEROKU_APP_ID` of the app is set, as far as is known.
    pub app_id_set: bool,
    /// Whether the connection, when this is deleted, knows that its target was let go of, or need not know.
    pub released: bool,
    /// Whether the connection that it was made on is known to be gone, and the target with it.
    pub severed: bool,
    /// What is live under the recorded id and the name.
    pub live: &'a Live<RemoteTarget>,
    /// Others that want the name.
    pub rivals: &'a [Rival],
    /// What is remembered.
    pub memory: &'a Memory,
    /// The status as it is.
    pub status: &'a DataActionTargetStatus,
    /// Now.
    pub now: Timestamp,
}

/// What to do next for a DataActionTarget, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<DataActionTargetStatus> {
    let before = placed(input.status, input.status.connection_id.as_deref(), input.parent.id(), input.memory);
    let lives = |id: &str| input.live.of_id(id).is_some();
    let mut plan = settle(&before, input.memory, lives, |record, status| {
        let case = case(input, record);
        case.unlisted(decide(input, &case, status))
    });
    // There is nothing that could be replaced.
    if let Some(token) = &input.memory.replace {
        plan.status.remote.last_handled_replace = Some(token.clone());
    }
    plan
}

fn case<'a>(input: &'a Input<'a>, record: &'a Record) -> Case<'a, RemoteTarget> {
    // While the connection is out of sight, the word that was given tells which one it spoke of.
    let intended = || input.memory.intent.as_ref()?.parent.as_deref();
    Case {
        noun: "data action target",
        name: input.name,
        title: input.name,
        parent: input.parent.id().or(input.status.connection_id.as_deref()).or_else(intended),
        addon_name: input.addon_name,
        policies: input.policies,
        addon: input.addon,
        live: input.live,
        record,
        memory: input.memory,
        now: input.now,
    }
}

fn decide(input: &Input<'_>, case: &Case<'_, RemoteTarget>, status: &mut DataActionTargetStatus) -> Course {
    let spec = input.spec;
    let fits = |remote: &RemoteTarget| unlike(spec, remote).is_none();
    if case.memory.deleting {
        return leave(input, case, fits, status);
    }
    let hash = digest(&["target", &spec.label, input.name, &spec.target_endpoint, "webhook"]);
    if case.record.hash.is_some() && !case.policies.observes() && case.forgetful() {
        return Course::act(vec![Step::Remember { intent: case.restored(&hash) }]);
    }
    if case.policies.suspend {
        return Course::suspended();
    }
    if case.policies.observes() && case.memory.finalizer {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    if let Some(course) =
        case.unparented(input.parent).or_else(|| case.obstacle()).or_else(|| case.wait_for(input.parent))
    {
        return course;
    }
    if case.policies.observes() {
        return observe(input, case, status);
    }
    if let Some(course) = conflict(input, case).or_else(|| case.after_answer()) {
        return course;
    }
    let (seen, applied) = match case.holder(fits) {
        Holder::Recorded(seen) => (seen, status.remote.applied_hash.take()),
        Holder::Intended(seen) => {
            let word = case.open_intent();
            *status = taken(status, word);
            (seen, word.map(|intent| intent.hash.clone()))
        }
        Holder::Foreign(seen) => {
            if let Some(course) = case.claim(seen, &hash, |seen| unlike(spec, &seen.object)) {
                return case.unless_leaving(input.parent, course);
            }
            *status = taken(status, case.open_intent());
            (seen, None)
        }
        Holder::Nobody => return case.unless_leaving(input.parent, case.create(&hash)),
    };
    facts(input, case, status, &seen.object);
    status.remote.applied_hash = Some(readable(applied.as_deref(), &hash));
    if case.forgetful() {
        return Course::act(vec![Step::Remember { intent: case.restored(&hash) }]);
    }
    if case.outdated(seen) {
        return Course::act(vec![Step::Look]);
    }
    judge(input, case, seen)
}

/// In what a remote target differs from the declared one, as far as the service tells.
fn unlike(spec: &DataActionTargetSpec, remote: &RemoteTarget) -> Option<String> {
    let differs = |what: &str, told: Option<&String>, wanted: &str| {
        told.filter(|told| *told != wanted).map(|told| format!("its {what} is {told:?}, not {wanted:?}"))
    };
    differs("label", remote.label.as_ref(), &spec.label)
        .or_else(|| differs("endpoint", remote.endpoint.as_ref(), &spec.target_endpoint))
        .or_else(|| {
            let kind = remote.kind.as_deref().filter(|kind| !kind.eq_ignore_ascii_case("webhook"))?;
            Some(format!("its type is {kind}, not Webhook"))
        })
}

fn conflict(input: &Input<'_>, case: &Case<'_, RemoteTarget>) -> Option<Course> {
    case.conflict(&input.status.remote, input.rivals, |winner| {
        format!(
            "DataActionTarget {winner} holds the name {} on this connection (names that differ only in case count as one): \
             choose another apiName, or delete one of the two",
            case.name
        )
    })
}

fn observe(input: &Input<'_>, case: &Case<'_, RemoteTarget>, status: &mut DataActionTargetStatus) -> Course {
    let by_id = status.remote.id.as_deref().and_then(|id| case.live.of_id(id));
    match by_id.or_else(|| case.live.of_name(case.name).first().copied()) {
        Some(seen) => {
            facts(input, case, status, &seen.object);
            if case.outdated(seen) {
                return Course::act(vec![Step::Look]);
            }
            judge(input, case, seen)
        }
        None if !case.live.complete => Course::act(vec![Step::Look]),
        None => {
            *status = carried(status);
            let text = format!("no data action target {} exists, and managementPolicy Observe creates none", case.name);
            Course::say(Verdict::needs_user(Reason::RemoteMissing, text))
        }
    }
}

/// How to let go of a target: there is no call that deletes one. Its connection may take it along once it knows.
fn leave(
    input: &Input<'_>,
    case: &Case<'_, RemoteTarget>,
    fits: impl Fn(&RemoteTarget) -> bool,
    status: &mut DataActionTargetStatus,
) -> Course {
    let release = |orphaned: Option<&str>| Course::act(vec![Step::Release { orphaned: orphaned.map(str::to_owned) }]);
    if let Some(course) = case.let_go() {
        return course;
    }
    let id = case.record.id.as_deref();
    if input.severed {
        return release(None);
    }
    let seen = match id {
        Some(_) => None,
        None if case.posted_intent().is_none() => return release(None),
        // What the last word may have brought about is looked for; where nobody can look, it may be left behind.
        None => match (case.holder(fits), input.addon) {
            (Holder::Recorded(seen) | Holder::Intended(seen), _) => Some(seen),
            (Holder::Foreign(_), _) => return release(None),
            (Holder::Nobody, Addon::Unseen) => return Course::hold(),
            (Holder::Nobody, _) if *input.parent == Parent::Unsure => return Course::hold(),
            (Holder::Nobody, _) if input.parent.id().is_none() => return release(Some(case.name)),
            (Holder::Nobody, _) => return unmade(case, release(None)),
        },
    };
    if let Some(seen) = seen {
        // Its connection learns of it by the status.
        *status = taken(status, case.open_intent());
        facts(input, case, status, &seen.object);
    }
    if input.released {
        return release(id.or_else(|| Some(&seen?.object.id)));
    }
    let text = format!("letting go of data action target {}: its connection is to put that down first", case.name);
    Course::say(Verdict::waits(Reason::Deleting, text))
}

/// Whether the POST whose answer is not known made nothing.
fn unmade(case: &Case<'_, RemoteTarget>, release: Course) -> Course {
    let text = format!("looking whether data action target {} was created", case.name);
    match case.settling() {
        Some(wait) => Course::attend(Verdict::waits(Reason::Deleting, text)).again(wait),
        None if case.live.complete => release,
        None => Course::act(vec![Step::Look]),
    }
}

fn judge(input: &Input<'_>, case: &Case<'_, RemoteTarget>, seen: &Sighting<RemoteTarget>) -> Course {
    let (name, remote) = (case.name, &seen.object);
    match remote.phase {
        Phase::Up => {
            let but = if input.app_id_set { String::new() } else { format!("; but {APP_ID_UNSET}") };
            Course::say(Verdict::settled(Reason::Created, format!("data action target {name} is created{but}")))
        }
        Phase::Failed => {
            let cause = remote.error.as_deref().unwrap_or("AppLink gives no cause");
            let first =
                if input.app_id_set { "check that config var HEROKU_APP_ID is the app's UUID" } else { APP_ID_UNSET };
            let text = format!(
                "AppLink says that data action target {name} failed: {cause}. It can neither be tried again nor deleted: \
                 {first}, then create another DataActionTarget with another apiName, or have the connection replaced, with \
                 which all its targets go"
            );
            Course::say(Verdict::needs_user(Reason::RemoteFailed, text))
        }
        Phase::Going => {
            let remedy = "ask Heroku support, or create another DataActionTarget with another apiName";
            case.going(Reason::Creating, &remote.status, remedy)
        }
        Phase::Leaving | Phase::Gone => {
            let text = format!("data action target {name} is being deleted");
            Course::attend(Verdict::waits(Reason::Deleting, text))
        }
    }
}

/// Writes the remote facts into the status.
fn facts(input: &Input<'_>, case: &Case<'_, RemoteTarget>, status: &mut DataActionTargetStatus, seen: &RemoteTarget) {
    stand_for(status, &seen.id);
    status.connection_id = input.parent.id().map(str::to_owned).or_else(|| status.connection_id.take());
    let remote = &mut status.remote;
    remote.addon_id = case.addon_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(seen.status.clone());
    fuller(seen.created_at.as_ref(), &mut remote.created_at);
    fuller(seen.created_by.as_ref(), &mut remote.created_by);
    fuller_org(&seen.org, &mut remote.org);
    if seen.phase == Phase::Up {
        establish(remote, case.now);
    }
}
