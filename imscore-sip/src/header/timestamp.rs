//! Timestamp (RFC 3261 §20.38): when a request was sent, by its sender's clock, and how long the server took.

use std::fmt;

use bytestring::ByteString;
use nom::Parser;
use nom::character::complete::{char, digit0, digit1};
use nom::combinator::{opt, recognize};
use nom::sequence::preceded;

use super::{Cause, Name, TypedHeader};
use crate::parse::grammar::{self, Parsed, lws};
use crate::parse::part::Part;
use crate::uri::is_its_text;

/// A moment and a delay, in seconds with decimals. A server repeats the moment as it stands.
///
/// ```
/// use imscore_sip::header::{Timestamp, TypedHeader};
///
/// let timestamp = Timestamp::decode(&"54.21 0.5".into())?;
/// assert_eq!((timestamp.moment(), timestamp.delay()), ("54.21", Some("0.5")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Timestamp {
    text: ByteString,
    moment: Part,
    delay: Part,
}

impl Timestamp {
    /// A moment in milliseconds, without a delay.
    pub fn new(milliseconds: u64) -> Timestamp {
        Timestamp::of(Seconds(milliseconds).to_string(), None)
    }

    /// The moment as it stands.
    pub fn moment(&self) -> &str {
        self.moment.text(&self.text)
    }

    /// The delay as it stands, where there is one.
    pub fn delay(&self) -> Option<&str> {
        self.delay.find(&self.text)
    }

    /// The same moment with a delay in milliseconds, for the response (RFC 3261 §8.2.6.1).
    #[must_use]
    pub fn with_delay(&self, milliseconds: u64) -> Timestamp {
        Timestamp::of(self.moment().to_string(), Some(milliseconds))
    }

    fn of(mut text: String, delay: Option<u64>) -> Timestamp {
        let moment = Part::between(0, text.len());
        let mut place = Part::ABSENT;
        if let Some(delay) = delay {
            text.push(' ');
            place = crate::parse::part::push(&mut text, &Seconds(delay).to_string());
        }
        Timestamp { text: text.into(), moment, delay: place }
    }
}

impl TypedHeader for Timestamp {
    const NAME: Name = Name::TIMESTAMP;

    fn read(value: ByteString) -> Result<Timestamp, Cause> {
        let text: &[u8] = value.as_bytes();
        let (moment, delay) = grammar::whole(text, |input| (seconds, opt(preceded(lws, seconds))).parse(input))?;
        Ok(Timestamp { moment: Part::of(text, moment), delay: Part::of_some(text, delay), text: value })
    }
}

is_its_text!(Timestamp);

/// `1*DIGIT [ "." *DIGIT ]`; the digits in front of the dot, which a delay may go without, must be there.
fn seconds(input: &[u8]) -> Parsed<'_> {
    recognize((digit1, opt((char('.'), digit0)))).parse(input)
}

/// Milliseconds, written in seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Cause;

    #[test]
    fn moments_and_delays() {
        for (text, moment, delay) in [
            ("54", "54", None),
            ("54.3", "54.3", None),
            ("54. 0.021", "54.", Some("0.021")),
            ("99999999999999999999999.5\t7", "99999999999999999999999.5", Some("7")),
        ] {
            let stamp = Timestamp::decode(&text.into()).unwrap();
            assert_eq!((stamp.moment(), stamp.delay(), stamp.to_string().as_str()), (moment, delay, text));
        }
        for text in ["", ".5", "x", "1 2 3", "1.2.3", "-1"] {
            assert_eq!(Timestamp::decode(&text.into()).map_err(|error| error.cause), Err(Cause::Malformed), "{text}");
        }
        let built = Timestamp::new(54_007).with_delay(21);
        assert_eq!(built.to_string(), "54.007 0.021");
        let read = Timestamp::decode(&built.to_string().into()).unwrap();
        assert_eq!((read.moment(), read.delay()), (built.moment(), built.delay()));
    }
}
