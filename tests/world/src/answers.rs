//! What schedulers answer when they are asked.

use super::fleet::ports;
use super::scheduler::Schedule;
use super::setup::S;
use super::state::{Event, State, short};
use faregate_core::ports::{Answer, Ask, Idleness, Question, SchedulerError};

impl State {
    /// What one question to a scheduler comes to. Longer than a function should be: one arm for each question.
    pub fn answer(&mut self, ask: &Ask) -> Result<Answer, SchedulerError> {
        if self.fault(40) {
            return Err(SchedulerError::Relay("our own way to it failed".into()));
        }
        let shared = self.setup.shared_address;
        let listens = |i: &usize| {
            let facts = &self.fleet.tasks[*i].facts;
            facts.address == Some(ask.address.ip()) && ports(*i, shared)[1..].contains(&ask.address.port())
        };
        let found = self.dask.keys().copied().find(|i| self.fleet.tasks[*i].runs() && listens(i));
        let cut_off = self.is_within(self.setup.cut_off);
        let Some(index) = found.filter(|i| self.is_healthy(*i) && !self.is_occupied(*i) && !cut_off) else {
            return Err(SchedulerError::Unanswered("connection refused or timed out".into()));
        };
        if self.fleet.tasks[index].cluster != ask.cluster {
            self.breach("a question went to another's scheduler", short(&ask.cluster).into());
        }
        if self.fault(60) {
            return Err(if self.dice.percent(50) {
                SchedulerError::Nonsense("HTTP 500".into())
            } else {
                SchedulerError::Unanswered("too busy".into())
            });
        }
        let now = self.now;
        let Some(dask) = self.dask.get_mut(&index) else { return Ok(Answer::Ok) };
        match &ask.question {
            Question::Health => {}
            Question::Warn { message } => {
                dask.warned.push(message.clone());
                return Ok(Answer::Ok);
            }
            Question::Workers { names } => {
                let tasks = &self.fleet.tasks;
                let all = names.iter().filter(|name| {
                    let is_named = |worker: &usize| tasks[*worker].facts.id.worker_name() == **name;
                    dask.seen().any(is_named)
                });
                return Ok(Answer::Workers(all.cloned().collect()));
            }
            Question::Retire { .. } if dask.stubborn => return Ok(Answer::Ok),
            Question::Retire { keep } => {
                let staying = dask.connected.len() - dask.leaving.len();
                let excess = staying.saturating_sub(*keep as usize);
                let newest = dask.connected.iter().rev().filter(|worker| !dask.leaving.contains(worker));
                let told: Vec<usize> = newest.take(excess).copied().collect();
                dask.leaving.extend(&told);
                let longest = if self.faulty() { self.setup.retire_ms } else { 5 * S };
                for worker in told {
                    let time = self.dice.between(S, longest);
                    self.after(time, Event::Dask(index, Schedule::Left(worker)));
                }
                return Ok(Answer::Ok);
            }
            Question::Idle => {
                let idle_ms = dask.busy_since.is_none().then_some(now - dask.idle_since);
                let clientless_ms = dask.clientless_since.map(|since| now - since);
                let clients = u32::from(clientless_ms.is_none());
                let workers = dask.connected.len() as u32;
                let unclaimed = dask.claimed_at.is_none();
                return Ok(Answer::Idle(Idleness { idle_ms, clients, clientless_ms, workers, unclaimed }));
            }
            Question::Scale { count } => {
                dask.adapts = None;
                dask.count = *count;
                self.after(0, Event::Dask(index, Schedule::Interrupt));
            }
            Question::Adapt { minimum, maximum, active } => {
                dask.adapts = active.then_some((minimum.unwrap_or(0), maximum.unwrap_or(u32::MAX)));
                self.after(0, Event::Dask(index, Schedule::Adapt));
            }
        }
        let touched = self.now;
        self.ground_truth(&ask.cluster).touched_at = touched;
        Ok(Answer::Ok)
    }
}
