//! What comes out for one DataActionTarget: tables of cases that are hard to bring about in a whole operator.

use applink_operator::crd::{DataActionTargetSpec, DataActionTargetStatus, Ending, Reason};
use applink_operator::plan::Step;
use applink_operator::plan::diff::target::{Input, plan};
use applink_operator::plan::live::{Live, Org, Phase, RemoteTarget, Sighting};
use applink_operator::plan::memory::{Answer, Intent, Memory};
use applink_operator::plan::policy::Policies;
use applink_operator::plan::remote::{Addon, Parent};
use applink_operator::plan::verdict::{Report, Verdict};
use serde_json::json;

use crate::fixture::{ADDON, at, fresh};

const NAME: &str = "updates";
const CLOUD: &str = "connection-1";

struct Case {
    spec: DataActionTargetSpec,
    addon: Addon,
    parent: Parent,
    released: bool,
    severed: bool,
    live: Live<RemoteTarget>,
    memory: Memory,
    status: DataActionTargetStatus,
}

fn on(connection: &str) -> Parent {
    Parent::Ready { id: connection.into(), name: "customer-data".into(), leaving: false }
}

fn new() -> Case {
    let spec = json!({"connectionRef": {"name": "customer-data"}, "label": "updates", "targetEndpoint": "/updates"});
    Case {
        spec: serde_json::from_value(spec).unwrap(),
        addon: Addon::Ready { id: ADDON.into() },
        parent: on(CLOUD),
        released: false,
        severed: false,
        live: Live { complete: true, ..Live::default() },
        memory: fresh().memory,
        status: DataActionTargetStatus::default(),
    }
}

fn remote(id: &str, phase: Phase) -> RemoteTarget {
    RemoteTarget {
        id: id.into(),
        key: Some(NAME.into()),
        api_name: Some(NAME.into()),
        label: None,
        endpoint: None,
        kind: None,
        app_id: None,
        status: "created".into(),
        phase,
        org: Org::default(),
        error: None,
        created_at: None,
        created_by: None,
    }
}

