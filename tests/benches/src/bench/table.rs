//! What was measured, side by side.

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Such as requests per second.
    More,
    /// Such as seconds.
    Less,
}

/// One measure of both gateways, a value a round.
#[derive(Clone, Debug)]
pub struct Row {
    /// What.
    pub what: String,
    /// In what.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// How many times better ours shall be; none = for information.
    pub aim: Option<f64>,
    /// The official server's values.
    pub official: Vec<f64>,
    /// Our values.
    pub ours: Vec<f64>,
    /// What stands for all values of a side.
    pub statistic: fn(&[f64]) -> Option<f64>,
    /// Ours shall take no longer, which the pairs' interval says ([`NO_SLOWER`]).
    pub no_slower: bool,
}

/// "No slower": how many times as long ours may take, which the 95 % interval of the median of pairs stays below.
pub const NO_SLOWER: f64 = 1.05;

impl Row {
    /// A row without values yet.
    pub fn new(what: impl Into<String>, unit: &'static str, better: Better, aim: Option<f64>) -> Self {
        Row {
            what: what.into(),
            unit,
            better,
            aim,
            official: Vec::new(),
            ours: Vec::new(),
            statistic: median,
            no_slower: false,
        }
    }

    /// Something was measured.
    pub fn has_values(&self) -> bool {
        !self.official.is_empty() || !self.ours.is_empty()
    }

    /// Compared by the 95th percentile in place of the median.
    pub fn by_p95(self) -> Self {
        Row { what: format!("{}, p95", self.what), statistic: p95, ..self }
    }

    /// Ours takes no longer than the official server, judged by pairs.
    pub fn no_slower(what: impl Into<String>, unit: &'static str) -> Self {
        Row { no_slower: true, ..Row::new(what, unit, Better::Less, Some(1.0)) }
    }

    /// How many times our value is the official one of the same round: the median, and its 95 % interval.
    pub fn pairs(&self) -> Option<(f64, f64, f64)> {
        let mut ratios: Vec<f64> =
            self.ours.iter().zip(&self.official).map(|(ours, official)| ours / official).collect();
        ratios.sort_by(f64::total_cmp);
        let rank = interval_rank(ratios.len())?;
        Some((median(&ratios)?, ratios[rank], ratios[ratios.len() - 1 - rank]))
    }

    /// How many times better ours is, by the medians of all rounds (or what stands for them).
    pub fn ratio(&self) -> Option<f64> {
        let (official, ours) = ((self.statistic)(&self.official)?, (self.statistic)(&self.ours)?);
        Some(match self.better {
            Better::More => ours / official,
            Better::Less => official / ours,
        })
    }

    /// `met` or `not met`; nothing without an aim. A row of pairs that shall be no slower is judged by their interval, which says how
    /// sure that is: of two that are alike, the medians alone would say one or the other by chance.
    pub fn verdict(&self) -> &'static str {
        let Some(aim) = self.aim else { return "" };
        let met = match self.pairs() {
            Some((_, _, high)) if self.no_slower => high < NO_SLOWER,
            _ => self.ratio().is_some_and(|ratio| ratio >= aim),
        };
        if met { "met" } else { "NOT MET" }
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[n / 2]),
        n => Some((sorted[n / 2 - 1] + sorted[n / 2]) / 2.0),
    }
}

/// The value that 95 of 100 do not exceed: of twenty, the last but one.
pub fn p95(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * 95).div_ceil(100).checked_sub(1)?).copied()
}

/// How many of so many sorted values are outside of the median's 95 % interval at either end (the sign test's); none = there are too few.
fn interval_rank(n: usize) -> Option<usize> {
    let (mut term, mut tail) = (0.5f64.powi(i32::try_from(n).ok()?), 0.0);
    let mut rank = None;
    for k in 0..n / 2 {
        tail += term;
        if tail > 0.025 {
            break;
        }
        rank = Some(k);
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    rank
}

/// The table as text.
pub fn render(rows: &[Row]) -> String {
    let mut lines = vec![["measure", "unit", "official", "ours", "times better", "aim", ""].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let value = |values: &[f64]| (row.statistic)(values).map_or("-".to_owned(), number);
        [
            row.what.clone(),
            row.unit.to_owned(),
            value(&row.official),
            value(&row.ours),
            row.ratio().map_or("-".to_owned(), |ratio| format!("{}x", number(ratio))),
            row.aim.map_or(String::new(), |aim| format!("{aim}x")),
            row.verdict().to_owned(),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 | 6 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// At least three digits that count, thousands apart.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.as_bytes();
    let mut grouped = String::new();
    for (i, digit) in digits.iter().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits[i - 1].is_ascii_digit() {
            grouped.push(' ');
        }
        grouped.push(char::from(*digit));
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_decide_and_the_better_way_is_the_rows_own() {
        let mut row = Row::new("relay", "CPU s/GB", Better::Less, Some(2.0));
        row.official = vec![9.0, 1.0, 1.2];
        row.ours = vec![0.5, 0.4];
        assert_eq!(row.ratio().map(|ratio| (ratio * 100.0).round()), Some(267.0));
        assert_eq!(row.verdict(), "met");
        row.better = Better::More;
        assert_eq!(row.verdict(), "NOT MET");
        row.ours.clear();
        assert_eq!(row.verdict(), "NOT MET");
    }

    #[test]
    fn of_twenty_the_last_but_one_is_the_percentile_and_the_interval_is_the_sign_tests() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!((p95(&values), p95(&[7.0]), p95(&[])), (Some(19.0), Some(7.0), None));
        // "Practical Nonparametric Statistics", table of the sign test: 20 values, from the 6th to the 15th
        assert_eq!((interval_rank(20), interval_rank(6), interval_rank(5)), (Some(5), Some(0), None));
        let mut row = Row::new("start", "s", Better::Less, None);
        (row.ours, row.official) = (values, vec![10.0; 20]);
        assert_eq!(row.pairs(), Some((1.05, 0.6, 1.5)));
    }

    #[test]
    fn no_slower_is_what_the_interval_of_pairs_stays_below() {
        let mut row = Row::no_slower("start", "s");
        row.official = vec![1.0; 20];
        row.ours = [vec![0.99; 8], vec![1.01; 7], vec![1.2; 5]].concat();
        assert_eq!(row.verdict(), "met");
        row.ours = [vec![0.99; 8], vec![1.01; 6], vec![1.2; 6]].concat();
        assert_eq!(row.verdict(), "NOT MET");
        row.ours = vec![1.01; 3]; // too few for an interval: the medians decide
        assert_eq!(row.verdict(), "NOT MET");
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        let texts = [1_234_567.0, 999.4, 12.34, 1.234, 0.01234, f64::INFINITY].map(number);
        assert_eq!(texts, ["1 234 567", "999", "12.3", "1.23", "0.0123", "-"]);
    }
}
