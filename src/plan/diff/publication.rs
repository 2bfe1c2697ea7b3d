//! The plan of one Publication: the app's API, published to an org, and published again when what it is made from changes.
//!
//! Pure. Its identity is (connection, app), so its id within a connection is the app's. What is published cannot be read;
//! that it was modified can, and whether by us.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::crd::{AdoptionPolicy, PublicationSpec, PublicationStatus, Reason, ReplacePolicy};
use crate::plan::desired::changed;
use crate::plan::desired::publication::DesiredPublication;
use crate::plan::live::{Live, RemoteObject, RemotePublication, Sighting};
use crate::plan::memory::{Answer, Memory};
use crate::plan::policy::Policies;
use crate::plan::remote::name::Rival;
use crate::plan::remote::record::{carried, establish, fuller, placed, readable, settle, taken};
use crate::plan::remote::{Addon, Again, Case, Course, Parent, Record, elapsed};
use crate::plan::verdict::{Report, Verdict, whole_seconds};
use crate::plan::{Plan, Step};

/// A service may show only after so long that it was published to.
const LAG: SignedDuration = SignedDuration::from_mins(5);
/// What is published has no status of its own.
const THERE: &str = "published";

/// All that a Publication's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// What the user wrote.
    pub spec: &'a PublicationSpec,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// Name of the AppLinkAddon.
    pub addon_name: &'a str,
    /// The add-on.
    pub addon: &'a Addon,
    /// UUID of the app, once it is known.
    pub app: &'a str,
    /// The connection.
    pub parent: &'a Parent,
    /// Whether the connection that it was published through is known to be gone, and the publication with it.
    pub severed: bool,
    /// What is declared, or why that cannot be used.
    pub desired: &'a Result<DesiredPublication, Verdict>,
    /// What is live of the app on the connection.
    pub live: &'a Live<RemotePublication>,
    /// Others that want to publish the app there.
    pub rivals: &'a [Rival],
    /// What is remembered.
    pub memory: &'a Memory,
    /// The status as it is.
    pub status: &'a PublicationStatus,
    /// Now.
    pub now: Timestamp,
}

/// What to do next for a Publication, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<PublicationStatus> {
    let before = placed(input.status, input.status.connection_id.as_deref(), input.parent.id(), input.memory);
    let lives = |id: &str| input.live.of_id(id).is_some();
    settle(&before, input.memory, lives, |record, status| {
        if record.id.is_none() && matches!(input.memory.answer, Some(Answer::Refused { .. })) {
            // It may have been refused since the connection is gone; what outlived that is known by this on the next one.
            status.modified_at.clone_from(&before.modified_at);
        }
        let case = case(input, record);
        case.unlisted(decide(input, &case, status))
    })
}

fn case<'a>(input: &'a Input<'a>, record: &'a Record) -> Case<'a, RemotePublication> {
    Case {
        noun: "publication",
        name: input.app,
        title: &input.spec.client_name,
        parent: connection(input),
        addon_name: input.addon_name,
        policies: input.policies,
        addon: input.addon,
        live: input.live,
        record,
        memory: input.memory,
        now: input.now,
    }
}

/// The connection that is spoken of: on the way out, the one that it was last to be published through.
fn connection<'a>(input: &'a Input<'_>) -> Option<&'a str> {
    let recorded = input.status.connection_id.as_deref();
    let given = input.memory.intent.as_ref().and_then(|intent| intent.parent.as_deref());
    if input.memory.deleting { given.or(recorded).or(input.parent.id()) } else { input.parent.id().or(recorded) }
}

