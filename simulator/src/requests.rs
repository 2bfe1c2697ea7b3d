//! The request log: each request, its response status, and whether it changed the world.
//!
//! Must not hold bodies or tokens. `http::intercept` writes it; the tests and the control API read it.

use std::collections::VecDeque;

use http::{Method, StatusCode};
use jiff::Timestamp;

/// How many requests the log keeps.
const CAPACITY: usize = 100_000;

/// Which API a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `api.heroku.com`.
    Platform,
    /// `/addons/{addon}/...`.
    AppLink,
}

impl Api {
    /// `platform` or `applink`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::AppLink => "applink",
        }
    }
}

/// One request to one of the two APIs.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// Counts up from 1, also after [`RequestLog::clear`].
    pub seq: u64,
    /// When it arrived.
    pub at: Timestamp,
    pub method: Method,
    pub path: String,
    pub api: Api,
    /// The response status. None before the response, and after a reset.
    pub status: Option<StatusCode>,
    /// Whether its method asks for a change.
    pub mutating: bool,
    /// Whether it made that change, even if the response was lost.
    pub committed: bool,
    /// The digest of its bearer token, valid or not.
    pub token_digest: Option<String>,
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub struct RequestLog {
    last_seq: u64,
    records: VecDeque<RequestRecord>,
}

impl RequestLog {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> {
        self.records.iter()
    }

    /// How many of the kept requests satisfy a condition.
    pub fn count(&self, wanted: impl Fn(&RequestRecord) -> bool) -> usize {
        self.iter().filter(|record| wanted(record)).count()
    }

    /// Removes all requests.
    pub fn clear(&mut self) {
        self.records.clear();
    }

    pub(super) fn open(&mut self, mut record: RequestRecord) -> u64 {
        self.last_seq += 1;
        record.seq = self.last_seq;
        if self.records.len() == CAPACITY {
            self.records.pop_front();
        }
        self.records.push_back(record);
        self.last_seq
    }

    pub(super) fn amend(&mut self, seq: u64, change: impl FnOnce(&mut RequestRecord)) {
        let place = self.records.binary_search_by_key(&seq, |record| record.seq);
        if let Some(record) = place.ok().and_then(|index| self.records.get_mut(index)) {
            change(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_amends_by_sequence_number() {
        let mut log = RequestLog::default();
        let record = RequestRecord {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            method: Method::GET,
            path: "/apps".to_owned(),
            api: Api::Platform,
            status: None,
            mutating: false,
            committed: false,
            token_digest: None,
        };
        for _ in 0..CAPACITY + 2 {
            log.open(record.clone());
        }
        assert_eq!(log.count(|_| true), CAPACITY);
        assert_eq!(log.iter().next().map(|r| r.seq), Some(3));
        log.amend(5, |r| r.status = Some(StatusCode::OK));
        assert_eq!(log.iter().nth(2).and_then(|r| r.status), Some(StatusCode::OK));
        log.amend(1, |_| unreachable!("forgotten"));
        log.clear();
        assert_eq!(log.open(record), CAPACITY as u64 + 3);
    }
}
