//! Every limit, pause and deadline of the operator, and what depends on what.
//!
//! Pure. Assertions at the end of the file check the dependencies at compile time. Only the call budgets have their own
//! constants, in `budget`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

// Calls to Heroku and AppLink.

/// Longest time that a call to Heroku or AppLink may take. Heroku's router gives up after 30 s, too.
pub const CALL_DEADLINE: SignedDuration = SignedDuration::from_secs(30);
/// Longest time to connect to a remote host.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Limits of `Retry-After`: the lower one prevents a tight loop.
pub const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
/// The upper one prevents that an object waits for days.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Wait after a 429 without `Retry-After`.
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long a lookup of an add-on stays valid. After this it is looked up again, because its name may belong to another one.
pub const ADDON_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// If a lookup confirmed the refused token, do not look up again for this long.
pub const TOKEN_CONFIRMED_FOR: SignedDuration = SignedDuration::from_mins(1);
/// How long SSO parameters stay valid. Partners commonly refuse them after two minutes.
pub const SSO_LIFETIME: SignedDuration = SignedDuration::from_mins(2);

// Polls.

/// Shortest time between the starts of two passes, however many objects request one.
pub const MIN_POLL_GAP: SignedDuration = SignedDuration::from_millis(500);
/// How long after an object began to wait for the service the first poll begins. Many wait no longer.
pub const FIRST_FAST_POLL: SignedDuration = SignedDuration::from_millis(500);
/// Longest interval of the polls while an object waits for the service, and first back-off after a failed poll.
pub const FAST_POLL: SignedDuration = SignedDuration::from_secs(5);
/// How long an object that waits for the service keeps polling fast. A person may consent within minutes, or take long.
pub const FAST_POLL_FOR: SignedDuration = SignedDuration::from_mins(5);
/// An add-on is never stale sooner than this.
pub const MIN_STALE_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long an observation of a single object counts without a listing.
pub const OBSERVATION_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How long to wait for another poller's listing before making an own call. A slow poller must not block others.
pub const SHARED_LISTING_WAIT: Duration = Duration::from_secs(5);
/// Longest time between two heartbeats of a pass, which makes several calls in a row.
pub const POLLER_HEARTBEAT: Duration = Duration::from_secs(30 * 60);
/// A poller that wakes up later than this counts as stuck.
pub const POLLER_LATE: Duration = Duration::from_secs(15 * 60);

// The plan.

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

/// Failures in a row after which the operator reports that the API server is busy or broken.
pub const PASSING_FAILURES: u32 = 3;

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

// Requests to the API server.

/// Deadline of a request to the API server.
pub const KUBE_DEADLINE: Duration = Duration::from_secs(10);
/// Deadline of a list, which may be long, and of opening a watch.
pub const KUBE_LIST_DEADLINE: Duration = Duration::from_secs(30);
/// Deadline of an Event. Nothing depends on it.
pub const EVENT_DEADLINE: Duration = Duration::from_secs(5);
/// An Event that repeats within this time is counted, as Kubernetes' own components do.
pub const EVENT_SERIES: SignedDuration = SignedDuration::from_mins(6);
/// How long a refused read counts without another request.
pub const FORBIDDEN_LIFETIME: SignedDuration = SignedDuration::from_secs(15);
/// How long a token that was read from a file counts.
pub const TOKEN_FILE_LIFETIME: Duration = Duration::from_secs(10);

// Watches.

/// First pause of a watch that fails. Each further failure in a row doubles the pause.
pub const FIRST_WATCH_PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// Longest pause of a watch that fails.
pub const MAX_WATCH_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// How often the operator looks for missing CRDs, because whoever installs them waits for it.
pub const CRD_RECHECK: Duration = Duration::from_secs(2);
/// A watch that was opened again and has not failed for this long counts as open, because a quiet watch shows nothing.
pub const WATCH_OPEN_AFTER: Duration = Duration::from_secs(5);
/// How often a quiet watch shows that it is alive.
pub const WATCH_HEARTBEAT: Duration = Duration::from_secs(60);
/// A watch without a heartbeat for this long counts as stuck. Whatever takes its events may be busy.
pub const WATCH_STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
/// A namespace whose first list fails for this long does not hold up the others any longer.
pub const FIRST_LIST_LIMIT: Duration = Duration::from_secs(30);

