//! The questions of an enforcement run: a hundred schedulers a call, several calls at once, the most overdue first, until its time is over.

use super::{Checked, EnforcementReport, all, memory::Turn, warnings};
use crate::{Enforcer, ServiceError};
use faregate_core::model::{Cluster, Ms, Reason, Status};
use faregate_core::ports::{Answer, Ask, Idleness, Question, SchedulerError};
use faregate_core::reconcile::enforce::{Silence, Silent, check_silence};
use faregate_keys::Use;
use futures::future::join;
use std::sync::PoisonError;

/// Schedulers asked in one call.
const IN_A_CALL: usize = 100;
/// Calls under way at once: to those who answered last time …
const CALLS: usize = 6;
/// … and to those who did not.
const HANGING_CALLS: usize = 2;

/// Why a scheduler is asked.
enum Purpose {
    Health { silent_ms: Ms },
    Idle { delay_from: Ms },
    Retire,
    Warn(Reason),
}

/// One question that is due.
struct Due<'a> {
    checked: &'a Checked,
    purpose: Purpose,
    /// Since when it waits; among those that wait alike, since when its answer can matter.
    at: (Ms, Ms),
    /// Whoever did not answer last time is asked in calls of their own: nobody else then waits for them.
    hangs: bool,
    ask: Ask,
}

impl Enforcer {
    pub(super) async fn ask_schedulers(
        &self,
        checked: &[Checked],
        silence: Silence,
        started: Ms,
    ) -> Result<EnforcementReport, ServiceError> {
        let began = self.context.host.uptime();
        let mut due = Vec::new();
        for checked in checked.iter().filter(|c| c.stays() && c.cluster.status == Status::Running) {
            self.questions(checked, started, &mut due);
        }
        self.memory().keep(checked);
        let mut report =
            EnforcementReport { mass_silence: self.is_our_silence(&due, silence), ..EnforcementReport::default() };
        due.sort_by_key(|d| d.at);
        let (hanging, answering): (Vec<_>, Vec<_>) = due.into_iter().partition(|d| d.hangs);
        let calls = |due| chunks(due).into_iter().map(|call| self.call(call, silence, began)).collect();
        // side by side: however many hang, the others are asked
        let (hanging, answering) = join(all(calls(hanging), HANGING_CALLS), all(calls(answering), CALLS)).await;
        report.add(hanging?);
        report.add(answering?);
        Ok(report)
    }

