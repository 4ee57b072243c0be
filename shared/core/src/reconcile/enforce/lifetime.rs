//! How long a cluster may live.

use super::{seconds, utc};
use crate::limits::Effective;
use crate::model::{Cluster, Ms, Policy, Reason, ReasonCode, Scope};

/// When a cluster ends for its age, and by whose word.
#[derive(Clone, Debug, PartialEq)]
pub struct Deadline {
    /// The moment.
    pub at: Ms,
    /// What says so.
    pub by: Bound,
}

/// What bounds a lifetime.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// Its own configuration.
    Own,
    /// Its owner, who extended it.
    Extension,
    /// A limit, which no extension exceeds.
    Limit(Longest),
}

/// The longest that a cluster may ever live, and whose limit that is; none = the gateway's own setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Longest {
    /// How long.
    pub ms: Ms,
    /// The scope that sets it.
    pub from: Option<Scope>,
}

impl Longest {
    /// The smaller of the limit and the gateway's setting.
    pub fn of(limits: &Effective, policy: &Policy) -> Option<Self> {
        let limit = limits.max_lifetime_ms.as_ref().map(|l| Longest { ms: l.value, from: Some(l.from.clone()) });
        let gateway = policy.max_lifetime_ms.map(|ms| Longest { ms, from: None });
        [limit, gateway].into_iter().flatten().min_by_key(|l| l.ms)
    }
}

/// ``3600 s (`max_lifetime` of group:a)``
impl std::fmt::Display for Longest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s (`max_lifetime` of ", seconds(self.ms))?;
        match &self.from {
            Some(scope) => write!(f, "{scope})"),
            None => f.write_str("the gateway)"),
        }
    }
}

/// When a cluster ends for its age, if ever: until when its owner extended it, else after the lifetime of its configuration; never
/// later than the limit.
pub fn deadline(cluster: &Cluster, limits: &Effective, policy: &Policy) -> Option<Deadline> {
    let lifetime = (cluster.config.lifetime * 1000.0) as Ms;
    let wanted = match cluster.extended_until {
        Some(at) => Some(Deadline { at, by: Bound::Extension }),
        None if lifetime > 0 => Some(Deadline { at: cluster.created_at.saturating_add(lifetime), by: Bound::Own }),
        None => None,
    };
    let longest = Longest::of(limits, policy)
        .map(|l| Deadline { at: cluster.created_at.saturating_add(l.ms), by: Bound::Limit(l) });
    [wanted, longest].into_iter().flatten().min_by_key(|deadline| deadline.at)
}

/// Why it ends, once it is too old.
pub(super) fn too_old(cluster: &Cluster, deadline: &Deadline, now: Ms) -> Option<Reason> {
    (now >= deadline.at).then(|| {
        let message = format!("{} is over", lifetime(cluster, deadline));
        Reason::new(ReasonCode::MaxLifetime, message).with("lifetime_ms", deadline.at - cluster.created_at)
    })
}

/// What its users are warned of, for a while before its end.
pub(super) fn warning(
    cluster: &Cluster,
    deadline: &Deadline,
    limits: &Effective,
    now: Ms,
    policy: &Policy,
) -> Option<Reason> {
    (now >= deadline.at - policy.lifetime_warning_ms).then(|| {
        let more = match (&deadline.by, Longest::of(limits, policy)) {
            (Bound::Limit(_), _) => "that limit allows no extension".to_owned(),
            (_, None) => format!("`POST /api/v1/clusters/{}/extend` gives it more time", cluster.name),
            (_, Some(longest)) => format!(
                "`POST /api/v1/clusters/{}/extend` gives it more time, at most until {}, when its longest lifetime of {longest} is over",
                cluster.name,
                utc(cluster.created_at.saturating_add(longest.ms)),
            ),
        };
        let message = format!("this cluster ends at {}, when {} is over; {more}", utc(deadline.at), lifetime(cluster, deadline));
        Reason::new(ReasonCode::MaxLifetime, message).with("deadline_ms", deadline.at)
    })
}

