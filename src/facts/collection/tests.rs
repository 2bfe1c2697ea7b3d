//! The rules of absence, one by one.

use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Thing(&'static str, &'static str);

impl RemoteObject for Thing {
    fn id(&self) -> &str {
        self.0
    }
    fn name(&self) -> Option<&str> {
        Some(self.1).filter(|name| !name.is_empty())
    }
    fn phase(&self) -> Phase {
        Phase::Ready
    }
    fn set_name(&mut self, name: &str) {
        if self.1.is_empty() {
            self.1 = name.to_owned().leak();
        }
    }
    fn created(&self) -> Option<Timestamp> {
        None
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn listing(items: &[Thing]) -> Listing<Thing> {
    Listing { items: items.to_vec(), whole: true }
}

fn ids(live: &Lookup<Thing>) -> Vec<&str> {
    live.observed.iter().map(|s| s.object.id()).collect()
}

#[test]
fn absence_needs_a_whole_listing_that_began_late_enough() {
    let mut all = Collection::default();
    assert!(!all.lookup(None, "a", at(0)).complete, "never listed");
    all.apply_listing(at(10), listing(&[]));
    assert!(all.lookup(None, "a", at(10)).complete);
    assert!(!all.lookup(None, "a", at(11)).complete, "began before");
    all.apply_listing(at(20), Listing { items: vec![], whole: false });
    assert!(!all.lookup(None, "a", at(10)).complete, "not whole");
}

#[test]
fn what_has_no_name_yet_may_have_any_unless_we_gave_it_one() {
    let mut all = Collection::default();
    all.apply_listing(at(10), listing(&[Thing("1", ""), Thing("2", "b")]));
    assert!(!all.lookup(None, "a", at(0)).complete);
    all.set_name("1", "c");
    assert!(all.lookup(None, "a", at(0)).complete);
    assert_eq!(ids(&all.lookup(None, "c", at(0))), ["1"]);
    assert!(all.apply_listing(at(20), listing(&[Thing("1", ""), Thing("2", "b")])).is_empty(), "nothing moved");
    all.apply_listing(at(30), listing(&[Thing("3", "")]));
    assert!(!all.lookup(None, "a", at(0)).complete);
    all.observe(at(32), Observation::Present(Thing("4", "d")));
    all.apply_listing(at(31), listing(&[Thing("4", "")]));
    assert_eq!(ids(&all.lookup(None, "d", at(0))), ["4"], "as the answer to our own call told");
}

#[test]
fn a_write_to_a_name_makes_only_that_name_uncertain_until_the_next_listing() {
    let mut all = Collection::default();
    all.apply_listing(at(10), listing(&[]));
    all.observe(at(12), Observation::Written("a".into()));
    assert!(!all.lookup(None, "a", at(0)).complete);
    assert!(all.lookup(None, "b", at(0)).complete);
    all.apply_listing(at(11), listing(&[]));
    assert!(!all.lookup(None, "a", at(0)).complete, "that listing began before the write");
    all.apply_listing(at(13), listing(&[]));
    assert!(all.lookup(None, "a", at(0)).complete);
}

#[test]
fn what_is_read_one_by_one_for_ever_takes_no_more_room_for_it() {
    let mut all = Collection::default();
    all.apply_listing(at(0), listing(&[]));
    all.observe(at(0), Observation::Written("b".into()));
    for nth in 0..1000 {
        all.observe(at(60 * nth), Observation::Present(Thing("1", "a")));
    }
    assert!(all.observations.len() < 24, "{}", all.observations.len());
    assert!(!all.lookup(None, "b", at(0)).complete, "the write is not forgotten");
}

#[test]
fn writes_where_nothing_is_ever_listed_take_no_more_room_for_ever() {
    let (mut listed, mut never) = (Collection::<Thing>::default(), Collection::<Thing>::default());
    listed.apply_listing(at(0), listing(&[]));
    for nth in 0..1000 {
        listed.observe(at(60 * nth), Observation::Written(format!("target-{}", nth % 5)));
        never.observe(at(60 * nth), Observation::Written(format!("target-{nth}")));
    }
    assert_eq!(listed.written.len(), 5, "one for each name");
    assert!(!listed.lookup(None, "target-0", at(0)).complete, "what the old listing shows is not certain");
    assert!(never.written.len() < 24, "{}", never.written.len());
    assert!(!never.lookup(None, "target-0", at(0)).complete, "nothing was proved");
    never.observe(at(60_010), Observation::Absent("target-999".into()));
    never.observe(at(60_020), Observation::Written("target-999".into()));
    never.observe(at(61_000), Observation::Written("another".into()));
    assert!(!never.lookup(None, "target-999", at(0)).complete, "it was free before the write");
}

#[test]
fn a_name_that_a_get_finds_free_is_free_until_it_is_written_to() {
    let mut all = Collection::default();
    all.observe(at(8), Observation::Present(Thing("1", "a")));
    all.observe(at(10), Observation::Absent("a".into()));
    assert!(all.lookup(None, "a", at(10)).complete && ids(&all.lookup(None, "a", at(0))).is_empty());
    assert!(!all.lookup(None, "a", at(11)).complete, "looked at before");
    assert!(!all.lookup(None, "b", at(0)).complete, "of another name nothing is known");
    all.observe(at(12), Observation::Written("a".into()));
    assert!(!all.lookup(None, "a", at(0)).complete);
}

#[test]
fn what_was_learnt_later_outlives_a_listing_that_began_before() {
    let mut all = Collection::default();
    all.observe(at(12), Observation::Present(Thing("1", "a")));
    all.apply_listing(at(11), listing(&[Thing("2", "b")]));
    assert_eq!(ids(&all.lookup(None, "a", at(0))), ["1"]);
    all.observe(at(14), Observation::Deleted("2".into()));
    all.apply_listing(at(13), listing(&[Thing("1", "a"), Thing("2", "b")]));
    assert!(ids(&all.lookup(None, "b", at(0))).is_empty());
    assert_eq!(all.lookup(None, "b", at(0)).deleted_ids, ["2"]);
    all.apply_listing(at(15), listing(&[Thing("1", "a"), Thing("2", "b")]));
    assert_eq!(ids(&all.lookup(None, "b", at(0))), ["2"], "a younger listing is believed again");
    assert!(all.lookup(None, "b", at(0)).deleted_ids.is_empty());
    all.observe(at(16), Observation::Deleted("1".into()));
    all.apply_listing(at(17), listing(&[]));
    assert_eq!(all.lookup(None, "a", at(0)).deleted_ids, ["1"], "what a list agrees with stands");
    all.apply_listing(at(16 + 600), listing(&[]));
    assert!(all.lookup(None, "a", at(0)).deleted_ids.is_empty(), "but not for ever");
}

#[test]
fn what_was_deleted_concerns_those_who_know_its_name_or_id() {
    let mut all = Collection::default();
    all.apply_listing(at(10), listing(&[Thing("1", "a"), Thing("2", "b")]));
    for id in ["1", "2", "3"] {
        all.observe(at(12), Observation::Deleted(id.into()));
    }
    for (id, name, deleted) in [
        (None, "a", &["1", "3"][..]),
        (Some("2"), "a", &["1", "2", "3"]),
        (None, "c", &["3"]),
        (Some("4"), "c", &["3"]),
    ] {
        assert_eq!(all.lookup(id, name, at(0)).deleted_ids, deleted, "{id:?} {name}");
    }
}

#[test]
fn a_list_that_fails_is_an_outage_and_a_silence_once_that_lasts() {
    let mut all = Collection::default();
    let patience = SignedDuration::from_secs(300);
    let miss = |all: &mut Collection<Thing>, second, text: &str| {
        all.failed(at(second), ConditionReport::in_progress(crate::crd::Reason::RemoteUnavailable, text), patience);
        let outage = all.lookup(None, "a", at(0)).outage.unwrap();
        (outage.report.message, outage.stale)
    };
    assert_eq!(miss(&mut all, 10, "500"), ("500".to_owned(), false), "never listed");
    assert_eq!(miss(&mut all, 309, "502"), ("500".to_owned(), false));
    assert_eq!(miss(&mut all, 310, "500"), ("500".to_owned(), true));
    all.apply_listing(at(320), listing(&[]));
    assert_eq!(all.lookup(None, "a", at(0)).outage, None);
    assert_eq!(miss(&mut all, 619, "502"), ("502".to_owned(), false));
    assert_eq!(miss(&mut all, 620, "502"), ("502".to_owned(), true));
    all.unsubscribed();
    assert_eq!(all.lookup(None, "a", at(0)).outage, None);
    assert_eq!(miss(&mut all, 900, "504"), ("504".to_owned(), false), "it begins anew");
}

#[test]
fn a_listing_tells_what_moved_and_nothing_at_rest() {
    let mut all = Collection::default();
    let changed_keys = all.apply_listing(at(10), listing(&[Thing("1", "a"), Thing("2", "b")]));
    assert_eq!(changed_keys.into_iter().collect::<Vec<_>>(), ["1", "2", "a", "b"]);
    assert!(all.apply_listing(at(20), listing(&[Thing("2", "b"), Thing("1", "a")])).is_empty());
    let changed_keys = all.apply_listing(at(30), listing(&[Thing("1", "renamed")]));
    assert_eq!(changed_keys.into_iter().collect::<Vec<_>>(), ["1", "2", "a", "b", "renamed"]);
    assert_eq!(all.count(), Some(1));
}
