//! The way to the schedulers: answers, nonsense, errors of our own.

use super::stage::{Stage, State, now};
use async_trait::async_trait;
use faregate_core::ports::{Answer, Ask, Idleness, Question, SchedulerError, Schedulers};
use std::collections::BTreeSet;

/// In place of the relay.
pub struct Asked(pub Stage);

#[async_trait]
impl Schedulers for Asked {
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Answer, SchedulerError>> {
        let mut state = self.0.lock();
        asks.iter().map(|ask| state.answer(ask)).collect()
    }
}

impl State {
    fn answer(&mut self, ask: &Ask) -> Result<Answer, SchedulerError> {
        if self.faulty && self.dice.percent(8) {
            return Err(match self.dice.percent(50) {
                true => SchedulerError::Relay("our own way to it failed".into()),
                false => SchedulerError::Nonsense("HTTP 500".into()),
            });
        }
        let idle_timeout_ms = (self.setup.base.idle_timeout * 1000.0) as i64;
        let port = if ask.question.is_for_dashboard() { 8787 } else { 8788 };
        let listens = |ip| ask.address.ip() == ip && ask.address.port() == port;
        let found = self.dask.values_mut().find(|dask| listens(dask.address) && !dask.hung);
        let Some(dask) = found.filter(|dask| dask.cluster == ask.cluster) else {
            return Err(SchedulerError::Unanswered("connection refused".into()));
        };
        match &ask.question {
            Question::Health | Question::Warn { .. } => {}
            Question::Workers { names } => {
                let seen: BTreeSet<String> =
                    dask.connected.iter().chain(&dask.closed).map(|id| id.worker_name()).collect();
                return Ok(Answer::Workers(names.intersection(&seen).cloned().collect()));
            }
            Question::Retire { keep } => dask.count = dask.count.min(*keep),
            Question::Scale { count } => dask.count = *count,
            Question::Adapt { minimum, maximum, .. } => {
                dask.count = dask.count.clamp(minimum.unwrap_or(0), maximum.unwrap_or(u32::MAX));
            }
            Question::Idle => {
                let idle_ms = dask.idle_since.map(|since| now() - since);
                let workers = dask.connected.len() as u32;
                if idle_ms.is_some_and(|ms| ms >= idle_timeout_ms) {
                    self.ground_truth(&ask.cluster).told_idle = true;
                }
                return Ok(Answer::Idle(Idleness { idle_ms, clients: 1, workers, ..Idleness::default() }));
            }
        }
        Ok(Answer::Ok)
    }
}
