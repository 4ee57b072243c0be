//! Groups as an identity provider names them, made into those that a user counts in.

use crate::MOST_GROUPS;
use faregate_core::model::{MachineToken, user_name};
use std::collections::BTreeSet;

/// Each once, without blanks around it, in order, so that the same groups are kept of too many whatever order they came in. Names follow
/// the rule of user names.
pub fn groups(user: &str, named: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut unfit = 0;
    let mut groups = BTreeSet::new();
    for name in named {
        match user_name(name.trim()) {
            Ok(name) if MachineToken::of_group(&name).is_none() => drop(groups.insert(name)),
            Ok(_) | Err(_) => unfit += 1,
        }
    }
    if unfit > 0 {
        tracing::warn!(
            user,
            unfit,
            "groups left out: no group can be called so, or only a machine token's own (`token:<id>`)"
        );
    }
    if groups.len() > MOST_GROUPS {
        let left_out = groups.len() - MOST_GROUPS;
        tracing::warn!(user, left_out, most = MOST_GROUPS, "groups left out: the last by name are too many");
    }
    groups.into_iter().take(MOST_GROUPS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_groups_the_first_by_name_stay() {
        let many = (0..100).rev().map(|n| format!("g{n:03}"));
        let kept = groups("alice", many.clone());
        assert_eq!(kept, (0..MOST_GROUPS).map(|n| format!("g{n:03}")).collect::<Vec<_>>());
        assert_eq!(kept, groups("alice", many.rev()));
    }

    #[test]
    fn each_group_counts_once_and_what_cannot_be_one_is_left_out() {
        let named = ["b", " a ", "b", "", "x\ny", "andre\u{301}", "token:0123456789abcdef"].map(str::to_owned);
        assert_eq!(groups("alice", named), ["a", "andr\u{e9}", "b"]);
    }
}
