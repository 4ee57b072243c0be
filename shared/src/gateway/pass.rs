//! The pass: time itself as an event, over what is active. May run twice at once, be cut off, or be missed.

use super::{Gateway, Refusal};
use crate::model::{Cluster, ClusterName, Effective, Ms, Reason, Record, Status, Use, effective};
use crate::ports::{Ask, Expect, Question, TransactError, Write};
use crate::reconcile::{Silence, Silent, Verdict, heard, judge, judge_idle, judge_silence};
use std::sync::PoisonError;

/// Clusters read, and schedulers asked, at once.
const PAGE: usize = 100;
/// An idle question is asked this many times within the timeout …
const IDLE_QUESTIONS: Ms = 5;
/// … but not more often than this, nor more seldom than that.
const IDLE_PERIOD_MS: (Ms, Ms) = (1_000, 30_000);

/// What a pass found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassReport {
    /// Clusters in the index.
    pub active: usize,
    /// Wakes sent.
    pub woken: usize,
    /// Clusters turned towards their end.
    pub ended: usize,
    /// Clusters whose heartbeat is overdue.
    pub silent: usize,
    /// So many are silent at once that the fault is rather ours.
    pub mass_silence: bool,
    /// Records forgotten.
    pub forgotten: usize,
}

struct Judged {
    cluster: Cluster,
    verdict: Verdict,
}

