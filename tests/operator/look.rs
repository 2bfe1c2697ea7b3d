//! What was done and what was told in a world: calls to the two APIs, writes to Kubernetes, Events, and what is there
//! remotely.
//!
//! Looks only; part of `World`.

use applink_simulator::{
    AuthMethod, Collection, Fault, NewOrgAccess, Org, OrgAccess, Planted, Provider, RequestRecord, Seed, Simulator,
    Status, What, Where,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::apiserver::Write;
use crate::world::{ADDON, NS, World};

/// An Event, as far as tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub about: String,
    pub kind: String,
    pub reason: String,
    pub note: String,
    pub times: i64,
}

impl World {
    // In Kubernetes.

    pub fn get(&self, name: &str) -> Value {
        self.api.get("connections", NS, name).expect("it is there")
    }

    pub fn get_addon(&self) -> Value {
        self.api.get("applinkaddons", NS, ADDON).expect("it is there")
    }

    /// A Secret, if it is there.
    pub fn secret(&self, name: &str) -> Option<Value> {
        self.api.get("secrets", NS, name)
    }

    /// `status.id`, where there is one.
    pub fn id(&self, name: &str) -> Option<String> {
        self.get(name)["status"]["id"].as_str().map(str::to_owned)
    }

    /// Writes to one Connection that were done.
    pub fn writes_to(&self, name: &str) -> Vec<Write> {
        let ours = |w: &Write| w.resource == "connections" && w.name == name && w.status < 300;
        self.api.writes().into_iter().filter(ours).collect()
    }

    /// All Events about this object, Connection or AppLinkAddon.
    pub fn events_of(&self, name: &str) -> Vec<Told> {
        self.events().into_iter().filter(|event| event.about == name).collect()
    }

    pub fn events(&self) -> Vec<Told> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |event: &Value| Told {
            about: text(&event["regarding"]["name"]),
            kind: text(&event["type"]),
            reason: text(&event["reason"]),
            note: text(&event["note"]),
            times: event["series"]["count"].as_i64().unwrap_or(1),
        };
        self.api.events().iter().map(told).collect()
    }

    /// How often an Event of this reason was told about an object.
    pub fn told(&self, name: &str, reason: &str) -> i64 {
        self.events_of(name).iter().filter(|event| event.reason == reason).map(|event| event.times).sum()
    }

    // Asked of Heroku and AppLink.

    /// How many requests were made that satisfy a condition.
    pub fn asked(&self, wanted: impl Fn(&RequestRecord) -> bool) -> usize {
        self.sim.requests(|log| log.count(wanted))
    }

    /// Requests to create a connection, whatever became of them.
    pub fn posts(&self) -> usize {
        self.asked(|r| r.method == http::Method::POST)
    }

    /// Those that took effect.
    pub fn created(&self) -> usize {
        self.asked(|r| r.method == http::Method::POST && r.committed)
    }

    /// Requests to delete a connection, whatever became of them.
    pub fn deletes(&self) -> usize {
        self.asked(|r| r.method == http::Method::DELETE)
    }

    /// Requests that ask for any change.
    pub fn mutations(&self) -> usize {
        self.asked(|r| r.mutating)
    }

    /// The most requests for a change within any ten minutes.
    pub fn busiest_ten_minutes(&self) -> usize {
        let at: Vec<_> = self.sim.requests(|log| log.iter().filter(|r| r.mutating).map(|r| r.at).collect());
        let within = |from| at.iter().filter(|t| **t >= from && **t < from + SignedDuration::from_mins(10)).count();
        at.iter().map(|from| within(*from)).max().unwrap_or_default()
    }

    /// Passes over the add-on: listings of its connections.
    pub fn passes(&self) -> usize {
        self.asked(|r| r.method == http::Method::GET && r.path.ends_with("/connections"))
    }

    pub fn forget_requests(&self) {
        self.sim.requests(|log| log.clear());
    }

    // What is there remotely.

    /// The connections that are there now, those that were disconnected left out.
    pub fn remote(&self) -> Vec<OrgAccess> {
        let now = self.clock.now();
        let there = |c: &&OrgAccess| {
            let status = c.status_at(now);
            status.is_some() && status != Some(&Status::Disconnected)
        };
        self.sim.world(|world| world.connections().filter(there).cloned().collect())
    }

    /// The one connection of this name; panics unless it is the only one.
    pub fn only(&self, remote: &str) -> OrgAccess {
        let mut found: Vec<_> = self.remote().into_iter().filter(|c| c.name == remote).collect();
        assert_eq!(found.len(), 1, "there is one {remote}, and one only: {found:#?}");
        found.remove(0)
    }

    /// Makes a connection go behind the operator's back.
    pub fn vanish(&self, remote: &str) {
        let (id, now) = (self.only(remote).id, self.clock.now());
        self.sim.world(|world| world.vanish(id, now)).expect("it is there");
    }

    /// Somebody opens the link of the connection of this name and consents.
    pub fn consent(&self, remote: &str, username: &str) {
        let (id, now) = (self.only(remote).id, self.clock.now());
        self.sim.world(|world| world.consent(id, Org::of(username), now)).expect("it waits for consent");
    }

    /// Somebody else's connection of this name, made so long ago.
    pub fn plant(&self, remote: &str, ago: SignedDuration) -> String {
        plant(&self.sim, remote, self.clock.now() - ago)
    }

    // What goes wrong there.

    /// Lets a fault strike; gives its id.
    pub fn fault(&self, fault: Fault) -> String {
        self.sim.faults(|faults| faults.add(fault)).expect("a fault that can be")
    }

    pub fn heal(&self) {
        self.sim.faults(|faults| faults.clear());
    }
}

/// An answer of this status, with this error body and this `Retry-After`.
pub fn answer(place: Where, code: u16, body: Option<Value>, retry_after: Option<u64>) -> Fault {
    let headers = retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string())).into_iter().collect();
    Fault::new(place, What::Status { code, headers, body })
}

/// A refusal of this status, with an error body of no meaning.
pub fn refusal(code: u16) -> Fault {
    answer(Where::Before, code, Some(json!({"id": "odd", "message": "cannot"})), None)
}

/// Strikes the AppLink API and spares Heroku's.
pub fn on_applink(mut fault: Fault) -> Fault {
    fault.path_prefix = Some("/addons/".to_owned());
    fault
}

/// Strikes the request that creates a connection.
pub fn on_post(fault: Fault) -> Fault {
    fault.method("POST")
}

/// Somebody else's connection of this name, made then; gives its id.
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
