//! Client tokens: the same call again answers the same tasks. Pure.

use crate::settings::Knobs;
use crate::wire::ApiError;
use serde_json::Value;
use std::collections::BTreeMap;

/// The tokens of accepted calls.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<String, Bound>);

#[derive(Debug)]
struct Bound {
    parameters: Value,
    tasks: Vec<String>,
    since: f64,
}

impl Tokens {
    /// Binds a token to the tasks of a call that was accepted.
    pub fn bind(&mut self, token: &str, body: &Value, tasks: Vec<String>, now: f64) {
        self.0.insert(token.to_owned(), Bound { parameters: parameters(body), tasks, since: now });
    }

    /// The tasks of an earlier call with this token and these parameters, by id; none if the token is free.
    /// `stopped_at` says when a task stopped, `arn` its name in a conflict.
    pub fn find(
        &mut self,
        token: &str,
        body: &Value,
        (now, knobs): (f64, &Knobs),
        stopped_at: impl Fn(&str) -> Option<f64>,
        arn: impl Fn(&str) -> String,
    ) -> Result<Option<Vec<String>>, ApiError> {
        let Some(bound) = self.0.get(token) else { return Ok(None) };
        let stopped: Option<Vec<f64>> = bound.tasks.iter().map(|task| stopped_at(task)).collect();
        let last_stop = stopped.and_then(|times| times.into_iter().reduce(f64::max));
        let after = |since: f64, ms: u64| since + ms as f64 / 1000.0;
        let until = after(bound.since, knobs.token_ms)
            .min(last_stop.map_or(f64::INFINITY, |stop| after(stop, knobs.token_after_stop_ms)));
        if now >= until {
            self.0.remove(token);
            return Ok(None);
        }
        if bound.parameters != parameters(body) {
            return Err(ApiError::conflict(bound.tasks.iter().map(|task| arn(task)).collect()));
        }
        Ok(Some(bound.tasks.clone()))
    }
}

fn parameters(body: &Value) -> Value {
    let mut parameters = body.clone();
    if let Some(members) = parameters.as_object_mut() {
        members.remove("clientToken");
        members.retain(|_, value| !value.is_null());
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(tokens: &mut Tokens, body: Value, now: f64, stopped: Option<f64>) -> Result<Option<Vec<String>>, ApiError> {
        tokens.find("t", &body, (now, &Knobs::default()), |_| stopped, |id| format!("arn/{id}"))
    }

    fn bound() -> Tokens {
        let mut tokens = Tokens::default();
        tokens.bind("t", &json!({"clientToken": "t", "count": 2}), vec!["a".into(), "b".into()], 0.0);
        tokens
    }

    #[test]
    fn the_same_call_again_answers_the_same_tasks() {
        let again = find(&mut bound(), json!({"count": 2}), 1.0, None).unwrap();
        assert_eq!(again, Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn another_call_with_the_token_is_a_conflict_that_names_the_tasks() {
        let error = find(&mut bound(), json!({"count": 3}), 1.0, None).unwrap_err();
        assert_eq!(
            (error.kind.as_str(), error.resource_ids),
            ("ConflictException", vec!["arn/a".into(), "arn/b".into()])
        );
    }

    #[test]
    fn a_token_is_forgotten_after_a_day_or_an_hour_after_its_last_task() {
        assert_eq!(find(&mut bound(), json!({"count": 3}), 86_400.0, None), Ok(None));
        assert!(find(&mut bound(), json!({"count": 2}), 86_399.0, None).unwrap().is_some());
        assert!(find(&mut bound(), json!({"count": 2}), 3_699.0, Some(100.0)).unwrap().is_some());
        assert_eq!(find(&mut bound(), json!({"count": 2}), 3_700.0, Some(100.0)), Ok(None));
    }
}
