//! Token buckets on paused time: the calls in any hour, the priorities, and the waits of refused calls.

use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A burst of ten, four of them reserved for edits; then one call per ten seconds.
fn small() -> Limits {
    Limits { per_hour: 370, at_once: 10, reserve: 4, last: 0 }
}

/// Acquires tokens until refused. Returns their number, and the wait.
fn drain(budget: &Budget, purpose: Purpose) -> (usize, Duration) {
    let mut acquired = 0;
    loop {
        match budget.try_acquire(purpose) {
            Ok(_) => acquired += 1,
            Err(refused) => return (acquired, refused.wait),
        }
    }
}

/// The most calls within any hour, by a caller who retries forever with pauses of `rests` milliseconds.
async fn busiest_hour(limits: Limits, rests: &[u64]) -> usize {
    let budget = Budgets::new(limits).addon("a");
    let (mut hour, mut most) = (VecDeque::new(), 0);
    let end = Instant::now() + 5 * HOUR;
    for rest in rests.iter().cycle() {
        let (acquired, wait) = drain(&budget, Purpose::Overdue);
        let now = Instant::now();
        hour.extend(std::iter::repeat_n(now, acquired));
        while hour.front().is_some_and(|at| now.duration_since(*at) > HOUR) {
            hour.pop_front();
        }
        most = most.max(hour.len());
        if now > end {
            break;
        }
        advance(wait + Duration::from_millis(*rest)).await;
    }
    most
}

fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

#[test]
fn default_limits_allow_4500_calls_in_any_hour() {
    assert_eq!(paused(busiest_hour(Limits::default(), &[0])), 4500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn hourly_limit_is_never_exceeded(
        per_hour in 2..3000_u32, share in 1..100_u32, rests in prop::collection::vec(0..400_000_u64, 1..20)
    ) {
        let limits = Limits { per_hour, at_once: (per_hour * share / 100).max(1), reserve: 0, last: 0 };
        prop_assert!(paused(busiest_hour(limits, &rests)) <= per_hour as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn polls_do_not_use_the_reserve() {
    let budget = Budgets::new(small()).addon("a");
    assert_eq!(drain(&budget, Purpose::Poll), (6, 10 * SECOND));
    assert_eq!(drain(&budget, Purpose::Edit), (4, 10 * SECOND));
    assert_eq!(budget.left(), 0);
    advance(10 * SECOND).await;
    assert_eq!(drain(&budget, Purpose::Poll), (0, 40 * SECOND), "refilled calls go to edits first");
    assert_eq!(drain(&budget, Purpose::Edit).0, 1);
}

#[tokio::test(start_paused = true)]
async fn edits_leave_calls_for_overdue_polls() {
    let budget = Budgets::new(Limits { last: 2, ..small() }).addon("a");
    assert_eq!(drain(&budget, Purpose::Edit).0, 8);
    assert_eq!(drain(&budget, Purpose::Poll).0, 0);
    assert_eq!(drain(&budget, Purpose::Overdue).0, 2);
}

#[tokio::test(start_paused = true)]
async fn several_tokens_are_acquired_together_or_not_at_all() {
    let budget = Budgets::new(small()).addon("a");
    assert!(budget.try_acquire_many::<6>(Purpose::Poll).is_ok());
    assert_eq!(budget.try_acquire_many::<6>(Purpose::Edit).unwrap_err().wait, 20 * SECOND);
    assert_eq!(budget.left(), 4);
    advance(200 * SECOND).await;
    assert!(
        budget.try_acquire_many::<8>(Purpose::Poll).is_ok(),
        "more than polls ever get: then the bucket must be full"
    );
}

#[tokio::test(start_paused = true)]
async fn refused_edits_retry_one_after_another() {
    let budget = Budgets::new(small()).addon("a");
    drain(&budget, Purpose::Edit);
    let waits: Vec<_> = (0..100).map(|_| budget.try_acquire(Purpose::Edit).unwrap_err().wait.as_secs()).collect();
    assert_eq!(waits[..4], [20, 30, 40, 50]);
    assert_eq!(waits[99], MAX_QUEUE.as_secs());
    assert_eq!(budget.try_acquire(Purpose::UrgentPoll).unwrap_err().wait, 10 * SECOND, "looks stand in no line");
}

#[tokio::test(start_paused = true)]
async fn pause_refuses_all_calls_until_it_ends() {
    let budgets = Budgets::new(small());
    let budget = budgets.addon("a");
    let call_token = budget.try_acquire(Purpose::Poll).unwrap();
    call_token.pause(17 * SECOND);
    call_token.pause(3 * SECOND);
    advance(16 * SECOND).await;
    for purpose in [Purpose::Edit, Purpose::Poll] {
        let refused = budget.try_acquire(purpose).unwrap_err();
        assert_eq!((refused.limit, refused.wait), (Limit::Paused, SECOND));
    }
    assert!(budgets.addon("b").try_acquire(Purpose::Poll).is_ok(), "another add-on has nothing to do with it");
    assert!(budgets.addon("a").try_acquire(Purpose::Edit).is_err(), "for every caller");
    assert_eq!((budgets.unsent(Scope::Addon, Limit::Paused), budgets.unsent(Scope::Addon, Limit::BudgetSpent)), (3, 0));
    advance(SECOND).await;
    assert!(!budget.is_plenty(), "the service is short of calls, however many we have");
    assert_eq!(drain(&budget, Purpose::Poll).0, 6);
    advance(100 * SECOND).await;
    assert!(budget.is_plenty());
}

#[tokio::test(start_paused = true)]
async fn reported_remainder_only_lowers_the_budget() {
    let budget = Budgets::new(small()).account("token");
    let call_token = budget.try_acquire(Purpose::Edit).unwrap();
    call_token.correct(4000);
    assert_eq!(budget.left(), 9);
    call_token.correct(2);
    assert_eq!(budget.left(), 2);
    assert!(!budget.is_plenty());
    advance(50 * SECOND).await;
    assert!(budget.is_plenty());
}

#[tokio::test(start_paused = true)]
async fn unused_bucket_is_kept_until_it_is_full() {
    let budgets = Budgets::new(small());
    drain(&budgets.account("token\n"), Purpose::Edit);
    assert_eq!(budgets.lowest(Scope::Account), Some(0));
    assert_eq!(budgets.account("token").left(), 0, "the same, however it is written");
    assert_eq!(budgets.account("other").left(), 10);
    assert_eq!(budgets.lowest(Scope::Addon), None);
    advance(100 * SECOND).await;
    let _new = budgets.addon("a");
    assert_eq!(budgets.buckets().len(), 1, "those that are full and unused are forgotten");
}

#[test]
fn account_budget_does_not_keep_the_token() {
    paused(async {
        let budgets = Budgets::default();
        let budget = budgets.account("HRKU-secret");
        assert!(!format!("{budgets:?} {budget:?}").contains("HRKU"));
    });
}
