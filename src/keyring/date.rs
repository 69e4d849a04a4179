//! Days of the calendar, as people write them into key files.

use std::{fmt, str::FromStr};

use crate::clock::Timestamp;

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// Returns the day on which a time is.
    pub(super) const fn of(time: Timestamp) -> Self {
        // Howard Hinnant's `civil_from_days`: years that begin in March end with the leap day.
        let days = time.as_millis() / MILLIS_A_DAY + DAYS_TO_EPOCH;
        let (era, of_era) = (days / DAYS_AN_ERA, days % DAYS_AN_ERA);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            year: year + era * 400 + (month <= 2) as u64,
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
        }
    }

    /// Returns the moment in which it begins.
    const fn begins(self) -> Timestamp {
        let year = self.year - (self.month <= 2) as u64;
        let from_march = (self.month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let (era, of_era) = (year / 400, year % 400);
        let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        let days = era * DAYS_AN_ERA + of_era;
        Timestamp::from_millis(days.saturating_sub(DAYS_TO_EPOCH) * MILLIS_A_DAY)
    }

    /// Returns its last moment.
    pub(super) const fn ends(self) -> Timestamp {
        self.begins().after(MILLIS_A_DAY - 1)
    }
}

impl FromStr for Date {
    type Err = ();

    /// Reads `2026-11-27`, a day that there is since 1970.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str, digits| {
            let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten().ok_or(())
        };
        let mut parts = text.splitn(3, '-');
        let mut part = |digits| number(parts.next().unwrap_or_default(), digits);
        let date = Self {
            year: part(4)?,
            month: part(2)?,
            day: part(2)?,
        };
        let is_plausible = date.year >= 1970 && (1..=12).contains(&date.month) && date.day > 0;
        match is_plausible && Self::of(date.begins()) == date {
            true => Ok(date),
            false => Err(()),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

const MILLIS_A_DAY: u64 = 24 * 60 * 60 * 1_000;

/// Four hundred years.
const DAYS_AN_ERA: u64 = 146_097;

/// From the first of March of the year zero.
const DAYS_TO_EPOCH: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar_read_back() {
        for (text, millis) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("2026-11-27", 1_795_737_600_000),
            ("2100-03-01", 4_107_542_400_000),
        ] {
            let date: Date = text.parse().unwrap();
            assert_eq!(date.begins().as_millis(), millis, "{text}");
            assert_eq!(Date::of(date.ends()).to_string(), text);
            assert_ne!(Date::of(date.ends().after(1)).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-02-29",
            "2026-1-01",
            "+026-01-01",
            "1969-12-31",
            "2026-01-01-",
            "2026-01-01T",
        ] {
            assert_eq!(text.parse::<Date>(), Err(()), "{text}");
        }
    }
}
