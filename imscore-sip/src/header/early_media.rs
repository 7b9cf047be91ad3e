//! Media before the answer, and leave to send any: P-Early-Media (RFC 5009), P-Media-Authorization (RFC 3313).

use super::tokens::words;
use crate::parse::grammar;
use crate::sdp::Direction;

words! {
    /// Which way early media may flow, `gated`, or `supported` in a request (RFC 5009).
    ///
    /// ```
    /// use imscore_sip::header::{PEarlyMedia, PMediaAuthorization, TypedHeader};
    /// use imscore_sip::sdp::Direction;
    ///
    /// assert_eq!(PEarlyMedia::from("sendrecv").direction(), Some(Direction::SendRecv));
    /// assert_eq!(PEarlyMedia::from("supported").direction(), None);
    /// assert!(PMediaAuthorization::decode(&"3f2a".into())?.is("3F2A"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PEarlyMedia P_EARLY_MEDIA list: true rule: grammar::token, same: str::eq_ignore_ascii_case;
    /// A token of a policy server, in base 16, that lets a phone have its media (RFC 3313).
    PMediaAuthorization P_MEDIA_AUTHORIZATION list: true rule: grammar::hexadecimal, same: str::eq_ignore_ascii_case;
}

impl PEarlyMedia {
    /// The direction that it is, as seen by the sender of the header; `None` for its other words.
    pub fn direction(&self) -> Option<Direction> {
        Direction::find(&self.0.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;
    use crate::message::Message;

    #[test]
    fn directions_and_gates() {
        let text = "INVITE sip:b@h SIP/2.0\r\nP-Early-Media: SendRecv, gated\r\nP-Early-Media:\r\n\r\n";
        let message = Message::parse(text.into()).unwrap();
        let values: Vec<PEarlyMedia> = message.headers().all().unwrap();
        assert_eq!(values.iter().map(PEarlyMedia::direction).collect::<Vec<_>>(), [Some(Direction::SendRecv), None]);
        assert!(values[1].is("Gated"));
        assert!(PEarlyMedia::decode(&"sendrecv;x".into()).is_err());
    }

    #[test]
    fn tokens() {
        assert!(PMediaAuthorization::decode(&"0020a1B2".into()).unwrap().is("0020A1b2"));
        for text in ["", "0x20", "00 20", "g"] {
            assert!(PMediaAuthorization::decode(&text.into()).is_err(), "{text}");
        }
    }
}
