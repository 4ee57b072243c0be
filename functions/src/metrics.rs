//! Metrics in the embedded metric format: a line of the log that CloudWatch makes metrics of ("Specification: Embedded metric
//! format", Amazon CloudWatch user guide). No call, no permission.

use faregate_core::model::Ms;
use serde_json::{Map, Value, json};

/// Numbers of one moment, under the namespace `Faregate` and the dimension `Stack`.
#[derive(Default)]
pub struct Metrics {
    numbers: Vec<(&'static str, &'static str, f64)>,
}

impl Metrics {
    /// The same with one more count.
    pub fn with(mut self, name: &'static str, count: usize) -> Self {
        self.numbers.push((name, "Count", count as f64));
        self
    }

    /// The same with one more duration.
    pub fn with_ms(mut self, name: &'static str, ms: Ms) -> Self {
        self.numbers.push((name, "Milliseconds", ms as f64));
        self
    }

    /// The line.
    pub fn line(&self, stack: &str, now: Ms) -> Value {
        let names: Vec<Value> =
            self.numbers.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let mut line: Map<String, Value> =
            self.numbers.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))).collect();
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
    fn a_line_is_what_cloudwatch_expects() {
        let line = Metrics::default().with("ActiveClusters", 3).with_ms("IdleDelay", 250).line("dask", 7);
        let expected = json!({
            "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{
                "Namespace": "Faregate", "Dimensions": [["Stack"]],
                "Metrics": [{"Name": "ActiveClusters", "Unit": "Count"}, {"Name": "IdleDelay", "Unit": "Milliseconds"}]}]},
            "Stack": "dask", "ActiveClusters": 3.0, "IdleDelay": 250.0});
        assert_eq!(line, expected);
    }
}
