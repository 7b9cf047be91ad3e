//! In-Reply-To (RFC 3261 §20.21).

use std::fmt;

use bytestring::ByteString;

use super::{CallId, Cause, Checked, Name, TypedHeader};

/// The Call-ID of a call that this one returns.
///
/// ```
/// use imscore_sip::header::{CallId, InReplyTo, TypedHeader};
///
/// let answered = InReplyTo::decode(&"70710@ims.example".into())?;
/// assert_eq!(answered, InReplyTo(CallId::new("70710@ims.example")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InReplyTo(pub CallId);

impl TypedHeader for InReplyTo {
    const NAME: Name = Name::IN_REPLY_TO;
    const LIST: bool = true;

    fn read(value: ByteString) -> Result<InReplyTo, Cause> {
        CallId::check(value.as_bytes()).map(|()| InReplyTo(CallId::new(value)))
    }
}

impl fmt::Display for InReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn calls_that_are_returned() {
        let text = "INVITE sip:b@h SIP/2.0\r\nIn-Reply-To: 70710@saturn.example, 17320@saturn.example\r\n\r\n";
        let message = Message::parse(text.into()).unwrap();
        let calls: Vec<InReplyTo> = message.headers().all().unwrap();
        assert_eq!(
            calls,
            [InReplyTo(CallId::new("70710@saturn.example")), InReplyTo(CallId::new("17320@saturn.example"))]
        );
        for text in ["", "a b"] {
            assert!(InReplyTo::decode(&text.into()).is_err(), "{text}");
        }
    }
}
