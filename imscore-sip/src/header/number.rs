//! Headers that are one number.

use std::fmt;

use bytestring::ByteString;

use super::{Cause, Name, TypedHeader};
use crate::parse::grammar;

macro_rules! numbers {
    ($($(#[$doc:meta])* $type:ident($number:ty) $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub $number);

        impl TypedHeader for $type {
            const NAME: Name = Name::$name;

            fn read(value: ByteString) -> Result<$type, Cause> {
                let number = grammar::number_to(<$number>::MAX as u64);
                grammar::whole(value.as_bytes(), number).map(|number| $type(number as $number))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

numbers! {
    /// How many more hops a request may take, 0 to 255 (RFC 3261 §20.22).
    MaxForwards(u8) MAX_FORWARDS;
    /// Bytes of the body (RFC 3261 §20.14).
    ContentLength(u32) CONTENT_LENGTH;
    /// Seconds that something holds (RFC 3261 §20.19).
    Expires(u32) EXPIRES;
    /// The shortest time to hold, in seconds, that a server accepts (RFC 3261 §20.23).
    MinExpires(u32) MIN_EXPIRES;
    /// How many branches a request may still be split into (RFC 5393 §5).
    MaxBreadth(u32) MAX_BREADTH;
    /// Seconds within which a flow must be kept alive (RFC 5626).
    ///
    /// ```
    /// use imscore_sip::header::{FlowTimer, MaxBreadth, MinExpires, RSeq, TypedHeader};
    ///
    /// assert_eq!(FlowTimer::decode(&"120".into())?, FlowTimer(120));
    /// assert_eq!(MinExpires(60).to_string(), "60");
    /// assert_eq!(MaxBreadth::decode(&"60".into())?.0, 60);
    /// assert!(RSeq::decode(&"x".into()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    FlowTimer(u32) FLOW_TIMER;
    /// The place of a reliable provisional response, from 1 (RFC 3262 §7.1).
    RSeq(u32) RSEQ;
}

/// Reads Max-Forwards from its line.
pub(crate) fn max_forwards(value: &[u8]) -> Result<u8, Cause> {
    grammar::whole(value, grammar::number_to(u8::MAX.into())).map(|hops| hops as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_ends() {
        let check = |text: &str, expected| {
            let found = MaxForwards::decode(&text.into()).map(|hops| hops.0).map_err(|error| error.cause);
            assert_eq!(found, expected, "{text}");
        };
        check("70", Ok(70));
        check("0068", Ok(68));
        check("255", Ok(255));
        check("256", Err(Cause::TooLarge));
        check("", Err(Cause::Malformed));
        check("-1", Err(Cause::Malformed));
        check("1 2", Err(Cause::Malformed));
        check("7x", Err(Cause::Malformed));
        assert_eq!(Expires::decode(&"4294967295".into()), Ok(Expires(u32::MAX)));
        assert_eq!(Expires::decode(&"4294967296".into()).map_err(|error| error.cause), Err(Cause::TooLarge));
        assert_eq!(Expires(3600).to_string(), "3600");
    }
}
