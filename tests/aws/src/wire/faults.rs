//! What happens to calls: decided by a seed, so that a run can be told again.

use super::Call;
use serde_json::json;
use std::time::Duration;

/// How often what happens, in percent of the calls it can happen to.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The dice.
    pub seed: u64,
    /// A write of DynamoDB meets a transaction at the same item.
    pub conflicts: u64,
    /// A call is carried out, and its reply lost.
    pub lost_replies: u64,
    /// A call is carried out after its caller has given up.
    pub late_calls: u64,
    /// How late.
    pub late_ms: u64,
    /// A read of an index shows what the same read showed before.
    pub stale_reads: u64,
    /// A message that SQS has taken is never delivered.
    pub lost_messages: u64,
    /// A message is delivered twice.
    pub doubled_messages: u64,
    /// A message is delivered up to [`Faults::late_ms`] after those that were sent later.
    pub late_messages: u64,
}

pub(super) enum Fate {
    Passed,
    Stale,
    Refused(String),
    Unheard,
    Late(Duration),
    /// Answered as if it had been carried out, which it is so often, after a while.
    Taken(u32, Duration),
}

impl Faults {
    pub(super) fn decide(&mut self, call: &Call) -> Fate {
        if call.is_eventually_consistent() && self.happens(self.stale_reads) {
            return Fate::Stale;
        }
        if call.action == "sqs:SendMessage" {
            let late = if self.happens(self.late_messages) { self.roll() % self.late_ms.max(1) } else { 0 };
            let times =
                if self.happens(self.lost_messages) { 0 } else { 1 + u32::from(self.happens(self.doubled_messages)) };
            if (late, times) != (0, 1) {
                return Fate::Taken(times, Duration::from_millis(late));
            }
        }
        let conflict = match call.action.as_str() {
            "dynamodb:TransactWriteItems" => Some(cancelled(call)),
            "dynamodb:PutItem" | "dynamodb:UpdateItem" => Some(error("TransactionConflictException")),
            _ => None,
        };
        if let Some(conflict) = conflict
            && self.happens(self.conflicts)
        {
            return Fate::Refused(conflict);
        }
        if self.happens(self.lost_replies) {
            return Fate::Unheard;
        }
        if self.happens(self.late_calls) {
            let delay = self.roll() % self.late_ms.max(1);
            return Fate::Late(Duration::from_millis(delay));
        }
        Fate::Passed
    }

    fn happens(&mut self, percent: u64) -> bool {
        percent > 0 && self.roll() % 100 < percent
    }

    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
    fn roll(&mut self) -> u64 {
        self.seed = self.seed.max(1);
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        self.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
}

fn error(code: &str) -> String {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "injected"}).to_string()
}

fn cancelled(call: &Call) -> String {
    let items = call.json()["TransactItems"].as_array().map_or(1, Vec::len);
    let reasons: Vec<_> =
        (0..items).map(|n| json!({"Code": if n == items - 1 { "TransactionConflict" } else { "None" }})).collect();
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    })
    .to_string()
}
