//! What the store keeps beside clusters: limit items as admins write them, the ledger, and who did what.

use faregate_core::model::{Amount, Audit, ClusterName, LedgerEntry, Limits, Month, Ms, Scope, UserKey};
use faregate_core::ports::{LimitItems, Page, StoreError};
use serde_json::Value;
use std::collections::BTreeMap;

/// Limit items: what stands there, what was kept of it, and what follows.
#[derive(Clone, Debug, Default)]
pub struct LimitTable {
    items: BTreeMap<String, Value>,
    kept: LimitItems,
    read: LimitItems,
}

impl LimitTable {
    /// What is in force.
    pub fn in_force(&self) -> &BTreeMap<Scope, Limits> {
        &self.read.in_force
    }

    /// Is the copy that is kept of an item what is in force?
    pub fn is_kept(&self, scope: &Scope) -> bool {
        self.kept.in_force.get(scope) == self.read.in_force.get(scope)
    }

    /// Good items of which no copy is kept.
    pub fn unkept(&self) -> Vec<Scope> {
        let good = self.read.in_force.keys().filter(|scope| !self.read.broken.contains_key(&scope.to_string()));
        good.filter(|scope| !self.is_kept(scope)).cloned().collect()
    }

    /// See [`faregate_core::ports::Store::limits`].
    pub fn read(&self) -> LimitItems {
        self.read.clone()
    }

    /// Writes an item as an admin does by hand, well or not; none removes it.
    pub fn edit(&mut self, sort: &str, item: Option<Value>) {
        match item {
            Some(item) => drop(self.items.insert(sort.to_owned(), item)),
            None => drop(self.items.remove(sort)),
        }
        self.look();
    }

    fn look(&mut self) {
        let mut read = LimitItems::read(self.items.iter().map(|(sort, item)| (sort.clone(), Ok(item.clone()))));
        read.fall_back(&self.kept);
        self.read = read;
    }

    /// See [`faregate_core::ports::Store::keep_limits`].
    pub fn keep(&mut self, items: &LimitItems) -> usize {
        let changes = items.to_keep(&self.kept);
        let count = changes.len();
        for (sort, limits) in changes {
            match (Scope::try_from(sort), limits) {
                (Ok(scope), Some(limits)) => drop(self.kept.in_force.insert(scope, limits.clone())),
                (Ok(scope), None) => drop(self.kept.in_force.remove(&scope)),
                (Err(_), _) => {}
            }
        }
        self.look();
        count
    }
}

/// The ledger, by month and cluster: whose, and what was used.
#[derive(Clone, Debug, Default)]
pub struct Ledger(pub BTreeMap<(Month, ClusterName), (String, Amount)>);

impl Ledger {
    /// Adds to an entry.
    pub fn bill(&mut self, month: Month, user: String, cluster: ClusterName, amount: Amount) {
        self.0.entry((month, cluster)).or_insert((user, Amount::default())).1 += amount;
    }

    /// See [`faregate_core::ports::Store::ledger`]; up to `most` entries.
    pub fn page(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
        most: usize,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        super::records::check_cursor(cursor)?;
        if let (Some(key), Some(cursor)) = (user, cursor)
            && !cursor.starts_with(key.as_str())
        {
            return Err(StoreError::Failed(format!("`{cursor}` is no cursor of this user")));
        }
        let of_month = self.0.iter().filter(|((m, _), _)| *m == month);
        let asked = of_month.filter(|((_, name), _)| user.is_none_or(|key| name.user_key() == *key));
        let mut left = asked.filter(|((_, name), _)| cursor.is_none_or(|c| name.as_str() > c));
        let entry = |((_, cluster), (user, amount)): (&(Month, ClusterName), &(String, Amount))| LedgerEntry {
            month,
            user: user.clone(),
            cluster: cluster.clone(),
            amount: *amount,
        };
        let items: Vec<LedgerEntry> = left.by_ref().take(most).map(entry).collect();
        let cursor = left.next().and(items.last()).map(|last| last.cluster.to_string());
        Ok(Page { items, cursor })
    }
}

/// What admins did, by time.
#[derive(Clone, Debug, Default)]
pub struct Audits(BTreeMap<(Ms, String), Audit>);

impl Audits {
    /// See [`faregate_core::ports::Store::audit`].
    pub fn write(&mut self, audit: &Audit) -> Result<(), StoreError> {
        let held = self.0.entry((audit.at, audit.id.clone())).or_insert_with(|| audit.clone());
        if held != audit {
            return Err(StoreError::Failed(format!("there is an audit record `{}` of that moment", audit.id)));
        }
        Ok(())
    }

    /// See [`faregate_core::ports::Store::audits`]; up to `most` records.
    pub fn page(&self, month: Month, cursor: Option<&str>, most: usize) -> Result<Page<Audit>, StoreError> {
        let from = match cursor {
            None => None,
            Some(cursor) => {
                let parsed = cursor.split_once(' ').and_then(|(at, id)| Some((at.parse::<Ms>().ok()?, id.to_owned())));
                Some(parsed.ok_or_else(|| StoreError::Failed(format!("`{cursor}` is no cursor")))?)
            }
        };
        let of_month = self.0.iter().filter(|((at, _), _)| (month.start()..month.end()).contains(at));
        let mut left = of_month.filter(|(key, _)| from.as_ref().is_none_or(|from| *key > from));
        let items: Vec<Audit> = left.by_ref().take(most).map(|(_, audit)| audit.clone()).collect();
        let cursor = left.next().and(items.last()).map(|last| format!("{} {}", last.at, last.id));
        Ok(Page { items, cursor })
    }
}
