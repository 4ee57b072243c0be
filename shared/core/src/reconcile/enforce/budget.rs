//! Budgets of what runs: warned of when they are nearly spent, stopped for when they are overspent.

use crate::limits::LimitValue;
use crate::model::{Month, Policy, Reason, ReasonCode};

/// How a month's spending stands against its limit.
#[derive(Clone, Debug, PartialEq)]
pub enum Spending {
    /// Far from it.
    Fine,
    /// Its users are warned.
    Warn(Reason),
    /// What runs is stopped.
    Stop(Reason),
}

/// Checks what a user has spent in a month, in US dollars.
pub fn check_budget(budget: &LimitValue<f64>, user: &str, month: Month, usd: f64, policy: &Policy) -> Spending {
    let stop_at = budget.value * (1.0 + f64::from(policy.budget_margin_percent) / 100.0);
    let of = |code, how: &str, then: String| {
        let (value, from) = (budget.value, &budget.from);
        let message = format!(
            "the limit `budget` = {value} USD of {from} is {how}: {usd:.2} USD used by user:{user} in {month}; {then}"
        );
        warning_of(Reason::new(code, message), budget, month).with("spent_nanousd", nano(usd))
    };
    if usd > stop_at {
        let then = format!("above {stop_at:.2} USD what runs is stopped");
        Spending::Stop(of(ReasonCode::Budget, "overspent", then))
    } else if usd >= budget.value && usd > 0.0 {
        let then = format!("nothing new starts, and above {stop_at:.2} USD what runs is stopped");
        Spending::Warn(of(ReasonCode::Budget, "spent", then))
    } else if usd * 100.0 >= budget.value * f64::from(policy.budget_warning_percent) && usd > 0.0 {
        let value = budget.value;
        let then = format!("at {value} USD nothing new starts, and above {stop_at:.2} USD what runs is stopped");
        Spending::Warn(of(ReasonCode::Budget, "nearly spent", then))
    } else {
        Spending::Fine
    }
}

/// Is this a warning of that budget in that month?
pub fn is_warning_of(reason: &Reason, budget: &LimitValue<f64>, month: Month) -> bool {
    let same = warning_of(Reason::new(ReasonCode::Budget, ""), budget, month);
    reason.code == same.code && same.numbers.iter().all(|(name, value)| reason.numbers.get(name) == Some(value))
}

fn warning_of(reason: Reason, budget: &LimitValue<f64>, month: Month) -> Reason {
    reason.with("budget_nanousd", nano(budget.value)).with("month_ms", month.start())
}

fn nano(usd: f64) -> i64 {
    (usd * 1e9).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn checked(budget: f64, usd: f64) -> Spending {
        let budget = LimitValue { value: budget, from: Scope::Group("a".into()) };
        check_budget(&budget, "alice", "2026-11".parse().unwrap(), usd, &Policy::default())
    }

    fn message(spending: Spending) -> String {
        match spending {
            Spending::Fine => "fine".into(),
            Spending::Warn(reason) => format!("warn: {}", reason.message),
            Spending::Stop(reason) => format!("stop: {}", reason.message),
        }
    }

    #[test]
    fn a_budget_is_warned_of_then_spent_then_overspent() {
        assert_eq!(checked(50.0, 39.99), Spending::Fine);
        insta::assert_snapshot!(message(checked(50.0, 40.0)), @"warn: the limit `budget` = 50 USD of group:a is nearly spent: 40.00 USD used by user:alice in 2026-11; at 50 USD nothing new starts, and above 55.00 USD what runs is stopped");
        insta::assert_snapshot!(message(checked(50.0, 52.5)), @"warn: the limit `budget` = 50 USD of group:a is spent: 52.50 USD used by user:alice in 2026-11; nothing new starts, and above 55.00 USD what runs is stopped");
        insta::assert_snapshot!(message(checked(50.0, 55.01)), @"stop: the limit `budget` = 50 USD of group:a is overspent: 55.01 USD used by user:alice in 2026-11; above 55.00 USD what runs is stopped");
    }

    #[test]
    fn who_may_spend_nothing_is_stopped_at_the_first_cent_and_not_before() {
        assert_eq!(checked(0.0, 0.0), Spending::Fine);
        assert!(matches!(checked(0.0, 0.001), Spending::Stop(_)));
    }

    #[test]
    fn a_warning_is_of_one_budget_and_one_month() {
        let Spending::Warn(reason) = checked(50.0, 45.0) else { panic!("a warning") };
        let budget = |value| LimitValue { value, from: Scope::Default };
        let is = |value, month: &str| is_warning_of(&reason, &budget(value), month.parse().unwrap());
        assert_eq!((is(50.0, "2026-11"), is(50.0, "2026-12"), is(60.0, "2026-11")), (true, false, false));
    }
}
