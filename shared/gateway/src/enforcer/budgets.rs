//! Budgets of what runs: estimated from what the index knows, and added up exactly before anything follows from it.

use super::{AT_ONCE, Checked};
use crate::Enforcer;
use faregate_core::limits::LimitValue;
use faregate_core::model::{Amount, Month, Ms, Reason, ReasonCode, Status};
use faregate_core::ports::StoreError;
use faregate_core::reconcile::enforce::{Spending, check_budget, is_warning_of};
use futures::stream::{self, StreamExt};
use std::collections::{BTreeMap, HashMap};

/// What a cluster's users are warned of about its budget.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Warned {
    /// Nothing.
    #[default]
    Nothing,
    /// They know already.
    Already,
    /// This.
    Now(Reason),
}

impl Enforcer {
    /// Warns and stops those who have spent too much. Of a user without a budget nothing is read.
    pub(super) async fn check_budgets(&self, checked: &mut [Checked], now: Ms) -> Result<(), StoreError> {
        let month = Month::of(now);
        let mut users: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, c) in checked.iter().enumerate().filter(|(_, c)| c.limits.budget.is_some() && c.stays()) {
            users.entry(c.cluster.user.clone()).or_default().push(at);
        }
        if users.is_empty() {
            return Ok(());
        }
        // what is ending is billed until it is at rest
        let mut running: HashMap<&str, Amount> = HashMap::new();
        for cluster in checked.iter().map(|c| &c.cluster).filter(|c| users.contains_key(&c.user)) {
            let cost = cluster.meter.cost(&cluster.config, self.context.policy(), month.start(), now);
            *running.entry(&cluster.user).or_default() += cost;
        }
        let read: Vec<_> = users
            .iter()
            .map(|(user, at)| {
                let (running, clusters) =
                    (running.get(&**user).copied().unwrap_or_default(), at.iter().map(|at| &checked[*at]));
                self.check_budget_of(user, running, clusters.collect(), month)
            })
            .collect();
        let mut outcomes = stream::iter(read).buffer_unordered(AT_ONCE);
        let mut spent: HashMap<String, f64> = HashMap::new();
        while let Some(outcome) = outcomes.next().await {
            spent.extend(outcome?);
        }
        drop(outcomes);
        for (user, at) in users {
            for at in at {
                checked[at].take_in(&user, month, spent.get(&user).copied(), self.context.policy());
            }
        }
        Ok(())
    }

    /// What a user has spent exactly, where an estimate says that it matters.
    async fn check_budget_of(
        &self,
        user: &str,
        running: Amount,
        clusters: Vec<&Checked>,
        month: Month,
    ) -> Result<Option<(String, f64)>, StoreError> {
        let estimate = (running + self.ledger_sum(user, month).await?).usd();
        let matters = |c: &&Checked| {
            let Some(budget) = &c.limits.budget else { return false };
            // from where a warning is due on, the estimate is not enough: a lost wake may have left it behind
            !matches!(check_budget(budget, user, month, estimate, self.context.policy()), Spending::Fine)
        };
        match clusters.iter().any(matters) {
            true => Ok(Some((user.to_owned(), self.context.spent(user, month).await?.usd()))),
            false => Ok(None),
        }
    }

    async fn ledger_sum(&self, user: &str, month: Month) -> Result<Amount, StoreError> {
        let key = self.context.ring().user_key(user);
        let mut sum = Amount::default();
        let mut cursor = None;
        loop {
            let page = self.context.store.ledger(month, Some(&key), cursor.as_deref()).await?;
            sum += page.items.iter().filter(|entry| entry.user == user).map(|entry| entry.amount).sum();
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(sum);
            }
        }
    }
}

impl Checked {
    fn is_warned_of(&self, budget: &LimitValue<f64>, month: Month) -> bool {
        self.cluster.warnings.iter().any(|w| w.code == ReasonCode::Budget && is_warning_of(w, budget, month))
    }

    /// What follows from what its user has spent; none = nobody needed to know exactly.
    fn take_in(&mut self, user: &str, month: Month, spent: Option<f64>, policy: &faregate_core::model::Policy) {
        let Some(budget) = self.limits.budget.clone() else { return };
        let known = self.is_warned_of(&budget, month);
        self.budget = if known { Warned::Already } else { Warned::Nothing };
        match spent.map_or(Spending::Fine, |usd| check_budget(&budget, user, month, usd, policy)) {
            Spending::Fine => {}
            Spending::Warn(_) if known => {}
            Spending::Warn(reason) => self.budget = Warned::Now(reason),
            Spending::Stop(reason) => self.verdict.end = Some((Status::Stopped, reason)),
        }
    }
}
