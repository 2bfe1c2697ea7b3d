//! Ordered lists of named checks: the order in which a kind decides is data, not control flow.
//!
//! Pure. Each file in `plan/kinds` has a list `CHECKS`; its plan is the first decision of that list. Safeguards are a second
//! list: they change a decision afterwards, in order.

/// One named entry of a list. `F` is the function pointer that the kind calls.
#[derive(Clone, Copy, Debug)]
pub struct Check<F> {
    /// Name in capitals, the same for the same check in every kind.
    pub name: &'static str,
    /// Function that decides, or returns `None` to leave the decision to the next check.
    pub run: F,
}

impl<F> Check<F> {
    /// A check with this name.
    pub const fn new(name: &'static str, run: F) -> Self {
        Self { name, run }
    }
}

/// Result of the first check that decides.
pub fn first<F: Copy, T>(checks: &[Check<F>], run: impl FnMut(F) -> Option<T>) -> Option<T> {
    checks.iter().map(|check| check.run).find_map(run)
}

/// `value` after every safeguard has seen it, in order.
pub fn apply<F: Copy, T>(safeguards: &[Check<F>], value: T, mut run: impl FnMut(F, T) -> T) -> T {
    safeguards.iter().fold(value, |value, safeguard| run(safeguard.run, value))
}

/// Names of a list, in order.
#[must_use]
pub fn names<F>(checks: &[Check<F>]) -> Vec<&'static str> {
    checks.iter().map(|check| check.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Decide = fn(i32) -> Option<i32>;
    type Change = fn(i32) -> i32;

    #[test]
    fn the_first_check_that_decides_ends_the_list() {
        let checks: [Check<Decide>; 3] = [
            Check::new("A", |n| (n > 9).then_some(1)),
            Check::new("B", |n| Some(n * 2)),
            Check::new("C", |_| panic!()),
        ];
        assert_eq!((first(&checks, |run| run(10)), first(&checks, |run| run(3))), (Some(1), Some(6)));
        assert_eq!(names(&checks), ["A", "B", "C"]);
    }

    #[test]
    fn safeguards_run_in_order() {
        let safeguards: [Check<Change>; 2] = [Check::new("A", |n| n + 1), Check::new("B", |n| n * 2)];
        assert_eq!(apply(&safeguards, 3, |run, n| run(n)), 8);
    }
}
