//! Every port call of every shell passes here: it takes time, fails, is cut off before or after its effect, or lands when its
//! caller is long gone.

use super::World;
use super::executor::lock;
use super::setup::S;
use super::state::{Event, State};
use faregate_core::model::Ms;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The call failed; whether it had its effect is unknown to the caller.
pub struct Unknown;

enum Fate {
    Plain,
    /// Fails, with the effect or without it.
    Fails(bool),
    /// The caller dies after the effect.
    Dies,
}

enum Cast {
    Survives(Fate),
    /// The caller dies before the effect.
    Dies,
    /// The caller dies; the effect comes later.
    LandsLate(Ms),
}

enum Begun<R, E> {
    Done(R),
    Dead,
    UnderWay(Ms, Ms, Fate, E),
}

impl State {
    fn fate(&mut self, of: &str) -> (Ms, Ms, Cast) {
        let mut latency = self.dice.between(3, if self.faulty() { 60 } else { 15 });
        if !self.faulty() {
            return (latency, 0, Cast::Survives(Fate::Plain));
        }
        let (faults, life) = (self.setup.faults, self.setup.policy.max_call_ms);
        let mut answer = if self.dice.percent(25) { self.dice.below(300) } else { 0 };
        if self.fault(faults.slow) {
            let slow = self.dice.below(life);
            if self.dice.percent(50) { latency += slow } else { answer += slow }
        }
        let fate = if of == "wakes.wake" && self.fault(faults.mute) {
            Cast::Dies
        } else if self.fault(faults.crash) {
            if self.dice.percent(50) { Cast::Dies } else { Cast::Survives(Fate::Dies) }
        } else if self.fault(faults.lands_late) {
            Cast::LandsLate(self.dice.below(life))
        } else if self.fault(faults.fails) {
            Cast::Survives(Fate::Fails(self.dice.percent(50)))
        } else {
            Cast::Survives(Fate::Plain)
        };
        (latency, answer, fate)
    }

    fn die(&mut self, of: &str) {
        self.say(|| format!("  a shell is cut off at {of}"));
        self.crashed = true;
        self.stats.crashes += 1;
    }
}

impl World {
    /// A call with its effect on the world.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut State) -> R + Send + 'static,
    ) -> Result<R, Unknown> {
        let (latency, answer, fate, effect) = match self.begin(name, effect) {
            Begun::Done(result) => return Ok(result),
            Begun::Dead => return std::future::pending().await,
            Begun::UnderWay(latency, answer, fate, effect) => (latency, answer, fate, effect),
        };
        self.pause(latency).await;
        if matches!(fate, Fate::Fails(false)) {
            return Err(Unknown);
        }
        let result = effect(&mut lock(&self.state));
        match fate {
            Fate::Dies => {
                lock(&self.state).die(name);
                return std::future::pending().await;
            }
            Fate::Fails(_) => return Err(Unknown),
            Fate::Plain => {}
        }
        if answer > 0 {
            self.pause(answer.min(60 * S)).await;
        }
        Ok(result)
    }

    /// The caller's fate is cast before the call is under way.
    fn begin<R: Send + 'static, E: FnOnce(&mut State) -> R + Send + 'static>(
        &self,
        name: &'static str,
        effect: E,
    ) -> Begun<R, E> {
        let mut state = lock(&self.state);
        if state.still {
            return Begun::Done(effect(&mut state));
        }
        let (latency, answer, fate) = match state.fate(name) {
            (latency, answer, Cast::Survives(fate)) => (latency, answer, fate),
            (_, _, Cast::Dies) => {
                state.die(name);
                return Begun::Dead;
            }
            (_, _, Cast::LandsLate(delay)) => {
                state.die(name);
                state.stats.landed_late += 1;
                let late = move |state: &mut State| {
                    state.say(|| format!("  {name} lands late"));
                    effect(state);
                };
                state.after(delay, Event::Land(Box::new(late)));
                return Begun::Dead;
            }
        };
        Begun::UnderWay(latency, answer, fate, effect)
    }

    /// Virtual time passes.
    pub(super) fn pause(&self, duration: Ms) -> Pause<'_> {
        Pause { world: self, until: None, duration }
    }
}

/// See [`World::pause`].
pub(super) struct Pause<'a> {
    world: &'a World,
    until: Option<Ms>,
    duration: Ms,
}

impl Future for Pause<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.world.state);
        match self.until {
            Some(until) if state.now >= until => return Poll::Ready(()),
            Some(_) => {}
            None => {
                let until = state.now + self.duration;
                state.after(self.duration, Event::Wake(context.waker().clone()));
                drop(state);
                self.until = Some(until);
            }
        }
        Poll::Pending
    }
}