impl Gateway {
    /// One pass. `since` is when our own service was back, so that our own absence is nobody's silence.
    pub async fn pass(&self, since: Ms) -> Result<PassReport, Refusal> {
        let now = self.now();
        let items = self.limit_items(0).await?;
        let mut report = PassReport::default();
        let mut judged = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.ports().store.active(cursor.as_deref(), PAGE).await?;
            let names: Vec<ClusterName> = page.items.iter().map(|row| row.cluster.name.clone()).collect();
            let heartbeats = self.ports().store.heartbeats(&names).await?;
            for (row, heartbeat) in page.items.into_iter().zip(heartbeats) {
                let cluster = row.cluster;
                let limits: Effective = effective(&cluster.user, &cluster.groups, &items.in_force);
                let heartbeat = heartbeat.map(|h| h.value);
                let verdict = judge(&cluster, heartbeat.as_ref(), &limits, since, now, self.policy());
                judged.push(Judged { cluster, verdict });
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        report.active = judged.len();
        let silence = Silence {
            active: judged.iter().filter(|j| j.cluster.status == Status::Running).count(),
            silent: judged.iter().filter(|j| j.verdict.silent_ms.is_some()).count(),
        };
        report.silent = silence.silent;
        for page in judged.chunks(PAGE) {
            self.carry_out(page, &mut report).await?;
            self.ask_the_silent(page, silence, &mut report).await?;
            self.ask_the_idle(page, &mut report).await?;
        }
        self.forget_asked(&judged);
        report.forgotten = self.ports().store.forget_expired(now).await?;
        Ok(report)
    }

    async fn carry_out(&self, page: &[Judged], report: &mut PassReport) -> Result<(), Refusal> {
        for Judged { cluster, verdict } in page {
            if let Some((target, reason)) = &verdict.end {
                self.end(&cluster.name, None, *target, reason.clone()).await?;
                report.ended += 1;
            } else if verdict.wake {
                self.wake(&cluster.name, 0).await;
                report.woken += 1;
            }
            if heard(cluster, verdict) {
                self.doubt(&cluster.name, 0).await?;
            }
        }
        Ok(())
    }

    async fn ask_the_silent(&self, page: &[Judged], silence: Silence, report: &mut PassReport) -> Result<(), Refusal> {
        let silent: Vec<(&Judged, Ms)> = page
            .iter()
            .filter_map(|j| Some((j, j.verdict.silent_ms?)))
            .filter(|(j, _)| j.cluster.addresses.is_some())
            .collect();
        if silence.silent > 0 && silent.iter().any(|(_, ms)| silence.is_ours(*ms, self.policy())) {
            report.mass_silence = true;
            tracing::error!(
                active = silence.active,
                silent = silence.silent,
                "many clusters are silent at once: none is failed for it"
            );
        }
        let asks = silent.iter().filter_map(|(j, _)| self.question(&j.cluster, Question::Health)).collect();
        let answers = self.ports().schedulers.ask(asks).await;
        for ((Judged { cluster, .. }, silent_ms), answer) in silent.into_iter().zip(answers) {
            match judge_silence(cluster, silent_ms, &answer, silence, self.policy()) {
                Silent::Nothing => {}
                Silent::Count(unanswered) => self.doubt(&cluster.name, unanswered).await?,
                Silent::End(reason) => {
                    self.end(&cluster.name, None, Status::Failed, reason).await?;
                    report.ended += 1;
                }
            }
        }
        Ok(())
    }

    /// Notes how many health questions are unanswered; above none, has the reconciler ask the launcher too.
    async fn doubt(&self, name: &ClusterName, unanswered: u32) -> Result<(), Refusal> {
        let Some(stored) = self.ports().store.cluster(name).await? else { return Ok(()) };
        let mut cluster = stored.value;
        if !cluster.wants_to_run() || cluster.unanswered == unanswered {
            return Ok(());
        }
        cluster.unanswered = unanswered;
        cluster.suspect = unanswered > 0;
        cluster.due_at = Some(self.now());
        let write = Write::Put { record: Record::Cluster(Box::new(cluster)), expect: Expect::Version(stored.version) };
        match self.ports().store.transact(vec![write]).await {
            Ok(()) => self.wake(name, 0).await,
            // the next pass asks again
            Err(TransactError::Conflicts(_) | TransactError::Contention) => {}
            Err(TransactError::Failed(error)) => return Err(error.into()),
        }
        Ok(())
    }

    async fn ask_the_idle(&self, page: &[Judged], report: &mut PassReport) -> Result<(), Refusal> {
        let now = self.now();
        let idle: Vec<(&Cluster, Ms)> = page
            .iter()
            .filter(|j| j.verdict.end.is_none())
            .filter_map(|j| Some((&j.cluster, j.verdict.idle_timeout_ms?)))
            .filter(|(c, timeout)| {
                c.addresses.is_some_and(|a| a.dashboard.is_some()) && self.is_time_to_ask(&c.name, *timeout, now)
            })
            .collect();
        let asks = idle.iter().filter_map(|(cluster, _)| self.question(cluster, Question::Idle)).collect();
        let answers = self.ports().schedulers.ask(asks).await;
        for ((cluster, timeout), answer) in idle.into_iter().zip(answers) {
            let reason: Option<Reason> = judge_idle(timeout, &answer, self.policy());
            if let Some(reason) = reason {
                self.end(&cluster.name, None, Status::Stopped, reason).await?;
                report.ended += 1;
            }
        }
        Ok(())
    }

    fn question(&self, cluster: &Cluster, question: Question) -> Option<Ask> {
        let addresses = cluster.addresses?;
        let address = if question.is_for_dashboard() { addresses.dashboard? } else { addresses.api };
        // a key that left the ring cannot be used: the question then goes unauthenticated, and its answer is nonsense
        let token = self.ring().token(&cluster.key_id, Use::Cluster, &cluster.name).unwrap_or_default();
        Some(Ask { cluster: cluster.name.clone(), address, token, question })
    }

    fn is_time_to_ask(&self, name: &ClusterName, timeout: Ms, now: Ms) -> bool {
        let period = (timeout / IDLE_QUESTIONS).clamp(IDLE_PERIOD_MS.0, IDLE_PERIOD_MS.1);
        let mut asked = self.asked_idle.lock().unwrap_or_else(PoisonError::into_inner);
        let due = asked.get(name).is_none_or(|at| now - at >= period);
        if due {
            asked.insert(name.clone(), now);
        }
        due
    }

    fn forget_asked(&self, judged: &[Judged]) {
        let mut asked = self.asked_idle.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() > judged.len() {
            let active: std::collections::HashSet<_> = judged.iter().map(|j| &j.cluster.name).collect();
            asked.retain(|name, _| active.contains(name));
        }
    }
}
