//! The requests: each visitor asks for one thing after the other.

use super::answers::{Asked, Got, read};
use super::board::Board;
use super::{AT_ONCE, Host, People, REQUESTS};
use crate::api::{Answer, Call};
use faregate_world::Dice;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So long after the beginning nobody waits for anything any more.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often each was answered.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(BTreeMap<Got, usize>);

impl Outcomes {
    /// Everything that can be answered, save a lack of luck, was.
    pub fn assert_that_it_was_a_storm(&self) {
        assert_eq!(self.0.values().sum::<usize>(), REQUESTS);
        for got in [Got::Created, Got::Refused, Got::Scaled, Got::Clamped, Got::Deleted] {
            assert!(self.0.contains_key(&got), "none was {got:?}: {self:?}");
        }
    }
}

/// Makes all of them.
pub async fn all(host: &Host, people: &People, seed: u64) -> Outcomes {
    let names: Vec<&String> = people.users.keys().collect();
    let board = Arc::new(Board::new(host));
    let deadline = Instant::now() + PATIENCE;
    let visits = (0..AT_ONCE).map(|n| {
        let visitor = Visitor {
            host: host.clone(),
            board: board.clone(),
            deadline,
            people: people.clone(),
            user: names[n % names.len()].clone(),
            dice: Dice::new(seed ^ (n as u64) << 32),
        };
        tokio::spawn(visitor.visit())
    });
    let mut outcomes = Outcomes::default();
    for visit in visits.collect::<Vec<_>>() {
        for got in visit.await.unwrap() {
            *outcomes.0.entry(got).or_default() += 1;
        }
    }
    outcomes
}

struct Visitor {
    host: Host,
    board: Arc<Board>,
    /// Waits no longer than this.
    deadline: Instant,
    people: People,
    user: String,
    dice: Dice,
}

impl Visitor {
    /// Each asks equally often: else those who are refused at once would ask for nearly everything.
    async fn visit(mut self) -> Vec<Got> {
        let mut got = Vec::new();
        for _ in 0..REQUESTS / AT_ONCE {
            let answered = self.ask().await;
            got.push(answered);
            if matches!(answered, Got::Created | Got::Scaled | Got::Clamped) {
                // who got what they wanted does something else for a while
                let most = self.host.pace.as_millis() as i64;
                tokio::time::sleep(Duration::from_millis(self.dice.below(most) as u64)).await;
            }
        }
        got
    }

    /// One of the thousand.
    async fn ask(&mut self) -> Got {
        let (asked, answer) = match self.dice.below(100) {
            0..35 => self.create().await,
            35..85 => match self.a_cluster(true).await {
                Some(name) => self.scale(&name).await,
                None => self.create().await,
            },
            _ => match self.a_cluster(false).await {
                Some(name) => (Asked::Delete, self.call("DELETE", &name).send().await),
                None => self.create().await,
            },
        };
        read(&self.people, &self.user, asked, &answer)
    }

    async fn create(&mut self) -> (Asked, Answer) {
        let size = self.dice.pick(&["small", "small", "large"]);
        (Asked::Create, self.call("POST", "").json(&json!({"cluster_options": {"size": size}})).send().await)
    }

    async fn scale(&mut self, name: &str) -> (Asked, Answer) {
        let count = self.dice.pick(&[0, 1, 2, 2, 3, 3, 10]);
        (Asked::Scale, self.call("POST", &format!("{name}/scale")).json(&json!({"count": count})).send().await)
    }

    /// One of the user's clusters; if it is to run, one that does, or else any once nobody waits any more. None when they have none.
    async fn a_cluster(&mut self, to_run: bool) -> Option<String> {
        let soon = Instant::now() + self.host.pace;
        loop {
            let (all, running) = self.board.of(&self.user);
            let late = Instant::now() > if all.is_empty() { soon.min(self.deadline) } else { self.deadline };
            let names = if to_run && !late { running } else { all };
            if !names.is_empty() {
                return Some(names[self.dice.below(names.len() as i64) as usize].clone());
            }
            if late || !to_run {
                return None;
            }
            tokio::time::sleep(self.host.pace / 10).await;
        }
    }

    fn call(&mut self, method: &str, rest: &str) -> Call {
        let path = format!("/api/v1/clusters/{rest}");
        Call::new(self.host.router.clone(), method, &path).basic(&self.user)
    }
}
