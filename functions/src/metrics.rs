//! Metrics in the embedded metric format: a line of the log that CloudWatch makes metrics of ("Specification: Embedded metric
//! format", Amazon CloudWatch user guide). No call, no permission.

use faregate_core::model::Ms;
use serde_json::{Map, Value, json};

/// The most values of a metric in one line.
const VALUES: usize = 100;

/// Numbers of one moment, under the namespace `Faregate` and the dimension `Stack`.
#[derive(Default)]
pub struct Metrics {
    numbers: Vec<(&'static str, &'static str, Value)>,
}

impl Metrics {
    /// The same with one more count.
    pub fn with(mut self, name: &'static str, count: usize) -> Self {
        self.numbers.push((name, "Count", json!(count)));
        self
    }

    /// The same with one more duration.
    pub fn with_ms(mut self, name: &'static str, ms: Ms) -> Self {
        self.numbers.push((name, "Milliseconds", json!(ms)));
        self
    }

    /// The same with durations of which each counts, so that there are percentiles of them; with none, without the metric. One line takes a
    /// hundred values: of more, the longest.
    pub fn with_each_ms(mut self, name: &'static str, mut all: Vec<Ms>) -> Self {
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(VALUES);
        if !all.is_empty() {
            self.numbers.push((name, "Milliseconds", json!(all)));
        }
        self
    }

    /// The line.
    pub fn line(&self, stack: &str, now: Ms) -> Value {
        let names: Vec<Value> =
            self.numbers.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let mut line: Map<String, Value> =
            self.numbers.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())).collect();
        line.insert("Stack".into(), json!(stack));
        let directive = json!([{"Namespace": "Faregate", "Dimensions": [["Stack"]], "Metrics": names}]);
        line.insert("_aws".into(), json!({"Timestamp": now, "CloudWatchMetrics": directive}));
        Value::Object(line)
    }

    /// Writes it to standard output.
    pub fn emit(&self, stack: &str, now: Ms) {
        println!("{}", self.line(stack, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_values_than_a_line_takes_the_longest_count() {
        let line = Metrics::default().with_each_ms("ClusterStart", (0..150).collect()).line("dask", 7);
        let values = line["ClusterStart"].as_array().unwrap();
        assert_eq!((values.len(), &values[0], &values[99]), (100, &json!(149), &json!(50)));
    }

    #[test]
    fn a_line_is_what_cloudwatch_expects() {
        let line = Metrics::default().with("ActiveClusters", 3).with_ms("IdleDelay", 250);
        let line = line.with_each_ms("ClusterStart", vec![7, 9]).with_each_ms("Nothing", vec![]).line("dask", 7);
        let expected = json!({
            "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{
                "Namespace": "Faregate", "Dimensions": [["Stack"]],
                "Metrics": [{"Name": "ActiveClusters", "Unit": "Count"}, {"Name": "IdleDelay", "Unit": "Milliseconds"},
                    {"Name": "ClusterStart", "Unit": "Milliseconds"}]}]},
            "Stack": "dask", "ActiveClusters": 3, "IdleDelay": 250, "ClusterStart": [9, 7]});
        assert_eq!(line, expected);
    }
}