// Reconciles.

/// A reconcile that keeps its slot for longer counts as stuck. It makes a few requests, each with a deadline.
pub const RECONCILE_LIMIT: Duration = Duration::from_secs(20 * 60);
/// First pause of an object after an error. Each further error in a row doubles the pause.
pub const FIRST_ERROR_PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// Longest pause of an object after an error.
pub const MAX_ERROR_PAUSE: SignedDuration = SignedDuration::from_secs(300);
/// Pause after a conflict, when somebody else changed the object.
pub const CONFLICT_PAUSE: Duration = Duration::from_millis(200);
/// Pause of a reconcile that goes in circles.
pub const CIRCLE_PAUSE: Duration = Duration::from_secs(60);
/// How often the operator looks for add-ons whose deletion no watch has shown.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

// The lease, and the end of the process.

/// A leader that has not renewed its lease for this long has lost it.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long after its last renewal a leader may write.
pub const LEASE_DEADLINE: Duration = Duration::from_secs(10);
/// How often the leader renews the lease, and the others look at it.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(3);
/// How long a call in flight may take once the process must stop.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(8);
/// How long the process may take to stop: to finish the calls in flight, and to give the lease back.
pub const STOP_LIMIT: Duration = Duration::from_secs(9);

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
// A leader stops writing before another one can begin, with time for two renewals.
const _: () = assert!(LEASE_DEADLINE.as_secs() < LEASE_DURATION.as_secs());
const _: () = assert!(2 * LEASE_RENEWAL.as_secs() < LEASE_DEADLINE.as_secs());
// The process ends within the shortest grace period that people set, ten seconds.
const _: () = assert!(STOP_LIMIT.as_secs() < 10);
// Time is left to give the lease back.
const _: () = assert!(DRAIN_LIMIT.as_secs() < STOP_LIMIT.as_secs());
// The first poll for a waiting object is not the last one.
const _: () = assert!(FIRST_FAST_POLL.as_millis() < FAST_POLL.as_millis());
// Two passes may begin this close to each other.
const _: () = assert!(MIN_POLL_GAP.as_millis() <= FIRST_FAST_POLL.as_millis());
// A poll cannot be both fast and stale.
const _: () = assert!(FAST_POLL.as_secs() < MIN_STALE_AFTER.as_secs());
// Waiting for another poller must not take longer than an own call.
const _: () = assert!(SHARED_LISTING_WAIT.as_secs() < CALL_DEADLINE.as_secs() as u64);
// A quiet watch is not stuck.
const _: () = assert!(WATCH_HEARTBEAT.as_secs() < WATCH_STUCK_AFTER.as_secs());
// A refused read is not reported as allowed, or asked again, before the watch of its kind tries again.
const _: () = assert!(FORBIDDEN_LIFETIME.as_secs() < MAX_WATCH_PAUSE.as_secs());

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

/// Pause after the nth failure in a row: `first`, then twice as long each time, up to `max`. All back-offs use it.
#[must_use]
pub fn doubling(first: SignedDuration, nth: u32, max: SignedDuration) -> SignedDuration {
    let factor = 2_i32.saturating_pow(nth.saturating_sub(1));
    first.checked_mul(factor).unwrap_or(max).min(max)
}

/// Pause after the nth failed call in a row, up to [`MAX_BACK_OFF`].
#[must_use]
pub fn back_off(first: SignedDuration, nth: u32) -> SignedDuration {
    doubling(first, nth, MAX_BACK_OFF)
}
