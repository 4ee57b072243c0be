//! The accounts of this machine, as its name services know them.

use async_trait::async_trait;
use faregate_auth::methods::peer::{Account, SystemAccounts};
use faregate_processes::name_service;
use quick_cache::sync::Cache;
use std::time::{Duration, Instant};

/// An account is not asked for again so long: name services may be far away.
const KNOWN: Duration = Duration::from_secs(60);
/// Accounts that are remembered.
const MOST: usize = 10_000;

/// Asks the system.
#[derive(Debug)]
pub struct Accounts {
    known: Cache<u32, (Instant, Option<Account>)>,
}

impl Default for Accounts {
    fn default() -> Self {
        Accounts { known: Cache::new(MOST) }
    }
}

#[async_trait]
impl SystemAccounts for Accounts {
    async fn account(&self, uid: u32) -> Result<Option<Account>, String> {
        if let Some((since, account)) = self.known.get(&uid)
            && since.elapsed() < KNOWN
        {
            return Ok(account);
        }
        let looked = tokio::task::spawn_blocking(move || look_up(uid)).await;
        let account = looked.map_err(|error| error.to_string())??;
        self.known.insert(uid, (Instant::now(), account.clone()));
        Ok(account)
    }
}

fn look_up(uid: u32) -> Result<Option<Account>, String> {
    let Some(user) = name_service::user_by_uid(uid).map_err(|error| error.to_string())? else { return Ok(None) };
    let gids = name_service::gids_of(&user).and_then(|gids| name_service::groups(&gids));
    let groups = gids.map_err(|error| error.to_string())?.into_iter().map(|group| group.name).collect();
    Ok(Some(Account { name: user.name, groups }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accounts_have_names_and_groups_and_some_ids_have_none() {
        let accounts = Accounts::default();
        for _ in 0..2 {
            let root = accounts.account(0).await.unwrap().unwrap();
            assert_eq!(root.name, "root");
            assert!(root.groups.contains(&"root".to_owned()), "{:?}", root.groups);
            assert_eq!(accounts.account(4_000_000_000).await, Ok(None));
        }
    }
}
