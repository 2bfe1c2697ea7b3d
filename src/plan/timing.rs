//! Every limit, pause and deadline of the plan, and what depends on what.
//!
//! Pure. Assertions at the end of the file check the dependencies at compile time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Longest time that a call to AppLink may take. `transport` enforces it.
pub const CALL_DEADLINE: SignedDuration = SignedDuration::from_secs(30);
/// How long after its intent a POST of an earlier process may still create something: the deadline of the call, and a
/// margin for the time between the intent and the call.
pub const LOST_CALL_WAIT: SignedDuration = SignedDuration::from_secs(35);

/// First pause after a call that failed for a reason outside the call. Each further failure in a row doubles the pause.
pub const FIRST_BACK_OFF: SignedDuration = SignedDuration::from_secs(10);
/// Longest pause between two attempts of a failing call.
pub const MAX_BACK_OFF: SignedDuration = SignedDuration::from_mins(10);
/// Pause before the operator repeats a request that AppLink refused permanently.
pub const REFUSAL_BACK_OFF: SignedDuration = SignedDuration::from_mins(10);
/// Permanent refusals within [`REFUSAL_BACK_OFF`] that one object may cause, whatever the user edits. The last one may
/// count twice, because the operator renews a refused token once.
pub const REFUSAL_LIMIT: usize = 5;

/// How long a new object waits quietly for a dependency that the same `kubectl apply` may still create.
pub const DEPENDENCY_GRACE: SignedDuration = SignedDuration::from_secs(2);
/// How long a new object waits quietly for a complete listing.
pub const LISTING_PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// How long AppLink may take to set something up before the operator reports a failure.
pub const PROGRESS_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// How long a person has to consent.
pub const CONSENT_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// Greatest age of an observation on which the operator deletes or overwrites something that may have just changed.
pub const MAX_AGE_BEFORE_WRITE: SignedDuration = SignedDuration::from_secs(2);
/// Greatest age of the listing of data action targets on which the operator deletes their connection.
pub const MAX_AGE_OF_TARGETS: SignedDuration = SignedDuration::from_secs(30);
/// How often the operator checks again what blocks the deletion of a connection, because no watch reports targets that
/// somebody else created.
pub const BLOCKED_DELETION_RECHECK: SignedDuration = SignedDuration::from_mins(1);

/// How long an accepted deletion may take before the operator requests it again.
pub const DELETION_RETRY: SignedDuration = SignedDuration::from_mins(1);
/// First pause between two GETs of an object that is being deleted.
pub const FIRST_DELETION_GET: SignedDuration = SignedDuration::from_millis(300);
/// Pause after which the operator stops sending these GETs and leaves the object to the polls.
pub const LAST_DELETION_GET: SignedDuration = SignedDuration::from_secs(5);

/// Re-creations within [`CONTEST_WINDOW`] after which the operator assumes that somebody else manages the object, too.
pub const CONTEST_LIMIT: usize = 3;
/// Period over which the operator counts re-creations.
pub const CONTEST_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// Greatest difference between the clocks of AppLink and of the operator.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// How long AppLink may take to show that it published something.
pub const PUBLISH_LAG: SignedDuration = SignedDuration::from_mins(5);
/// How often the operator reads the credential of an authorization for its Secret.
pub const CREDENTIALS_REFRESH: SignedDuration = SignedDuration::from_mins(5);
/// Shortest session timeout that Salesforce allows.
const SHORTEST_SESSION: SignedDuration = SignedDuration::from_mins(15);

/// Added to each requeue: an early plan would repeat the previous one.
pub const REQUEUE_MARGIN: Duration = Duration::from_millis(50);

// A process waits for longer than any call of its predecessor can take.
const _: () = assert!(LOST_CALL_WAIT.as_secs() > CALL_DEADLINE.as_secs());
// Back-offs grow.
const _: () = assert!(FIRST_BACK_OFF.as_secs() < MAX_BACK_OFF.as_secs());
const _: () = assert!(FIRST_DELETION_GET.as_millis() < LAST_DELETION_GET.as_millis());
const _: () = assert!(LAST_DELETION_GET.as_secs() < DELETION_RETRY.as_secs());
// The refusals of one back-off would otherwise be forgotten while a failing call still pauses.
const _: () = assert!(MAX_BACK_OFF.as_secs() <= REFUSAL_BACK_OFF.as_secs());
// A missing dependency is reported before a missing listing.
const _: () = assert!(DEPENDENCY_GRACE.as_secs() < LISTING_PATIENCE.as_secs());
// A listing that was requested for a deletion is still fresh when the deletion is planned again.
const _: () = assert!(MAX_AGE_OF_TARGETS.as_secs() < BLOCKED_DELETION_RECHECK.as_secs());
// An observation before a write is younger than a call can be.
const _: () = assert!(MAX_AGE_BEFORE_WRITE.as_secs() < CALL_DEADLINE.as_secs());
// A slow publication never counts as a contest.
const _: () = assert!(PUBLISH_LAG.as_secs() < CONTEST_WINDOW.as_secs());
// The operator uses a session several times before it can end.
const _: () = assert!(3 * CREDENTIALS_REFRESH.as_secs() <= SHORTEST_SESSION.as_secs());

/// Time between `from` and `to`; zero if `to` is earlier.
#[must_use]
pub fn elapsed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}

/// Time left at `now` of a `limit` that began at `since`; `None` once it is over.
#[must_use]
pub fn remaining(limit: SignedDuration, since: Timestamp, now: Timestamp) -> Option<SignedDuration> {
    Some(limit.saturating_sub(elapsed(since, now))).filter(SignedDuration::is_positive)
}

/// Pause after the nth failure in a row: `first`, then twice as long each time, up to [`MAX_BACK_OFF`].
#[must_use]
pub fn back_off(first: SignedDuration, nth: u32) -> SignedDuration {
    let factor = 2_i32.saturating_pow(nth.saturating_sub(1).min(10));
    first.checked_mul(factor).unwrap_or(MAX_BACK_OFF).min(MAX_BACK_OFF)
}