fn lifetime(cluster: &Cluster, deadline: &Deadline) -> String {
    let own = seconds(deadline.at - cluster.created_at);
    match &deadline.by {
        Bound::Own => format!("its lifetime of {own} s"),
        Bound::Extension => format!("its lifetime, extended to {own} s,"),
        Bound::Limit(longest) => format!("its longest lifetime of {longest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cluster;
    use super::*;
    use crate::limits::LimitValue;

    const S: Ms = 1000;

    fn limited(seconds: Ms) -> Effective {
        let limit = LimitValue { value: seconds * S, from: Scope::Group("a".into()) };
        Effective { max_lifetime_ms: Some(limit), ..Effective::default() }
    }

    fn of(lifetime: f64, extended_to: Option<Ms>, limits: &Effective) -> (Cluster, Option<Deadline>) {
        let mut cluster = cluster();
        cluster.config.lifetime = lifetime;
        cluster.extended_until = extended_to.map(|s| cluster.created_at + s * S);
        let deadline = deadline(&cluster, limits, &Policy::default());
        (cluster, deadline)
    }

    #[test]
    fn a_cluster_lives_as_long_as_it_says_or_was_extended_and_never_longer_than_its_limit() {
        let after = |lifetime, extended_to, limits| {
            let (cluster, deadline) = of(lifetime, extended_to, &limits);
            deadline.map(|d| (d.at - cluster.created_at) / S)
        };
        let none = Effective::default;
        assert_eq!(after(0.0, None, none()), None);
        assert_eq!(after(60.0, None, none()), Some(60));
        assert_eq!(after(60.0, Some(90), none()), Some(90));
        assert_eq!(after(60.0, Some(90), limited(75)), Some(75));
        assert_eq!(after(60.0, None, limited(75)), Some(60));
        assert_eq!(after(0.0, None, limited(75)), Some(75));
        let policy = Policy { max_lifetime_ms: Some(70 * S), ..Policy::default() };
        assert_eq!(
            deadline(&cluster(), &limited(75), &policy).unwrap().by,
            Bound::Limit(Longest { ms: 70 * S, from: None })
        );
    }

    #[test]
    fn its_end_says_whose_word_it_was() {
        let end = |lifetime, extended_to, limits| {
            let (cluster, deadline) = of(lifetime, extended_to, &limits);
            let deadline = deadline.unwrap();
            assert_eq!(too_old(&cluster, &deadline, deadline.at - 1), None);
            too_old(&cluster, &deadline, deadline.at).unwrap().message
        };
        insta::assert_snapshot!(end(60.0, None, Effective::default()), @"its lifetime of 60 s is over");
        insta::assert_snapshot!(end(60.0, Some(90), Effective::default()), @"its lifetime, extended to 90 s, is over");
        insta::assert_snapshot!(end(60.0, Some(90), limited(75)), @"its longest lifetime of 75 s (`max_lifetime` of group:a) is over");
    }

    #[test]
    fn its_users_are_warned_before() {
        let policy = Policy::default();
        let warned = |lifetime, limits: Effective| {
            let (cluster, deadline) = of(lifetime, None, &limits);
            let deadline = deadline.unwrap();
            let early = deadline.at - policy.lifetime_warning_ms;
            assert_eq!(warning(&cluster, &deadline, &limits, early - 1, &policy), None);
            let name = cluster.name.to_string();
            warning(&cluster, &deadline, &limits, early, &policy).unwrap().message.replace(&name, "<name>")
        };
        insta::assert_snapshot!(warned(3600.0, Effective::default()), @"this cluster ends at 2026-11-21 16:00:00 UTC, when its lifetime of 3600 s is over; `POST /api/v1/clusters/<name>/extend` gives it more time");
        insta::assert_snapshot!(warned(3600.0, limited(7200)), @"this cluster ends at 2026-11-21 16:00:00 UTC, when its lifetime of 3600 s is over; `POST /api/v1/clusters/<name>/extend` gives it more time, at most until 2026-11-21 17:00:00 UTC, when its longest lifetime of 7200 s (`max_lifetime` of group:a) is over");
        insta::assert_snapshot!(warned(0.0, limited(7200)), @"this cluster ends at 2026-11-21 17:00:00 UTC, when its longest lifetime of 7200 s (`max_lifetime` of group:a) is over; that limit allows no extension");
    }
}
