//! Budgets: a month's spending held against its limit.

use super::{Context, ServiceError, Spent};
use faregate_core::limits::{Effective, LimitValue};
use faregate_core::model::clock::is_younger;
use faregate_core::model::{Month, Ms, Reason, ReasonCode};
use faregate_core::ports::StoreError;
use std::sync::PoisonError;

/// What a user had spent in a month, when it was last added up.
pub(super) struct CachedSpent {
    read_at: Ms,
    month: Month,
    usd: f64,
}

impl Context {
    /// Refuses what would start anything, once the user's budget is spent. Reads nothing for those who have none.
    pub(super) async fn refuse_spent(&self, user: &str, limits: &Effective) -> Result<(), ServiceError> {
        let Some(budget) = &limits.budget else { return Ok(()) };
        let month = Month::of(self.now());
        let usd = self.spent(user, month).await?.usd();
        self.keep_spent(user, month, usd);
        match spent_out(budget, user, month, usd) {
            Some(reason) => Err(ServiceError::Invalid(reason.message)),
            None => Ok(()),
        }
    }

    /// Why nothing new may start for a user whose budget is spent. The sum may be as old as limits may be: who starts workers asks each
    /// time.
    pub(super) async fn spent_out(&self, user: &str, limits: &Effective) -> Result<Option<Reason>, StoreError> {
        let Some(budget) = &limits.budget else { return Ok(None) };
        let now = self.now();
        let month = Month::of(now);
        let known = {
            let cache = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh =
                |c: &&CachedSpent| c.month == month && is_younger(c.read_at, self.policy().limits_cache_ms, now);
            cache.get(user).filter(fresh).map(|c| c.usd)
        };
        let usd = match known {
            Some(usd) => usd,
            None => {
                let usd = self.spent(user, month).await?.usd();
                self.keep_spent(user, month, usd);
                usd
            }
        };
        Ok(spent_out(budget, user, month, usd))
    }

    fn keep_spent(&self, user: &str, month: Month, usd: f64) {
        let (now, age) = (self.now(), self.policy().limits_cache_ms);
        let mut cache = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, c| is_younger(c.read_at, age, now));
        cache.insert(user.to_owned(), CachedSpent { read_at: now, month, usd });
    }
}

/// The reason, once a budget is spent.
fn spent_out(budget: &LimitValue<f64>, user: &str, month: Month, usd: f64) -> Option<Reason> {
    (usd >= budget.value).then(|| {
        let message = format!(
            "the limit `budget` = {} USD of {} is spent: {usd:.2} USD used by user:{user} in {month}; nothing new starts until the \
             month ends, on {}-01 (UTC)",
            budget.value,
            budget.from,
            month.next()
        );
        let reason = Reason::new(ReasonCode::Budget, message);
        reason.with("budget_nanousd", nano(budget.value)).with("spent_nanousd", nano(usd))
    })
}

fn nano(usd: f64) -> i64 {
    (usd * 1e9).round() as i64
}

impl Spent {
    /// A budget as users read it: what it is, whose, what is used of it and what is left.
    pub(super) fn of_budget(&self, budget: &LimitValue<f64>) -> serde_json::Value {
        let (limit, used) = (budget.value, self.usd());
        serde_json::json!({"limit": limit, "from": budget.from, "used": used, "left": (limit - used).max(0.0)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_core::model::Scope;

    #[test]
    fn a_budget_is_spent_when_all_of_it_is() {
        let budget = LimitValue { value: 50.0, from: Scope::Group("a".into()) };
        let december: Month = "2026-12".parse().unwrap();
        assert_eq!(spent_out(&budget, "alice", december, 49.999), None);
        let reason = spent_out(&budget, "alice", december, 50.0).unwrap();
        assert_eq!(
            reason.message,
            "the limit `budget` = 50 USD of group:a is spent: 50.00 USD used by user:alice in 2026-12; nothing new starts until the \
             month ends, on 2027-01-01 (UTC)"
        );
        assert_eq!(reason.numbers["spent_nanousd"], 50_000_000_000);
    }
}
