//! What comes out for a Connection that is to go, that may not be touched, or that is not alone: one line a case.

use applink_operator::crd::{DeletionPolicy, ManagementPolicy, Reason};
use applink_operator::plan::live::Phase;
use applink_operator::plan::memory::Answer;
use applink_operator::plan::remote::Addon;
use applink_operator::plan::remote::name::Rival;
use applink_operator::plan::verdict::Verdict;

use crate::fixture::{ADDON, at, fresh, intent, remote, settled, table, waits};

#[test]
fn deletion_of_what_is_ours() {
    let deleting = || settled().with(|w| w.memory.deleting = true);
    table(vec![
        ("there", deleting(), "delete id-1, release"),
        ("gone by the list", deleting().with(|w| w.live.sightings.clear()), "confirm id-1"),
        (
            "gone for certain",
            deleting().with(|w| (w.live.sightings.clear(), w.live.gone.push("id-1".into())).1),
            "release",
        ),
        (
            "not seen of late",
            deleting().with(|w| (w.live.sightings.clear(), w.live.complete = false).1),
            "confirm id-1",
        ),
        ("going", deleting().with(|w| w.see(remote("id-1", Phase::Leaving))), "await remote: Deleting"),
        ("disconnected", deleting().with(|w| w.see(remote("id-1", Phase::Gone))), "release"),
        (
            "taken, but still shown",
            deleting().with(|w| {
                w.memory.answer = Some(Answer::Deleting { id: "id-1".into(), at: w.now });
            }),
            "confirm id-1",
        ),
        (
            "taken, and still there a moment ago",
            deleting().with(|w| {
                w.memory.answer = Some(Answer::Deleting { id: "id-1".into(), at: w.now });
                w.see(remote("id-1", Phase::Leaving));
            }),
            "await remote: Deleting",
        ),
        (
            "another has the name",
            deleting().with(|w| {
                w.live.sightings.clear();
                w.live.gone.push("id-1".into());
                w.see(remote("x", Phase::Up));
            }),
            "release",
        ),
    ]);
}

#[test]
fn deletion_that_needs_no_call_or_cannot_make_one() {
    let deleting = || settled().with(|w| w.memory.deleting = true);
    let trouble =
        || Addon::Troubled { id: Some(ADDON.into()), verdict: waits(Reason::RemoteUnavailable), silent: false };
    table(vec![
        ("orphaned", deleting().with(|w| w.policies.deletion = DeletionPolicy::Orphan), "release, orphan id-1"),
        ("forced", deleting().with(|w| (w.memory.force_orphan, w.addon) = (true, trouble())), "release, orphan id-1"),
        ("observed", deleting().with(|w| w.policies.management = ManagementPolicy::Observe), "release"),
        ("suspended", deleting().with(|w| w.policies.suspend = true), "Suspended"),
        ("unreachable", deleting().with(|w| w.addon = trouble()), "Deleting"),
        ("no add-on", deleting().with(|w| w.addon = Addon::Missing), "DependencyNotFound"),
        ("another add-on", deleting().with(|w| w.addon = Addon::Ready { id: "addon-2".into() }), "AddonChanged"),
        (
            "the key is gone",
            deleting().with(|w| w.desired = Err(waits(Reason::SecretNotFound))),
            "delete id-1, release",
        ),
    ]);
}

#[test]
fn deletion_of_what_may_not_exist() {
    let deleting = || settled().with(|w| w.memory.deleting = true);
    table(vec![
        (
            "never created",
            fresh().with(|w| (w.memory.deleting, w.memory.finalizer, w.addon) = (true, true, Addon::Missing)),
            "release",
        ),
        (
            "never ours",
            fresh().with(|w| {
                (w.memory.deleting, w.memory.finalizer) = (true, true);
                w.see(remote("x", Phase::Up));
            }),
            "release",
        ),
        (
            "created, the answer was lost",
            fresh().with(|w| {
                (w.memory.deleting, w.memory.finalizer, w.memory.intent) = (true, true, Some(intent(1, -5)));
                w.see(remote("x", Phase::Up));
            }),
            "delete x, release",
        ),
        (
            "perhaps created",
            fresh().with(|w| {
                (w.memory.deleting, w.memory.finalizer, w.memory.intent) = (true, true, Some(intent(1, -5)));
            }),
            "await remote: Deleting",
        ),
        (
            "perhaps created anew long ago, not looked since",
            deleting().with(|w| {
                w.live.sightings.clear();
                w.live.gone.push("id-1".into());
                (w.live.complete, w.memory.since) = (false, at(3590));
                w.memory.intent = Some(intent(2, 3000));
            }),
            "look",
        ),
        (
            "not created after all",
            fresh().with(|w| {
                (w.memory.deleting, w.memory.finalizer, w.memory.intent) = (true, true, Some(intent(1, -60)));
            }),
            "release",
        ),
    ]);
}

