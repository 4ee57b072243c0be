//! What every store must do, written against the port alone: one function a property, each on a fresh store.
//!
//! `store_suite!(run)` makes a test of each; `run` gives a property a store, and waits for it. What needs a second handle on the same
//! data ([`broken_limits_count_with_what_was_kept`]) is called by each store's own tests.

mod accounts;
mod audits;
mod counts;
mod ledger;
mod limits;
mod lists;
mod singles;
mod transactions;

pub use accounts::*;
pub use audits::*;
pub use counts::*;
pub use ledger::*;
pub use limits::*;
pub use lists::*;
pub use singles::*;
pub use transactions::*;

use faregate_core::model::{Record, Version};
use faregate_core::ports::{Expect, Store, TransactError, Write};

/// Makes a test of every property.
#[macro_export]
macro_rules! store_suite {
    ($run:path) => {
        $crate::store_suite!(@ $run:
            a_record_is_read_as_it_was_written
            a_write_on_an_old_version_is_refused_and_says_what_is_held
            an_item_that_exists_is_not_written_as_new
            a_transaction_names_every_item_that_failed_and_writes_none
            a_transaction_has_one_to_a_hundred_items_each_once
            of_racing_writes_on_one_version_exactly_one_wins
            a_counter_goes_up_to_its_ceiling_and_down_to_zero
            a_ceiling_holds_only_for_what_is_raised
            racing_counts_never_pass_the_ceiling
            a_count_and_a_record_are_written_together_or_not_at_all
            a_recount_is_written_on_the_version_that_was_read
            a_counter_says_when_it_was_last_counted
            a_pace_is_kept_in_the_transaction_that_counts
            racing_steps_of_a_pace_never_pass_the_burst
            bills_add_up_by_month_and_cluster
            a_bill_of_a_failed_transaction_is_not_there
            a_ledger_is_read_page_by_page_of_one_user_or_of_all
            audit_records_are_read_in_order_page_by_page
            an_audit_record_stays_as_it_is
            a_users_clusters_are_listed_oldest_first_page_by_page
            a_clusters_children_are_read_whole
            the_index_holds_what_is_active_and_no_secret
            a_cursor_of_nobody_is_an_error
            heartbeats_are_read_in_the_order_asked
            a_touch_is_seen_and_changes_nothing_else
            a_touch_of_other_content_or_of_a_stopping_cluster_writes_nothing
            a_stop_is_made_once_and_by_its_owner
            limits_are_written_by_scope
            only_what_differs_of_the_limits_is_kept
            what_has_expired_is_forgotten_and_nothing_else
            a_large_item_is_kept_whole
        );
    };
    (@ $run:path: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $run(|store| Box::pin($crate::store_suite::$name(store)));
            }
        )*
    };
}

/// The same for stores of accounts: those of the two hosts.
#[macro_export]
macro_rules! accounts_suite {
    ($run:path) => {
        $crate::store_suite!(@ $run:
            accounts_are_found_by_their_name_and_listed_in_order
            machine_tokens_are_found_by_their_id_and_listed_in_order
            what_is_used_once_is_used_by_one_of_all_who_try
            accounts_and_tokens_are_forgotten_when_they_may_be
            failures_are_found_by_user_and_peer_and_listed
        );
    };
}

/// A property under way.
pub type Running = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn put(record: Record, expect: Expect) -> Write {
    Write::Put { record, expect }
}

/// Writes new records, in transactions of their own where they are many.
pub(crate) async fn write_new(store: &dyn Store, records: Vec<Record>) {
    for chunk in records.chunks(100) {
        let writes = chunk.iter().cloned().map(|record| put(record, Expect::Absent)).collect();
        store.transact(writes).await.unwrap();
    }
}

pub(crate) async fn write_on(store: &dyn Store, record: Record, version: Version) -> Result<(), TransactError> {
    store.transact(vec![put(record, Expect::Version(version))]).await
}
