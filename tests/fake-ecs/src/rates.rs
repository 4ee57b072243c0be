//! Rates as token buckets: a bucket holds a burst and is refilled at a steady rate.

use serde::{Deserialize, Serialize};

/// A bucket's size and refill.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// How many calls at once.
    pub burst: f64,
    /// How many a second after that.
    pub per_second: f64,
}

/// The rates of the actions that matter. Bursts are the sustained rate wherever no other is known: the strict reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rates {
    /// RunTask: 20 calls a second
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>, as the other calls).
    pub run_task: Rate,
    /// RunTask and StopTask together: 40 calls a second.
    pub run_and_stop: Rate,
    /// DescribeTasks and ListTasks together: 20 calls a second.
    pub read: Rate,
    /// RegisterTaskDefinition: a burst of 20, then one a second.
    pub register: Rate,
    /// Tasks launched on Fargate: 100 at once, then 20 a second
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html>).
    pub launches: Rate,
}

impl Default for Rates {
    fn default() -> Rates {
        let steady = |per_second| Rate { burst: per_second, per_second };
        Rates {
            run_task: steady(20.0),
            run_and_stop: steady(40.0),
            read: steady(20.0),
            register: Rate { burst: 20.0, per_second: 1.0 },
            launches: Rate { burst: 100.0, per_second: 20.0 },
        }
    }
}

/// What is left in a bucket. Full at first.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// How many were taken and not refilled.
    missing: f64,
    at: f64,
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: f64) {
        self.missing = (self.missing - (now - self.at).max(0.0) * rate.per_second).max(0.0);
        self.at = now;
    }

    fn has(&mut self, rate: Rate, now: f64, count: f64) -> bool {
        self.refill(rate, now);
        self.missing + count <= rate.burst
    }
}

/// All buckets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buckets {
    run_task: Bucket,
    run_and_stop: Bucket,
    read: Bucket,
    register: Bucket,
    launches: Bucket,
}

impl Buckets {
    /// Takes what a call of this action costs (`launches`: the tasks that it asks for), or takes nothing and says no.
    pub fn take(&mut self, rates: &Rates, now: f64, action: &str, launches: u64) -> bool {
        let mut costs: Vec<(&mut Bucket, Rate, f64)> = match action {
            "RunTask" => vec![
                (&mut self.run_task, rates.run_task, 1.0),
                (&mut self.run_and_stop, rates.run_and_stop, 1.0),
                (&mut self.launches, rates.launches, launches as f64),
            ],
            "StopTask" => vec![(&mut self.run_and_stop, rates.run_and_stop, 1.0)],
            "DescribeTasks" | "ListTasks" => vec![(&mut self.read, rates.read, 1.0)],
            "RegisterTaskDefinition" => vec![(&mut self.register, rates.register, 1.0)],
            _ => return true,
        };
        let all = costs.iter_mut().all(|(bucket, rate, count)| bucket.has(*rate, now, *count));
        if all {
            costs.iter_mut().for_each(|(bucket, _, count)| bucket.missing += *count);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(buckets: &mut Buckets, now: f64, action: &str, launches: u64, tries: usize) -> usize {
        let rates = Rates::default();
        (0..tries).filter(|_| buckets.take(&rates, now, action, launches)).count()
    }

    #[test]
    fn a_burst_is_taken_at_once_and_refilled_steadily() {
        let mut buckets = Buckets::default();
        assert_eq!(accepted(&mut buckets, 1.0, "RunTask", 1, 50), 20);
        assert_eq!(accepted(&mut buckets, 1.5, "RunTask", 1, 50), 10);
        assert_eq!(accepted(&mut buckets, 100.0, "RegisterTaskDefinition", 0, 50), 20);
        assert_eq!(accepted(&mut buckets, 103.0, "RegisterTaskDefinition", 0, 50), 3);
    }

    #[test]
    fn run_and_stop_share_a_bucket_and_reads_another() {
        let mut buckets = Buckets::default();
        assert_eq!(accepted(&mut buckets, 1.0, "RunTask", 1, 20), 20);
        assert_eq!(accepted(&mut buckets, 1.0, "StopTask", 0, 50), 20);
        assert_eq!(accepted(&mut buckets, 1.0, "ListTasks", 0, 15), 15);
        assert_eq!(accepted(&mut buckets, 1.0, "DescribeTasks", 0, 15), 5);
    }

    #[test]
    fn launches_are_counted_by_task_and_a_refused_call_takes_nothing() {
        let mut buckets = Buckets::default();
        assert_eq!(accepted(&mut buckets, 1.0, "RunTask", 10, 15), 10);
        assert_eq!(accepted(&mut buckets, 1.0, "StopTask", 0, 50), 30);
        assert_eq!(accepted(&mut buckets, 2.0, "RunTask", 10, 15), 2);
    }
}
