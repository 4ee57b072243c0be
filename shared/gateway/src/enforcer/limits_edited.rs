//! Limits that were lowered under what runs.

use super::Checked;
use crate::Enforcer;
use faregate_core::limits::lowered::{Excess, excesses};
use faregate_core::model::{Counts, Ms, Scope};
use faregate_core::ports::StoreError;
use std::collections::{BTreeSet, HashMap};

impl Enforcer {
    /// Finds what is over a limit. The index may lag behind: a limit counts as exceeded only if its counter says so too.
    pub(super) async fn check_edited_limits(&self, checked: &mut [Checked], now: Ms) -> Result<(), StoreError> {
        let rows: Vec<_> = checked.iter().map(|c| c.stays().then_some((&c.cluster, &*c.limits))).collect();
        let mut excess = excesses(&rows);
        let scopes: BTreeSet<Scope> = excess.iter().flatten().filter_map(|e| e.scope.clone()).collect();
        if !scopes.is_empty() {
            let scopes: Vec<Scope> = scopes.into_iter().collect();
            let mut used: HashMap<&Scope, Counts> = HashMap::new();
            // in batches, as large as a read can be
            for scopes in scopes.chunks(100) {
                let usage = self.context.store.usage(scopes).await?;
                used.extend(scopes.iter().zip(usage).map(|(scope, usage)| (scope, usage.value.counts)));
            }
            let exceeded = |e: &Excess| {
                let counts = e.scope.as_ref().and_then(|scope| used.get(scope));
                counts.is_none_or(|counts| e.ceiling.measure.of(counts) > e.ceiling.value)
            };
            for e in &mut excess {
                e.take_if(|e| !exceeded(e));
            }
        }
        for (checked, excess) in checked.iter_mut().zip(excess) {
            checked.shrink = excess.map(|e| e.shrink(&checked.cluster, now));
        }
        Ok(())
    }
}
