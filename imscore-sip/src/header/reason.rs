//! Reason (RFC 3326) and Warning (RFC 3261 §20.43).

use std::borrow::Cow;

use bytestring::ByteString;
use nom::Parser;
use nom::sequence::separated_pair;

use super::parameterised::parameterised;
use super::{Cause, Name, TypedHeader};
use crate::parse::grammar::{self, lws, number_to, quoted_string};
use crate::parse::params::{push_quoted, push_token, unquoted};
use crate::parse::part::{Part, push};
use crate::uri::is_its_text;

parameterised! {
    /// Why a request was sent or a session ended: `SIP;cause=200;text="Call completed elsewhere"` (RFC 3326 §2).
    Reason REASON list: true head: grammar::token;
}

impl Reason {
    /// A protocol, `SIP` or `Q.850`, and a cause of it.
    pub fn new(protocol: &str, cause: u16) -> Reason {
        let mut head = String::with_capacity(protocol.len());
        push_token(&mut head, protocol);
        Reason::of(&head, "").with_param("cause", cause.to_string().as_str())
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Reason {
        let mut params = self.params().without("text");
        params.push_str(";text=");
        push_quoted(&mut params, text);
        Reason::of(self.head.text(&self.text), &params)
    }

    /// Whose cause it is.
    pub fn protocol(&self) -> &str {
        self.head.text(&self.text)
    }

    /// The cause; none for what is no number.
    pub fn cause(&self) -> Option<u16> {
        self.params().get("cause")?.parse().ok()
    }

    /// The text for people.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.param("text")
    }
}

/// What a server has to say beside the status: `399 pcscf.ims.example "To header is malformed"`.
///
/// ```
/// use imscore_sip::header::{TypedHeader, Warning};
///
/// let warning = Warning::decode(&"370 ims.example \"Insufficient bandwidth\"".into())?;
/// assert_eq!((warning.code(), warning.agent()), (370, "ims.example"));
/// assert_eq!(warning.message(), "Insufficient bandwidth");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Warning {
    text: ByteString,
    code: u16,
    agent: Part,
    message: Part,
}

impl Warning {
    /// A code of three digits (RFC 3261 §27.2; 399 is free for all uses), who says it, and what.
    pub fn new(code: u16, agent: &str, message: &str) -> Warning {
        let code = code.clamp(100, 999);
        let mut text = format!("{code} ");
        let agent = push(&mut text, agent);
        text.push(' ');
        let from = text.len();
        push_quoted(&mut text, message);
        let message = Part::between(from, text.len());
        Warning { text: text.into(), code, agent, message }
    }

    /// The code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Who says it: a host or a pseudonym.
    pub fn agent(&self) -> &str {
        self.agent.text(&self.text)
    }

    /// What it says, without quotes and escapes.
    pub fn message(&self) -> Cow<'_, str> {
        unquoted(self.message.text(&self.text))
    }
}

impl TypedHeader for Warning {
    const NAME: Name = Name::WARNING;
    const LIST: bool = true;

    fn read(value: ByteString) -> Result<Warning, Cause> {
        let text: &[u8] = value.as_bytes();
        let (code, (agent, message)) = grammar::whole(text, |input| {
            let agent = nom::bytes::complete::take_while1(|byte: u8| byte.is_ascii_graphic() && byte != b'"');
            separated_pair(number_to(999), lws, separated_pair(agent, lws, quoted_string)).parse(input)
        })?;
        let (agent, message) = (Part::of(text, agent), Part::of(text, message));
        Ok(Warning { code: code as u16, agent, message, text: value })
    }
}

is_its_text!(Warning);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Cause;

    #[test]
    fn reasons() {
        let reason = Reason::decode(&r#"Q.850 ;cause=16 ;text="Terminated, \"so\"""#.into()).unwrap();
        assert_eq!((reason.protocol(), reason.cause()), ("Q.850", Some(16)));
        assert_eq!(reason.text().as_deref(), Some("Terminated, \"so\""));
        assert_eq!(
            Reason::new("SIP", 200).with_text("Call completed elsewhere").to_string(),
            "SIP;cause=200;text=\"Call completed elsewhere\""
        );
        assert_eq!(Reason::decode(&"SIP;cause=x".into()).unwrap().cause(), None);
        assert!(Reason::decode(&"SIP;cause=".into()).is_err());
    }

    #[test]
    fn warnings() {
        let warning = Warning::decode(&r#"307  isi.edu:5060 "a \"b\", c""#.into()).unwrap();
        assert_eq!((warning.code(), warning.agent()), (307, "isi.edu:5060"));
        assert_eq!(warning.message(), "a \"b\", c");
        assert_eq!(Warning::new(399, "h", "To header\r\n").to_string(), "399 h \"To header  \"");
        for text in ["307 h", "307 \"a\"", "x h \"a\"", "307 h \"a", "307 h \"a\" x"] {
            assert!(Warning::decode(&text.into()).is_err(), "{text}");
        }
        let large = Warning::decode(&"1812 overture \"In Progress\"".into());
        assert_eq!(large.map_err(|error| error.cause), Err(Cause::TooLarge));
    }
}
