//! Calendar months, by which is billed.

use super::Ms;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use time::{Date, OffsetDateTime};

/// A calendar month (UTC). Written `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    year: i32,
    month: u8,
}

/// The text is no month.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no month: write year and month, as in `2026-11`")]
pub struct InvalidMonth(pub String);

impl Month {
    /// The month of a moment.
    pub fn of(at: Ms) -> Self {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000);
        let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Month { year: at.year(), month: at.month() as u8 }
    }

    /// Its first moment.
    pub fn start(self) -> Ms {
        let month = time::Month::try_from(self.month).unwrap_or(time::Month::January);
        let first = Date::from_calendar_date(self.year, month, 1);
        first.map_or(0, |day| day.midnight().assume_utc().unix_timestamp() * 1000)
    }

    /// The first moment after it.
    pub fn end(self) -> Ms {
        self.next().start()
    }

    /// The month after it.
    pub fn next(self) -> Self {
        match self.month {
            12 => Month { year: self.year + 1, month: 1 },
            month => Month { month: month + 1, ..self },
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = InvalidMonth;
    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        let parts = text.split_once('-').filter(|(y, m)| y.len() == 4 && m.len() == 2);
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten();
        let month = parts.and_then(|(y, m)| Some((digits(y)?, digits(m)?)));
        match month {
            Some((year, month @ 1..=12)) => Ok(Month { year, month: month as u8 }),
            _ => Err(InvalidMonth(text.to_owned())),
        }
    }
}

impl From<Month> for String {
    fn from(month: Month) -> String {
        month.to_string()
    }
}

impl TryFrom<String> for Month {
    type Error = InvalidMonth;
    fn try_from(text: String) -> Result<Self, InvalidMonth> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_in_its_month() {
        let november: Month = "2026-11".parse().unwrap();
        assert_eq!((november.start(), november.end()), (1_793_491_200_000, 1_796_083_200_000));
        assert_eq!((Month::of(november.start()), Month::of(november.end() - 1)), (november, november));
        assert_eq!(Month::of(november.end()).to_string(), "2026-12");
        assert_eq!(Month::of(november.end()).next().to_string(), "2027-01");
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-+1", "2026-11-01", "2026/11"] {
            assert_eq!(text.parse::<Month>(), Err(InvalidMonth(text.to_owned())));
        }
    }
}
