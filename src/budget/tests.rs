//! Budgets on paused time: the calls in any hour, who comes first, and the waits of refused calls.

use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Calls of one second are counted together.
const HOUR_AND_A_SECOND: Duration = Duration::from_secs(3601);

/// A call a minute; of polls, ten at once and then one in two minutes.
fn small() -> Limits {
    Limits { per_hour: 60, at_once: 10, reserve: 4, last: 2 }
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

/// A regular pass of so many calls; whether it was made.
fn pass(budget: &Budget, calls: u32, every: Duration) -> bool {
    budget.affords_pass(calls, every, Purpose::Poll).is_ok()
        && (0..calls).all(|_| budget.try_acquire(Purpose::Poll).is_ok())
}

/// The most calls within any hour, by callers who retry forever with pauses of `rests` milliseconds.
async fn busiest_hour(limits: Limits, callers: &[(Purpose, u64)]) -> usize {
    let budget = Budgets::new(limits).addon("a");
    let (mut hour, mut most) = (VecDeque::new(), 0);
    let end = Instant::now() + 5 * HOUR;
    for (purpose, rest) in callers.iter().cycle() {
        let (acquired, wait) = drain(&budget, *purpose);
        let now = Instant::now();
        hour.extend(std::iter::repeat_n(now, acquired));
        while hour.front().is_some_and(|at| now.duration_since(*at) > HOUR) {
            hour.pop_front();
        }
        most = most.max(hour.len());
        if now > end {
            break;
        }
        advance(wait.min(20 * MINUTE) + Duration::from_millis(*rest)).await;
    }
    most
}

fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

#[test]
fn default_limits_allow_4500_calls_in_any_hour() {
    assert_eq!(paused(busiest_hour(Limits::default(), &[(Purpose::Overdue, 0)])), 4500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn hourly_limit_is_never_exceeded(
        per_hour in 2..3000_u32,
        share in 1..100_u32,
        callers in prop::collection::vec((0..4_usize, 0..400_000_u64), 1..20),
    ) {
        const PURPOSES: [Purpose; 4] = [Purpose::Edit, Purpose::UrgentPoll, Purpose::Poll, Purpose::Overdue];
        let limits = Limits { per_hour, at_once: (per_hour * share / 100).max(1), reserve: 0, last: 0 };
        let callers: Vec<_> = callers.into_iter().map(|(purpose, rest)| (PURPOSES[purpose], rest)).collect();
        prop_assert!(paused(busiest_hour(limits, &callers)) <= per_hour as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn edits_may_use_an_empty_hour_at_once_but_for_what_passes_need() {
    let cases = [(None, 4470), (Some((2, MINUTE)), 4380), (Some((2, 5 * MINUTE)), 4470), (Some((52, MINUTE)), 2400)];
    for (passes, edits) in cases {
        let budget = Budgets::default().addon("a");
        if let Some((calls, every)) = passes {
            budget.affords_pass(calls, every, Purpose::Poll).expect("nothing is used");
        }
        assert_eq!(drain(&budget, Purpose::Edit), (edits, HOUR_AND_A_SECOND), "{passes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn regular_passes_go_on_after_a_burst_of_edits_whenever_it_comes() {
    for before in [0, 1, 10, 59, 200] {
        let budget = Budgets::default().addon("a");
        for minute in 0..before {
            assert!(pass(&budget, 2, MINUTE), "minute {minute}");
            advance(MINUTE).await;
        }
        assert!(pass(&budget, 2, MINUTE));
        assert!(drain(&budget, Purpose::Edit).0 > 4250);
        for minute in 0..150 {
            advance(MINUTE).await;
            assert!(pass(&budget, 2, MINUTE), "{minute} minutes after the burst, {before} before");
            drain(&budget, Purpose::Edit);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn edits_keep_a_third_of_the_hour_from_passes_of_any_size() {
    let budget = Budgets::default().addon("a");
    let (mut passes, mut edits) = (0, 0);
    for minute in 0..300 {
        let made = pass(&budget, 700, MINUTE);
        if minute >= 240 {
            passes += usize::from(made);
            edits += drain(&budget, Purpose::Edit).0;
        }
        advance(MINUTE).await;
    }
    assert!((2..=4).contains(&passes) && edits >= 1400, "{passes} passes and {edits} edits in an hour");
}

#[tokio::test(start_paused = true)]
async fn polls_are_spread_out() {
    let budget = Budgets::new(small()).addon("a");
    assert_eq!(drain(&budget, Purpose::Poll), (10, 2 * MINUTE));
    advance(2 * MINUTE).await;
    assert_eq!(drain(&budget, Purpose::Poll), (1, 2 * MINUTE));
    assert_eq!(drain(&budget, Purpose::Edit).0, 60 - 11 - 2, "edits need not be");
}

#[tokio::test(start_paused = true)]
async fn edits_leave_calls_for_overdue_polls() {
    let budget = Budgets::new(small()).addon("a");
    assert_eq!(drain(&budget, Purpose::Edit).0, 58);
    assert_eq!(drain(&budget, Purpose::UrgentPoll).0, 0);
    assert_eq!(drain(&budget, Purpose::Overdue).0, 2);
}

#[tokio::test(start_paused = true)]
async fn several_tokens_are_acquired_together_or_not_at_all() {
    let budget = Budgets::new(small()).addon("a");
    assert!(budget.try_acquire_many::<6>(Purpose::Poll).is_ok());
    assert_eq!(budget.try_acquire_many::<6>(Purpose::Poll).unwrap_err().wait, 4 * MINUTE);
    assert_eq!(budget.left(), 54);
    advance(HOUR_AND_A_SECOND).await;
    assert!(budget.try_acquire_many::<12>(Purpose::Poll).is_ok(), "more than polls ever get: none may be used then");
}

#[tokio::test(start_paused = true)]
async fn refused_edits_retry_one_after_another() {
    let budget = Budgets::new(small()).addon("a");
    drain(&budget, Purpose::Edit);
    let waits: Vec<_> = (0..100).map(|_| budget.try_acquire(Purpose::Edit).unwrap_err().wait).collect();
    let minutes: Vec<_> = waits.iter().map(|wait| (wait.saturating_sub(HOUR_AND_A_SECOND)).as_secs() / 60).collect();
    assert_eq!(minutes[..4], [1, 2, 3, 4]);
    assert_eq!(waits[99], HOUR_AND_A_SECOND + MAX_QUEUE);
    let look = budget.try_acquire(Purpose::UrgentPoll).unwrap_err();
    assert_eq!(look.wait, HOUR_AND_A_SECOND, "looks stand in no line");
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
    assert_eq!(drain(&budget, Purpose::Poll).0, 9);
    advance(20 * MINUTE).await;
    assert!(budget.is_plenty());
}

#[tokio::test(start_paused = true)]
async fn reported_remainder_only_lowers_the_budget() {
    let budget = Budgets::new(small()).account("token");
    let call_token = budget.try_acquire(Purpose::Edit).unwrap();
    call_token.correct(4000);
    assert_eq!(budget.left(), 59);
    call_token.correct(5);
    assert_eq!(budget.left(), 5);
    assert!(!budget.is_plenty());
    assert_eq!(drain(&budget, Purpose::Poll), (1, MINUTE), "polls leave the rest to edits");
    assert_eq!(drain(&budget, Purpose::Edit).0, 2);
    advance(20 * MINUTE).await;
    assert!(budget.is_plenty());
}

#[tokio::test(start_paused = true)]
async fn unused_budget_is_kept_until_its_hour_is_empty() {
    let budgets = Budgets::new(small());
    drain(&budgets.account("token\n"), Purpose::Overdue);
    assert_eq!(budgets.lowest(Scope::Account), Some(0));
    assert_eq!(budgets.account("token").left(), 0, "the same, however it is written");
    assert_eq!(budgets.account("other").left(), 60);
    assert_eq!(budgets.lowest(Scope::Addon), None);
    advance(2 * HOUR).await;
    let _new = budgets.addon("a");
    assert_eq!(budgets.accounts().len(), 1, "those with an empty hour that are unused are forgotten");
}

#[test]
fn account_budget_does_not_keep_the_token() {
    paused(async {
        let budgets = Budgets::default();
        let budget = budgets.account("HRKU-secret");
        assert!(!format!("{budgets:?} {budget:?}").contains("HRKU"));
    });
}