fn decide(input: &Input<'_>, case: &Case<'_, RemotePublication>, status: &mut PublicationStatus) -> Course {
    if case.memory.deleting {
        return leave(input, case, status);
    }
    if let Some(hash) = case.record.hash.as_deref().filter(|_| !case.policies.observes() && case.forgetful()) {
        return Course::act(vec![Step::Remember { intent: case.restored(hash) }]);
    }
    if case.policies.suspend {
        return Course::suspended();
    }
    if case.policies.observes() && case.memory.finalizer {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    if let Some(course) = case.unparented(input.parent) {
        return course;
    }
    let desired = match input.desired {
        _ if case.policies.observes() => None,
        Ok(desired) => Some(desired),
        Err(verdict) if verdict.reason == Reason::ConfigMapNotFound => {
            return case.missing(verdict.reason, verdict.message.clone());
        }
        Err(verdict) => return Course::say(verdict.clone()),
    };
    if let Some(course) = case.obstacle().or_else(|| case.wait_for(input.parent)) {
        return course;
    }
    let Some(desired) = desired else { return observe(input, case, status) };
    if let Some(course) = conflict(input, case).or_else(|| case.after_answer()) {
        return course;
    }
    let course = match case.live.of_name(case.name).first() {
        Some(seen) => present(input, case, seen, desired, status),
        None => vacant(case, desired, status),
    };
    case.unless_leaving(input.parent, course)
}

/// What to do where something is published.
fn present(
    input: &Input<'_>,
    case: &Case<'_, RemotePublication>,
    seen: &Sighting<RemotePublication>,
    desired: &DesiredPublication,
    status: &mut PublicationStatus,
) -> Course {
    let took_effect = case.posted_intent().filter(|word| case.took_effect(seen, word));
    let recorded = case.record.hash.is_some() && case.record.id.as_deref() == Some(seen.object.id());
    let applied = if let Some(word) = took_effect {
        *status = taken(status, Some(word));
        Some(word.hash.clone())
    } else if recorded {
        status.remote.applied_hash.take()
    } else {
        return adopt(input, case, seen, &desired.hash);
    };
    let drifted = facts(input, case, status, seen);
    let unread = applied.as_deref() != Some(readable(applied.as_deref(), &desired.hash).as_str());
    status.remote.applied_hash = applied;
    let unanswered = took_effect.is_none() && case.posted_intent().is_some();
    let course = keep(case, seen, desired, status, (unread, drifted, unanswered));
    if took_effect.is_some() && course.steps.iter().any(Step::mutates) {
        // That it is ours is put down before anything is done on the strength of it.
        return Course { report: Report::Note, ..Course::hold() };
    }
    course
}

/// What was there first cannot be read, so it is published over once.
fn adopt(
    input: &Input<'_>,
    case: &Case<'_, RemotePublication>,
    seen: &Sighting<RemotePublication>,
    hash: &str,
) -> Course {
    // Some services keep what is published when its connection goes, and show it on the next one.
    let known = &input.status.remote;
    let ours = known.applied_hash.is_some() || known.answered_attempt.is_some();
    if ours && input.status.modified_at.is_some() && input.status.modified_at == seen.object.modified_at {
        return case.publish(seen, hash, Again::Moved);
    }
    let begun = case.posted_intent().is_some();
    if !begun && case.outdated(seen) {
        return Course::act(vec![Step::Look]);
    }
    if !begun && case.policies.adoption == AdoptionPolicy::Never {
        let text = "the app's API was published over this connection before, and adoptionPolicy is Never: delete that \
                    publication in AppLink, or let it be taken over";
        return Course::say(Verdict::needs_user(Reason::AdoptionRefused, text));
    }
    case.publish(seen, hash, Again::Adopted)
}

/// What to do where nothing is published.
fn vacant(case: &Case<'_, RemotePublication>, desired: &DesiredPublication, status: &mut PublicationStatus) -> Course {
    match unseen(case, status) {
        Some(left) if !changed(case.record.hash.as_deref(), &desired.hash) => {
            let text = "published; waiting until AppLink shows it";
            Course::attend(Verdict::waits(Reason::Publishing, text)).again(left)
        }
        _ => case.create(&desired.hash),
    }
}

/// For how long what was published, and was never seen since, may yet show.
fn unseen(case: &Case<'_, RemotePublication>, status: &mut PublicationStatus) -> Option<SignedDuration> {
    // An answer of old may speak of another connection.
    case.record.hash.as_ref()?;
    if matches!(case.memory.answer, Some(Answer::Created { .. })) && case.posted_intent().is_none() {
        status.last_published_at.get_or_insert_with(|| Time(whole_seconds(case.now)));
    }
    let at = status.last_published_at.as_ref().filter(|_| status.remote.remote_status.is_none())?;
    Some(LAG - elapsed(at.0, case.now)).filter(SignedDuration::is_positive)
}

/// What to do with a publication that is ours.
fn keep(
    case: &Case<'_, RemotePublication>,
    seen: &Sighting<RemotePublication>,
    desired: &DesiredPublication,
    status: &PublicationStatus,
    (unread, drifted, unanswered): (bool, bool, bool),
) -> Course {
    if case.forgetful() {
        return Course::act(vec![Step::Remember { intent: case.restored(&desired.hash) }]);
    }
    let replaced = Verdict::waits(Reason::Publishing, "being replaced: waiting until the old one is gone");
    if let Some(course) = case.own_deletion(seen, &replaced) {
        return course;
    }
    let changed = unread || changed(status.remote.applied_hash.as_deref(), &desired.hash);
    if case.replacement_asked() || case.making_room(seen.object.id()).is_some() {
        return case.replace(seen.object.id(), &desired.hash, &replaced);
    }
    if changed || drifted || unanswered {
        let conflicts = matches!(&case.memory.answer, Some(Answer::Refused { conflict: true, .. }));
        if conflicts && case.policies.replacement == ReplacePolicy::DeleteAndRecreate {
            return case.replace(seen.object.id(), &desired.hash, &replaced);
        }
        let again = if drifted && !changed { Again::Drifted } else { Again::Changed };
        return case.publish(seen, &desired.hash, again);
    }
    if case.outdated(seen) {
        return Course::act(vec![Step::Look]);
    }
    let said = Verdict::settled(Reason::Published, format!("the API is published as {}", desired.client_name));
    abide(seen, status, Course::say(said), case.now)
}

/// Sees to it that it is looked at once more where the service does not show yet that it was published to.
fn abide(seen: &Sighting<RemotePublication>, status: &PublicationStatus, said: Course, now: Timestamp) -> Course {
    let awaited = status.modified_at.is_none() && seen.object.modified_at.is_some();
    let Some(at) = status.last_published_at.as_ref().filter(|_| awaited) else { return said };
    let left = LAG - elapsed(at.0, now);
    if left.is_positive() { said.again(left) } else { Course { steps: vec![Step::Look], ..said } }
}

fn conflict(input: &Input<'_>, case: &Case<'_, RemotePublication>) -> Option<Course> {
    case.conflict(&input.status.remote, input.rivals, |winner| {
        format!(
            "Publication {winner} publishes the same app over the same connection, and AppLink keeps one for the two of \
             them: delete one of the two"
        )
    })
}

fn observe(input: &Input<'_>, case: &Case<'_, RemotePublication>, status: &mut PublicationStatus) -> Course {
    match case.live.of_name(case.name).first() {
        Some(seen) => {
            facts(input, case, status, seen);
            if case.outdated(seen) {
                return Course::act(vec![Step::Look]);
            }
            Course::say(Verdict::settled(
                Reason::Published,
                "the API is published; managementPolicy Observe only looks",
            ))
        }
        None if !case.live.complete => Course::act(vec![Step::Look]),
        None => {
            *status = carried(status);
            let text = "the API is not published over this connection, and managementPolicy Observe publishes none";
            Course::say(Verdict::needs_user(Reason::RemoteMissing, text))
        }
    }
}

/// A publication is deleted by its connection and its app; one whose connection is gone cannot be, and is gone with it.
fn leave(input: &Input<'_>, case: &Case<'_, RemotePublication>, status: &mut PublicationStatus) -> Course {
    let bound = case.memory.finalizer && !case.memory.force_orphan && !case.policies.suspend;
    if bound && input.severed {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    let there = case.live.of_name(case.name).first().copied();
    let made = case.posted_intent().filter(|word| there.is_some_and(|seen| case.took_effect(seen, word)));
    if let Some(word) = made {
        // What the word brought about is ours, although nothing records it yet.
        let (id, hash) = (Some(case.name.to_owned()), Some(word.hash.clone()));
        let record = Record { id, hash, answered: Some(word.attempt), ..case.record.clone() };
        return Case { record: &record, ..case.clone() }.leave(|_| true);
    }
    let course = case.leave(|_| false);
    let shown = there.is_some() || deleted(case);
    match (course.steps.first(), unseen(case, status)) {
        (Some(Step::Release { orphaned: None }), Some(left)) if bound && !shown => {
            let text =
                format!("published as {} a moment ago; waiting until AppLink shows it, to delete it", case.title);
            Course::attend(Verdict::waits(Reason::Deleting, text)).again(left)
        }
        // A pass leaves out connections that are not in working order.
        (Some(Step::Look), _) if input.parent.id() != case.parent => {
            Course { steps: vec![Step::Confirm { id: case.name.to_owned() }], ..course }
        }
        _ => course,
    }
}

fn deleted(case: &Case<'_, RemotePublication>) -> bool {
    matches!(case.memory.answer, Some(Answer::Deleting { .. }))
}

/// Writes the remote facts into the status, and tells whether somebody else published since we did.
fn facts(
    input: &Input<'_>,
    case: &Case<'_, RemotePublication>,
    status: &mut PublicationStatus,
    sighting: &Sighting<RemotePublication>,
) -> bool {
    let seen = &sighting.object;
    let fresh = status.remote.remote_status.is_none();
    status.connection_id = input.parent.id().map(str::to_owned).or_else(|| status.connection_id.take());
    fuller(seen.external_service_id.as_ref(), &mut status.external_service_id);
    fuller(seen.external_service_name.as_ref(), &mut status.external_service_name);
    let remote = &mut status.remote;
    remote.id = Some(seen.id.clone());
    remote.addon_id = case.addon_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(THERE.to_owned());
    fuller(seen.created_at.as_ref(), &mut remote.created_at);
    fuller(seen.created_by.as_ref(), &mut remote.created_by);
    if let Some(org) = &seen.org_id {
        remote.org.get_or_insert_default().id = Some(org.clone());
    }
    establish(remote, case.now);
    if case.policies.observes() {
        return false;
    }
    if fresh {
        status.last_published_at.get_or_insert_with(|| Time(whole_seconds(case.now)));
    }
    modified(case, status, sighting)
}

/// Takes in when the publication was last modified, and tells whether by somebody else.
fn modified(
    case: &Case<'_, RemotePublication>,
    status: &mut PublicationStatus,
    sighting: &Sighting<RemotePublication>,
) -> bool {
    let Some(told) = &sighting.object.modified_at else { return false };
    if let Some(known) = &status.modified_at {
        return known != told && !same_moment(known, told);
    }
    let word = case.memory.intent.as_ref();
    let before = word.and_then(|word| word.seen.as_ref());
    let shown = before != Some(told) && word.is_none_or(|word| sighting.at >= word.at);
    // One that does not show by then never will.
    let quiet = status.last_published_at.as_ref().is_none_or(|at| elapsed(at.0, sighting.at) >= LAG);
    if shown || quiet {
        status.modified_at = Some(told.clone());
    }
    false
}

/// Whether both say the same moment, each in its own way.
fn same_moment(one: &str, other: &str) -> bool {
    let read = |text: &str| text.parse::<Timestamp>().ok();
    read(one).zip(read(other)).is_some_and(|(one, other)| one == other)
}
