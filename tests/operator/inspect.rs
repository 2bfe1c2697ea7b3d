//! Queries on a world: calls to the two APIs, writes to Kubernetes, Events, and the remote objects.
//!
//! Part of `World`. Changes nothing, apart from the faults and the actions of others at the end.

use applink_simulator::{
    AuthMethod, Collection, Fault, NewOrgAccess, Org, OrgAccess, Planted, Provider, RequestRecord, Seed, Simulator,
    Status, What, Where,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::apiserver::Write;
use crate::world::{ADDON, NS, World};

/// The parts of an Event that tests compare.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    pub about: String,
    pub kind: String,
    pub reason: String,
    pub note: String,
    pub times: i64,
}

impl World {
    // Kubernetes.

    pub fn get(&self, name: &str) -> Value {
        self.api.get("connections", NS, name).expect("it exists")
    }

    pub fn get_addon(&self) -> Value {
        self.api.get("applinkaddons", NS, ADDON).expect("it exists")
    }

    /// A Secret, if it exists.
    pub fn secret(&self, name: &str) -> Option<Value> {
        self.api.get("secrets", NS, name)
    }

    /// `status.id`, if set.
    pub fn id(&self, name: &str) -> Option<String> {
        self.get(name)["status"]["id"].as_str().map(str::to_owned)
    }

    /// Successful writes to a Connection.
    pub fn writes_to(&self, name: &str) -> Vec<Write> {
        let ours = |w: &Write| w.resource == "connections" && w.name == name && w.status < 300;
        self.api.writes().into_iter().filter(ours).collect()
    }

    /// All Events of a Connection or AppLinkAddon.
    pub fn events_of(&self, name: &str) -> Vec<RecordedEvent> {
        self.events().into_iter().filter(|event| event.about == name).collect()
    }

    pub fn events(&self) -> Vec<RecordedEvent> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reported = |event: &Value| RecordedEvent {
            about: text(&event["regarding"]["name"]),
            kind: text(&event["type"]),
            reason: text(&event["reason"]),
            note: text(&event["note"]),
            times: event["series"]["count"].as_i64().unwrap_or(1),
        };
        self.api.events().iter().map(reported).collect()
    }

    /// How often an Event with this reason occurred.
    pub fn event_count(&self, name: &str, reason: &str) -> i64 {
        self.events_of(name).iter().filter(|event| event.reason == reason).map(|event| event.times).sum()
    }

    // Calls to Heroku and AppLink.

    /// Number of matching requests.
    pub fn request_count(&self, wanted: impl Fn(&RequestRecord) -> bool) -> usize {
        self.sim.requests(|log| log.count(wanted))
    }

    /// Requests to create a connection, successful or not.
    pub fn posts(&self) -> usize {
        self.request_count(|r| r.method == http::Method::POST)
    }

    /// Creations that took effect.
    pub fn created(&self) -> usize {
        self.request_count(|r| r.method == http::Method::POST && r.committed)
    }

    /// Requests to delete a connection, successful or not.
    pub fn deletes(&self) -> usize {
        self.request_count(|r| r.method == http::Method::DELETE)
    }

    /// Mutating requests.
    pub fn mutations(&self) -> usize {
        self.request_count(|r| r.mutating)
    }

    /// The most mutating requests within any ten minutes.
    pub fn busiest_ten_minutes(&self) -> usize {
        let at: Vec<_> = self.sim.requests(|log| log.iter().filter(|r| r.mutating).map(|r| r.at).collect());
        let within = |from| at.iter().filter(|t| **t >= from && **t < from + SignedDuration::from_mins(10)).count();
        at.iter().map(|from| within(*from)).max().unwrap_or_default()
    }

    /// Passes over the add-on, counted by lists of connections.
    pub fn passes(&self) -> usize {
        self.request_count(|r| r.method == http::Method::GET && r.path.ends_with("/connections"))
    }

    pub fn forget_requests(&self) {
        self.sim.requests(|log| log.clear());
    }

    // Remote objects.

    /// All connections except tombstones.
    pub fn remote(&self) -> Vec<OrgAccess> {
        let now = self.clock.now();
        let there = |c: &&OrgAccess| {
            let status = c.status_at(now);
            status.is_some() && status != Some(&Status::Disconnected)
        };
        self.sim.world(|world| world.connections().filter(there).cloned().collect())
    }

    /// The connection with this name; panics unless there is exactly one.
    pub fn only(&self, remote: &str) -> OrgAccess {
        let mut found: Vec<_> = self.remote().into_iter().filter(|c| c.name == remote).collect();
        assert_eq!(found.len(), 1, "exactly one {remote} exists: {found:#?}");
        found.remove(0)
    }

    /// Deletes a connection behind the operator's back.
    pub fn vanish(&self, remote: &str) {
        let (id, now) = (self.only(remote).id, self.clock.now());
        self.sim.world(|world| world.vanish(id, now)).expect("it exists");
    }

    /// Somebody opens the link of this connection and consents.
    pub fn consent(&self, remote: &str, username: &str) {
        let (id, now) = (self.only(remote).id, self.clock.now());
        self.sim.world(|world| world.consent(id, Org::of(username), now)).expect("it waits for consent");
    }

    /// Creates somebody else's connection with this name and age.
    pub fn plant(&self, remote: &str, ago: SignedDuration) -> String {
        plant(&self.sim, remote, self.clock.now() - ago)
    }

    // Faults.

    /// Adds a fault. Returns its ID.
    pub fn fault(&self, fault: Fault) -> String {
        self.sim.faults(|faults| faults.add(fault)).expect("a fault that can be")
    }

    pub fn clear_faults(&self) {
        self.sim.faults(|faults| faults.clear());
    }
}

/// A response with this status, error body and `Retry-After`.
pub fn answer(place: Where, code: u16, body: Option<Value>, retry_after: Option<u64>) -> Fault {
    let headers = retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string())).into_iter().collect();
    Fault::new(place, What::Status { code, headers, body })
}

/// An error with this status and a meaningless body.
pub fn refusal(code: u16) -> Fault {
    answer(Where::Before, code, Some(json!({"id": "odd", "message": "cannot"})), None)
}

/// Limits the fault to the AppLink API.
pub fn on_applink(mut fault: Fault) -> Fault {
    fault.path_prefix = Some("/addons/".to_owned());
    fault
}

/// Limits the fault to requests that create a connection.
pub fn on_post(fault: Fault) -> Fault {
    fault.method("POST")
}

/// Creates somebody else's connection with this name at this time. Returns its ID.
pub fn plant(sim: &Simulator, remote: &str, at: Timestamp) -> String {
    let planted = Planted {
        new: NewOrgAccess {
            collection: Collection::Connections,
            addon: Seed::ADDON_ID,
            app: Seed::APP_ID,
            name: remote.to_owned(),
            provider: Provider::Salesforce,
            login_url: "https://login.salesforce.com".parse().expect("a URL"),
            auth_method: AuthMethod::Jwt {
                alias: "theirs".to_owned(),
                client_id: "3MVG9theirs".to_owned(),
                username: "ci@example.com".to_owned(),
                key_digest: None,
            },
        },
        status: Status::Connected,
        error: None,
        org: Some(Org::of("ci@example.com")),
        created_by: Some("somebody@example.com".to_owned()),
    };
    sim.world(|world| world.plant(planted, at)).to_string()
}