#[test]
fn policies() {
    let observed = || fresh().with(|w| w.policies.management = ManagementPolicy::Observe);
    table(vec![
        ("observed, there", observed().with(|w| w.see(remote("x", Phase::Up))), "Connected"),
        ("observed, failed", observed().with(|w| w.see(remote("x", Phase::Failed))), "RemoteFailed"),
        ("observed, not there", observed(), "RemoteMissing"),
        ("observed, not known", observed().with(|w| w.live.complete = false), "look"),
        (
            "observed, input missing",
            observed().with(|w| {
                w.desired = Err(waits(Reason::SecretNotFound));
                w.see(remote("x", Phase::Up));
            }),
            "Connected",
        ),
        ("observed from now on", settled().with(|w| w.policies.management = ManagementPolicy::Observe), "release"),
        (
            "managed from now on",
            observed().with(|w| {
                w.see(remote("x", Phase::Up));
                w.run();
                w.policies.management = ManagementPolicy::Full;
            }),
            "confirm x",
        ),
        ("suspended", settled().with(|w| (w.policies.suspend = true, w.live.sightings.clear()).1), "Suspended"),
    ]);
}

#[test]
fn obstacles() {
    let trouble = |reason, silent| Addon::Troubled { id: Some(ADDON.into()), verdict: waits(reason), silent };
    let late = || fresh().with(|w| w.now = at(3));
    table(vec![
        ("no add-on, just applied", fresh().with(|w| w.addon = Addon::Missing), ""),
        ("no add-on", late().with(|w| w.addon = Addon::Missing), "DependencyNotFound"),
        ("add-on not read yet", late().with(|w| w.addon = Addon::Unseen), "AddonNotReady"),
        ("add-on not read yet, was Ready", settled().with(|w| w.addon = Addon::Unseen), ""),
        ("bad token", late().with(|w| w.addon = trouble(Reason::CredentialInvalid, false)), "AddonNotReady"),
        (
            "outage, never Ready",
            late().with(|w| w.addon = trouble(Reason::RemoteUnavailable, false)),
            "RemoteUnavailable",
        ),
        ("limited, never Ready", late().with(|w| w.addon = trouble(Reason::RateLimited, false)), "RateLimited"),
        ("outage, Ready", settled().with(|w| w.addon = trouble(Reason::RemoteUnavailable, false)), ""),
        (
            "outage, Ready, for too long",
            settled().with(|w| w.addon = trouble(Reason::RemoteUnavailable, true)),
            "RemoteUnavailable",
        ),
        ("another add-on", settled().with(|w| w.addon = Addon::Ready { id: "addon-2".into() }), "AddonChanged"),
        ("key missing, just applied", fresh().with(|w| w.desired = Err(waits(Reason::SecretNotFound))), ""),
        ("key missing", late().with(|w| w.desired = Err(waits(Reason::SecretNotFound))), "SecretNotFound"),
        (
            "key of no use",
            fresh().with(|w| w.desired = Err(Verdict::needs_user(Reason::InvalidSecret, "x"))),
            "InvalidSecret",
        ),
    ]);
}

#[test]
fn names() {
    let rival =
        |holds, created, uid: &str| Rival { object: "ns/other".into(), holds, created: at(created), uid: uid.into() };
    let against = |rival: Rival| fresh().with(|w| w.rivals.push(rival));
    table(vec![
        ("an older one", against(rival(false, -20, "uid-9")), "NameConflict"),
        ("a younger one", against(rival(false, 5, "uid-0")), "remember attempt 1, create prod"),
        ("as old, smaller uid", against(rival(false, -10, "uid-0")), "NameConflict"),
        ("as old, larger uid", against(rival(false, -10, "uid-2")), "remember attempt 1, create prod"),
        ("a younger one that holds it", against(rival(true, 5, "uid-9")), "NameConflict"),
        ("an older one, but it is ours", settled().with(|w| w.rivals.push(rival(false, -20, "uid-0"))), "Connected"),
    ]);
}