/// The word that was given for the first creation on this connection.
fn word(connection: &str) -> Intent {
    let created = new().plan().steps;
    let Some(Step::Remember { intent }) = created.first() else { panic!("{created:?}") };
    Intent { parent: Some(connection.into()), at: at(0), ..intent.clone() }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The word was given on this connection, by a process that is gone.
    fn promised(self, connection: &str) -> Self {
        let intent = word(connection);
        self.with(|case| {
            case.memory.finalizer = true;
            case.memory.intent = Some(intent);
            case.memory.met = at(1);
        })
    }

    /// Made, recorded and Ready.
    fn made(self) -> Self {
        let hash = word(CLOUD).hash;
        self.promised(CLOUD).with(|case| {
            case.see(remote("id-1", Phase::Up));
            let remote = &mut case.status.remote;
            remote.id = Some("id-1".into());
            remote.addon_id = Some(ADDON.into());
            remote.applied_hash = Some(hash);
            remote.answered_attempt = Some(1);
            remote.established_at = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
            case.status.connection_id = Some(CLOUD.into());
            case.memory.observed_generation = Some(1);
            (case.memory.ready, case.memory.reason) = (true, Some(Reason::Created));
        })
    }

    fn deleted(self) -> Self {
        self.with(|case| (case.memory.deleting, case.memory.generation) = (true, 2))
    }

    fn see(&mut self, object: RemoteTarget) {
        self.live.sightings = vec![Sighting { object, at: at(1), detailed: true }];
    }

    fn plan(&self) -> applink_operator::plan::Plan<DataActionTargetStatus> {
        plan(&Input {
            spec: &self.spec,
            name: NAME,
            policies: Policies::of(self.spec.handling, Ending::default()),
            addon_name: "orders",
            addon: &self.addon,
            parent: &self.parent,
            app_id_set: true,
            released: self.released,
            severed: self.severed,
            live: &self.live,
            rivals: &[],
            memory: &self.memory,
            status: &self.status,
            now: at(100),
        })
    }

    /// The plan in a line: its steps, or the reason it gives.
    fn says(&self) -> String {
        let plan = self.plan();
        let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
        let report = match plan.report {
            Report::Say(verdict) => verdict.reason.to_string(),
            Report::Keep => "keep".into(),
            Report::Note => "note".into(),
            Report::Hold => String::new(),
        };
        [steps.join(", "), report].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

fn table(cases: Vec<(&str, Case, &str)>) {
    for (name, case, wanted) in cases {
        assert_eq!(case.says(), wanted, "{name}: {:#?}", case.plan());
    }
}

#[test]
fn what_a_connection_is_decides_what_is_done_on_it() {
    let leaving = Parent::Ready { id: CLOUD.into(), name: "customer-data".into(), leaving: true };
    let missing = Parent::Missing { name: "customer-data".into() };
    let old = |case: Case| case.with(|case| case.memory.since = at(0));
    let outage = Verdict::waits(Reason::RemoteUnavailable, "no answer");
    table(vec![
        ("new", new(), "remember attempt 1, create updates"),
        ("its list says nothing yet", new().with(|c| c.live.complete = false), "look: Creating"),
        ("missing", old(new().with(|c| c.parent = missing.clone())), "DependencyNotFound"),
        ("not ready", new().with(|c| c.parent = Parent::NotReady("why".into())), "ConnectionNotReady"),
        ("not ready any more", new().made().with(|c| c.parent = Parent::NotReady("why".into())), "ConnectionNotReady"),
        ("perhaps gone", new().made().with(|c| c.parent = Parent::Unsure), ""),
        ("unfit", new().with(|c| c.parent = Parent::Unfit("why".into())), "InvalidSpec"),
        ("about to go", new().with(|c| c.parent = leaving.clone()), "ConnectionNotReady"),
        ("about to go with ours on it", new().made().with(|c| c.parent = leaving.clone()), "Created"),
        ("an add-on that is away", new().made().with(|c| c.addon = troubled(&outage, false)), ""),
        (
            "an add-on that is away for long",
            new().made().with(|c| c.addon = troubled(&outage, true)),
            "RemoteUnavailable",
        ),
        (
            "another connection",
            new().made().with(|c| (c.parent, c.live.sightings) = (on("2"), vec![])),
            "remember attempt 2, create updates",
        ),
    ]);
}

fn troubled(verdict: &Verdict, silent: bool) -> Addon {
    Addon::Troubled { id: Some(ADDON.into()), verdict: verdict.clone(), silent }
}

#[test]
fn a_refusal_counts_on_the_connection_that_it_came_from() {
    let refused = |parent: &str| {
        new().promised(CLOUD).with(|case| {
            case.status.remote.answered_attempt = Some(1);
            case.memory.observed_generation = Some(1);
            case.parent = on(parent);
        })
    };
    table(vec![
        ("here", refused(CLOUD), "keep"),
        ("on the next", refused("connection-2"), "remember attempt 2, create updates"),
    ]);
}

#[test]
fn who_is_deleted_goes_once_nothing_can_be_left_unknown() {
    let unseen = |case: Case| case.with(|c| (c.addon, c.parent) = (Addon::Unseen, Parent::NotReady("why".into())));
    let lost = || new().promised(CLOUD).deleted();
    let missing = Parent::Missing { name: "customer-data".into() };
    table(vec![
        ("never begun", new().deleted().with(|c| c.memory.finalizer = true), "release"),
        ("made", new().made().deleted(), "Deleting"),
        ("made, and put down", new().made().deleted().with(|c| c.released = true), "release, orphan id-1"),
        ("made, and gone with its connection", new().made().deleted().with(|c| c.severed = true), "release"),
        ("forced", new().made().deleted().with(|c| c.memory.force_orphan = true), "release, orphan id-1"),
        ("suspended", new().made().deleted().with(|c| c.spec.handling.suspend = true), "Suspended"),
        ("perhaps made, after a restart", unseen(lost()), ""),
        ("perhaps made, out of sight", lost().with(|c| c.parent = missing), "release, orphan updates"),
        ("perhaps made, perhaps gone", lost().with(|c| c.parent = Parent::Unsure), ""),
        ("perhaps made, not listed yet", lost().with(|c| c.live.complete = false), "look"),
        ("not made", lost(), "release"),
        ("made after all", lost().with(|c| c.see(remote("id-1", Phase::Up))), "Deleting"),
        ("on another connection", lost().with(|c| c.parent = on("2")), "release"),
    ]);
    // Its connection learns of it by its status.
    let found = lost().with(|c| c.see(remote("id-1", Phase::Up))).plan();
    assert_eq!(found.status.remote.id.as_deref(), Some("id-1"));
    assert_eq!(found.status.connection_id.as_deref(), Some(CLOUD));
}

#[test]
fn an_answer_that_names_it_is_put_down_before_it_is_let_go_of() {
    let word = word(CLOUD);
    let answered = new().promised(CLOUD).deleted().with(|case| {
        case.memory.answer = Some(Answer::Created { id: "id-9".into(), word });
    });
    assert_eq!(answered.says(), "Deleting");
    assert_eq!(answered.plan().status.remote.id.as_deref(), Some("id-9"));
}