    /// What to ask one scheduler now.
    fn questions<'a>(&self, checked: &'a Checked, now: Ms, due: &mut Vec<Due<'a>>) {
        let Checked { cluster, verdict, shrink, .. } = checked;
        let mut add = |purpose: Purpose, question: Question, at: (Ms, Ms), hangs: bool| {
            if let Some(ask) = self.question(cluster, question) {
                due.push(Due { checked, purpose, at, hangs, ask });
            }
        };
        let silent = verdict.silent_ms.is_some();
        let pause = self.context.policy().heartbeat_period_ms;
        if let Some(silent_ms) = verdict.silent_ms.filter(|_| !self.memory().was_asked(&cluster.name, now, pause)) {
            let at = now - silent_ms + self.context.policy().heartbeat_timeout_ms;
            add(Purpose::Health { silent_ms }, Question::Health, (at, at), true);
        }
        if let Some(shrink) = shrink.as_ref().filter(|s| !s.end) {
            add(Purpose::Retire, Question::Retire { keep: shrink.keep }, (shrink.since, shrink.since), silent);
        }
        for warning in warnings::untold(checked, self.context.policy()) {
            let message = warning.message.clone();
            add(Purpose::Warn(warning), Question::Warn { message }, (now, now), silent);
        }
        if let Some(Turn { due, delay_from, hangs }) =
            self.memory().turn(checked, now, pause).filter(|turn| turn.due <= now)
        {
            add(Purpose::Idle { delay_from }, Question::Idle, (delay_from, due), hangs || silent);
        }
    }

    fn is_our_silence(&self, due: &[Due<'_>], silence: Silence) -> bool {
        let is_ours = |d: &Due<'_>| match d.purpose {
            Purpose::Health { silent_ms } => silence.is_ours(silent_ms, self.context.policy()),
            _ => false,
        };
        let ours = silence.silent > 0 && due.iter().any(is_ours);
        if ours {
            let Silence { active, silent } = silence;
            tracing::error!(active, silent, "many clusters silent at once: none is failed for it");
        }
        ours
    }

    /// One call, and what follows from its answers; nothing once the run's time is over.
    async fn call(&self, call: Vec<Due<'_>>, silence: Silence, began: Ms) -> Result<EnforcementReport, ServiceError> {
        let asked_at = self.context.now();
        let mut report = EnforcementReport::default();
        for due in &call {
            if let Purpose::Idle { delay_from } = due.purpose {
                report.idle_delay_ms = report.idle_delay_ms.max(asked_at - delay_from);
            }
        }
        if self.context.host.uptime() - began > self.context.policy().enforcement_ms {
            report.unasked += call.len();
            return Ok(report);
        }
        report.asked += call.len();
        let answers = self.schedulers.ask(call.iter().map(|d| d.ask.clone()).collect()).await;
        for (due, answer) in call.into_iter().zip(answers) {
            report.add(self.take_answer(due, answer, asked_at, silence).await?);
        }
        Ok(report)
    }

    async fn take_answer(
        &self,
        due: Due<'_>,
        answer: Result<Answer, SchedulerError>,
        asked_at: Ms,
        silence: Silence,
    ) -> Result<EnforcementReport, ServiceError> {
        let cluster = &due.checked.cluster;
        let mut report = EnforcementReport::default();
        if matches!(due.purpose, Purpose::Health { .. }) {
            self.memory().note_asked(&cluster.name, asked_at);
        }
        let end = match due.purpose {
            Purpose::Health { silent_ms } => {
                match check_silence(cluster, silent_ms, &answer, silence, self.context.policy()) {
                    Silent::Nothing => None,
                    Silent::Count(unanswered) => {
                        self.doubt(&cluster.name, unanswered).await?;
                        None
                    }
                    Silent::End(reason) => Some((Status::Failed, reason)),
                }
            }
            Purpose::Idle { .. } => {
                self.memory().note(&cluster.name, asked_at, &answer);
                if due.checked.verdict.timeouts.unclaimed.is_some()
                    && matches!(answer, Ok(Answer::Idle(Idleness { unclaimed: false, .. })))
                {
                    // for good: nobody asks for that again
                    let claimed = self.change_record(&cluster.name, false, |cluster| {
                        (cluster.claimed, cluster.asked_at) = (true, None);
                    });
                    claimed.await?;
                }
                due.checked.verdict.timeouts.check(cluster, &answer, self.context.policy())
            }
            // asked again by the next run, while it is over the limit
            Purpose::Retire => None,
            Purpose::Warn(warning) => {
                // one that knows no warnings (its dashboard is off, or it is older than they are): then the record has to do
                if matches!(answer, Ok(_) | Err(SchedulerError::Nonsense(_))) {
                    let told =
                        self.change_record(&cluster.name, false, |cluster| warnings::told(cluster, &warning)).await?;
                    report.warned += usize::from(told);
                }
                None
            }
        };
        if let Some((target, reason)) = end {
            report.ended += usize::from(self.end(due.checked, target, reason).await?);
        }
        Ok(report)
    }

    fn question(&self, cluster: &Cluster, question: Question) -> Option<Ask> {
        let addresses = cluster.addresses?;
        let address = if question.is_for_dashboard() { addresses.dashboard? } else { addresses.api };
        // a key that left the ring cannot be used: the question then goes unauthenticated, and its answer is nonsense
        let token = self.context.ring().token(&cluster.key_id, Use::Cluster, &cluster.name).unwrap_or_default();
        Some(Ask { cluster: cluster.name.clone(), address, token, question })
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, super::Memory> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chunks(due: Vec<Due<'_>>) -> Vec<Vec<Due<'_>>> {
    let mut due = due.into_iter();
    let next = || Some(due.by_ref().take(IN_A_CALL).collect()).filter(|chunk: &Vec<_>| !chunk.is_empty());
    std::iter::from_fn(next).collect()
}
