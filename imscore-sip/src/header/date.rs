//! Date (RFC 3261 §20.17) and Retry-After (§20.33).

use std::fmt;

use bytestring::ByteString;
use nom::Parser;
use nom::combinator::opt;
use nom::sequence::preceded;

use super::{Cause, Name, TypedHeader};
use crate::now::Now;
use crate::parse::grammar::{self, delta_seconds, sws};

/// A moment: seconds since 1970-01-01T00:00:00Z, up to the year 9999.
///
/// ```
/// use imscore_sip::header::{Date, RetryAfter, TypedHeader};
///
/// let date = Date::decode(&"Sat, 13 Nov 2010 23:29:00 GMT".into())?;
/// assert_eq!(date, Date(1_289_690_940));
/// assert_eq!(RetryAfter::decode(&"18000;duration=3600".into())?, RetryAfter(18_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub u64);

/// How many seconds to wait before another try. What else a value holds, a comment or a duration, is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RetryAfter(pub u32);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// 9999-12-31T23:59:59Z
const LAST: u64 = 253_402_300_799;

impl From<Now> for Date {
    fn from(now: Now) -> Date {
        Date(now.wall / 1_000)
    }
}

impl TypedHeader for Date {
    const NAME: Name = Name::DATE;

    /// `SIP-date`: always GMT.
    fn read(value: ByteString) -> Result<Date, Cause> {
        read(&value).map(Date).ok_or(Cause::Malformed)
    }
}

/// `Sat, 13 Nov 2010 23:29:00 GMT`
fn read(text: &str) -> Option<u64> {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let weekday = words.next()?.strip_suffix(',')?;
    let day = number(words.next()?, 2)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let year = number(words.next()?, 4)?;
    let mut clock = words.next()?.split(':').map(|part| number(part, 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let known = DAYS.iter().any(|name| name.eq_ignore_ascii_case(weekday));
    if !known || words.next()? != "GMT" || words.next().is_some() || clock.next().is_some() {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 || year < 1970 || !(1..=month_length(year, month)).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(year_length).sum();
    let months: u64 = (0..month).map(|month| month_length(year, month)).sum();
    Some(((years + months + day - 1) * 24 + hour) * 3_600 + minute * 60 + second)
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_length(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn month_length(year: u64, month: usize) -> u64 {
    match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.min(LAST);
        let (mut day, clock) = (seconds / 86_400, seconds % 86_400);
        let weekday = DAYS[(day % 7) as usize];
        let mut year = 1970;
        while day >= year_length(year) {
            day -= year_length(year);
            year += 1;
        }
        let mut month = 0;
        while day >= month_length(year, month) {
            day -= month_length(year, month);
            month += 1;
        }
        let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
        write!(f, "{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1, MONTHS[month])
    }
}

impl TypedHeader for RetryAfter {
    const NAME: Name = Name::RETRY_AFTER;

    fn read(value: ByteString) -> Result<RetryAfter, Cause> {
        grammar::whole(value.as_bytes(), |input| {
            let (rest, seconds) = delta_seconds(input)?;
            let (rest, _) = opt(preceded(sws, grammar::comment)).parse(rest)?;
            let (rest, _) = grammar::params(rest, |_, _| Ok(()))?;
            Ok((rest, RetryAfter(seconds)))
        })
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
            ("Tue, 29 Feb 2000 12:00:01 GMT", 951_825_601),
            ("Wed, 31 Dec 2036 23:59:59 GMT", 2_114_380_799),
            ("Fri, 31 Dec 9999 23:59:59 GMT", LAST),
        ] {
            assert_eq!(Date::decode(&text.into()), Ok(Date(seconds)), "{text}");
            assert_eq!(Date(seconds).to_string(), text);
        }
        assert_eq!(Date(u64::MAX).to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Mon, 29 Feb 2100 00:00:00 GMT",
            "Sat, 00 Nov 2010 23:29:00 GMT",
            "Sat, 13 Nov 2010 24:00:00 GMT",
            "Sat, 13 Nov 2010 23:29 GMT",
            "Sat 13 Nov 2010 23:29:00 GMT",
            "Sat, 13 Nov 10 23:29:00 GMT",
            "Sat, 13 Nov 1969 23:29:00 GMT",
            "Sat, 13 Nov 2010 23:29:00 GMT x",
            "",
        ] {
            assert!(Date::decode(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn retries() {
        for (text, expected) in [
            ("120", Ok(120)),
            ("18000;duration=3600", Ok(18_000)),
            ("120 (I'm in a (long) meeting \\) yet);x", Ok(120)),
            ("120 (open", Err(Cause::Malformed)),
            ("4294967296", Err(Cause::TooLarge)),
            ("soon", Err(Cause::Malformed)),
        ] {
            let found = RetryAfter::decode(&text.into()).map(|value| value.0).map_err(|error| error.cause);
            assert_eq!(found, expected, "{text}");
        }
    }
}
