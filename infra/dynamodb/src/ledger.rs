//! The ledger: one item per month and cluster, added to in the transaction of what is billed.

use crate::DynamoStore;
use crate::errors::failed;
use crate::items::{Item, key, malformed, number, text};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use faregate_core::model::{Amount, ClusterName, Key, LedgerEntry, Month, UserKey};
use faregate_core::ports::{ENTRIES_A_PAGE, Page, StoreError};

/// An amount's fields, as they are named in the item.
fn fields(amount: &Amount) -> [(&'static str, i64); 5] {
    [
        ("millicore_ms", amount.millicore_ms),
        ("mib_ms", amount.mib_ms),
        ("spot_millicore_ms", amount.spot_millicore_ms),
        ("spot_mib_ms", amount.spot_mib_ms),
        ("nanousd", amount.nanousd),
    ]
}

impl DynamoStore {
    /// An addition, as a part of a transaction.
    pub(crate) fn bill(
        &self,
        month: Month,
        user: &str,
        cluster: &ClusterName,
        amount: &Amount,
    ) -> Result<Update, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&Key::ledger(month, cluster))))
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", text(user));
        let mut adds = Vec::new();
        let update = fields(amount).into_iter().fold(update, |update, (name, value)| {
            adds.push(format!("#{name} :{name}"));
            update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), number(value))
        });
        let update = update.update_expression(format!("SET #user = :user ADD {}", adds.join(", ")));
        update.build().map_err(|e| StoreError::Failed(e.to_string()))
    }

    pub(crate) async fn query_ledger(
        &self,
        month: Month,
        user: Option<&UserKey>,
        cursor: Option<&str>,
    ) -> Result<Page<LedgerEntry>, StoreError> {
        let start = cursor.map(|after| {
            let cluster: Option<ClusterName> = after.parse().ok();
            let cluster = cluster.filter(|name| user.is_none_or(|user| name.user_key() == *user));
            let cluster = cluster.ok_or_else(|| StoreError::Failed(format!("`{after}` is no cursor of ours")))?;
            Ok::<_, StoreError>(key(&Key::ledger(month, &cluster)))
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", text(format!("ledger#{month}")))
            .set_exclusive_start_key(start.transpose()?)
            .limit(ENTRIES_A_PAGE as i32)
            .consistent_read(true);
        let query = match user {
            Some(user) => query
                .key_condition_expression("pk = :pk AND begins_with(sk, :user)")
                .expression_attribute_values(":user", text(user.as_str())),
            None => query.key_condition_expression("pk = :pk"),
        };
        let output = query.send().await.map_err(|e| failed("Query of the ledger", e))?;
        let items = output.items.unwrap_or_default().iter().map(|item| entry(month, item)).collect::<Result<_, _>>()?;
        let cursor = match output.last_evaluated_key.and_then(|mut key| key.remove("sk")) {
            Some(AttributeValue::S(sort)) => Some(sort),
            _ => None,
        };
        Ok(Page { items, cursor })
    }
}

fn entry(month: Month, item: &Item) -> Result<LedgerEntry, StoreError> {
    let part = |name: &str| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
    let sort = part("sk");
    let place = format!("ledger#{month}/{sort}");
    let number = |name: &str| {
        let digits = item.get(name).and_then(|v| v.as_n().ok());
        digits.and_then(|n| n.parse().ok()).ok_or_else(|| malformed(&place, format!("`{name}` is no whole number")))
    };
    let amount = Amount {
        millicore_ms: number("millicore_ms")?,
        mib_ms: number("mib_ms")?,
        spot_millicore_ms: number("spot_millicore_ms")?,
        spot_mib_ms: number("spot_mib_ms")?,
        nanousd: number("nanousd")?,
    };
    let cluster = sort.parse().map_err(|e| malformed(&place, e))?;
    Ok(LedgerEntry { month, user: part("user"), cluster, amount })
}
