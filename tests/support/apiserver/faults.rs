//! Faults of the API server, and which of them a request meets.
//! Knows requests only by namespace, verb and resource. `ApiServer` sets faults, the routes check them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::resource::Refusal;

#[derive(Default)]
pub struct Faults {
    pub outage: bool,
    /// Number of outages so far: an open watch breaks when it changes.
    pub outages: u64,
    /// Plurals of resources whose watches are held back.
    pub held: BTreeSet<String>,
    /// Keys are namespace (empty for all), verb and resource.
    refused: BTreeMap<(String, String, String), Refusal>,
    /// Number of requests refused that way.
    pub times_refused: usize,
    next: VecDeque<(String, String, Fault)>,
}

#[derive(Clone)]
pub enum Fault {
    /// Not executed; this is the response.
    Refuse(Refusal),
    /// Executed, but the connection breaks before the response.
    LoseAnswer,
    /// Nothing is done, and there is never an answer, as on a connection that leads nowhere.
    Ignore,
}

impl Faults {
    pub fn set_outage(&mut self, outage: bool) {
        self.outages += u64::from(outage && !self.outage);
        self.outage = outage;
    }

    /// Refuses every such request from now on, or none any more. An empty namespace means all.
    pub fn refuse(&mut self, namespace: &str, verb: &str, resource: &str, refusal: Option<Refusal>) {
        let rule = (namespace.to_owned(), verb.to_owned(), resource.to_owned());
        match refusal {
            Some(refusal) => self.refused.insert(rule, refusal),
            None => self.refused.remove(&rule),
        };
    }

    pub fn add(&mut self, verb: &str, resource: &str, times: usize, fault: &Fault) {
        let again = std::iter::repeat_n((verb.to_owned(), resource.to_owned(), fault.clone()), times);
        self.next.extend(again);
    }

    /// Faults of one verb and resource strike in the order in which they were added.
    pub fn meet(&mut self, namespace: &str, verb: &str, resource: &str) -> Option<Fault> {
        let refused = |namespace: &str| self.refused.get(&(namespace.to_owned(), verb.to_owned(), resource.to_owned()));
        if let Some(refusal) = refused("").or_else(|| refused(namespace)).cloned() {
            self.times_refused += 1;
            return Some(Fault::Refuse(refusal));
        }
        let found = self.next.iter().position(|(v, r, _)| (v.as_str(), r.as_str()) == (verb, resource))?;
        self.next.remove(found).map(|(_, _, fault)| fault)
    }
}
