//! The moment at which a key was made.

use core::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in UTC, to the second, in the one form `YYYY-MM-DDTHH:MM:SSZ` of RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp([u8; Self::LEN]);

impl Timestamp {
    const LEN: usize = 20;

    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix(since_epoch.as_secs())
    }

    /// The moment `seconds` after 1970-01-01T00:00:00Z; years past 9999 are taken as 9999.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Self {
        const LAST: u64 = 253_402_300_799; // 9999-12-31T23:59:59Z
        let seconds = seconds.min(LAST);
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        // Days to date in the proleptic Gregorian calendar, in years that begin in March so that the leap day comes
        // last: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);

        let mut text = *b"0000-00-00T00:00:00Z";
        let fields = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, second_of_day / 3_600),
            (14..16, second_of_day / 60 % 60),
            (17..19, second_of_day % 60),
        ];
        for (range, mut value) in fields {
            for digit in text[range].iter_mut().rev() {
                *digit = b"0123456789"[(value % 10) as usize];
                value /= 10;
            }
        }
        Self(text)
    }

    /// Takes a moment in the form `YYYY-MM-DDTHH:MM:SSZ`; nothing else is understood.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; Self::LEN] = text.as_bytes().try_into().ok()?;
        let shape = b"dddd-dd-ddTdd:dd:ddZ";
        let fits = bytes.iter().zip(shape).all(|(byte, place)| match place {
            b'd' => byte.is_ascii_digit(),
            _ => byte == place,
        });
        let number = |range: core::ops::Range<usize>| {
            bytes[range].iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')))
        };
        if !fits || number(11..13) > 23 || number(14..16) > 59 || number(17..19) > 59 {
            return None;
        }
        let (year, month, day) = (number(0..4), number(5..7), number(8..10));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (year > 0 && (1..=days_in_month).contains(&day)).then_some(Self(bytes))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both constructors write ASCII.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_583_020_799, "2020-02-29T23:59:59Z"),
            (1_583_020_800, "2020-03-01T00:00:00Z"),
            (1_795_132_800, "2026-11-20T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_unix(seconds).as_str(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp::from_unix(seconds)));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2026-11-20",
            "2026-11-20 00:00:00Z",
            "2026-11-20T00:00:00+00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2o26-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
