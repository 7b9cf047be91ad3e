//! What every message is asked for, found in its line without decoding the header around it.
//!
//! Values are looked at as they stand in the message, folds included: a fold is white space, and none of these
//! values holds any.

use super::{CSeq, Cause, HeaderError, Name, cseq};
use crate::message::Headers;
use crate::parse::grammar::MAX_NAME;
use crate::parse::list::quote_end;

impl Headers {
    /// The `branch` of the topmost Via.
    pub fn branch(&self) -> Option<&str> {
        text(parameter(self.raw(Name::VIA)?, b"branch")?)
    }

    /// The Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        text(self.raw(Name::CALL_ID)?)
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        text(tag_of(self.raw(Name::FROM)?)?)
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        text(tag_of(self.raw(Name::TO)?)?)
    }

    /// The CSeq.
    ///
    /// # Errors
    /// As [`first`](Headers::first).
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        let value = self.raw(Name::CSEQ).ok_or(Cause::Missing);
        value.and_then(cseq::read).map_err(|cause| HeaderError { name: Name::CSEQ, cause })
    }
}

/// A value without white space and within the limit of a tag, branch or Call-ID. Looks at every byte: without a way
/// out, the loop is vectorised.
fn text(value: &[u8]) -> Option<&str> {
    let valid = !value.is_empty()
        && value.len() <= MAX_NAME
        && value.iter().fold(true, |valid, byte| valid & byte.is_ascii_graphic());
    if valid { std::str::from_utf8(value).ok() } else { None }
}

/// The tag of a From or To value: the parameter behind the address (RFC 3261 §20.20).
pub(crate) fn tag_of(value: &[u8]) -> Option<&[u8]> {
    parameter(&value[address_end(value)..], b"tag")
}

/// Where an address in angle brackets ends, quoted display names passed over; 0 for one without brackets.
fn address_end(value: &[u8]) -> usize {
    let mut at = 0;
    while let Some(step) = value.get(at..).and_then(|rest| memchr::memchr2(b'"', b'<', rest)) {
        at += step;
        if value[at] == b'<' {
            return memchr::memchr(b'>', &value[at..]).map_or(0, |end| at + end);
        }
        match quote_end(value, at) {
            Some(behind) => at = behind,
            None => return 0,
        }
    }
    0
}

/// The value of a parameter of the first element of a line, quoted values and what is in them passed over.
fn parameter<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut at = memchr::memchr2(b';', b',', line)?;
    while line.get(at) == Some(&b';') {
        let start = at + 1;
        at = parameter_end(line, start)?;
        let parameter = &line[start..at];
        if let Some(equals) = memchr::memchr(b'=', parameter)
            && parameter[..equals].trim_ascii().eq_ignore_ascii_case(name)
        {
            return Some(parameter[equals + 1..].trim_ascii());
        }
    }
    None
}

/// Where a parameter ends: before a semicolon or comma outside quotes, or with the line. `None`: inside a quoted string.
fn parameter_end(line: &[u8], mut at: usize) -> Option<usize> {
    while let Some(step) = memchr::memchr3(b';', b',', b'"', &line[at..]) {
        at += step;
        if line[at] != b'"' {
            return Some(at);
        }
        at = quote_end(line, at)?;
    }
    Some(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn parameters_of_the_first_element() {
        for (line, expected) in [
            ("SIP/2.0/UDP h;branch=z9hG4bK1", Some("z9hG4bK1")),
            ("SIP/2.0/UDP [2001:db8::1]:5060 ; rport ;BRANCH = z9hG4bK1 ;x", Some("z9hG4bK1")),
            ("SIP/2.0/UDP h;\r\n branch\r\n =\r\n z9hG4bK1\r\n ;x", Some("z9hG4bK1")),
            (r#"SIP/2.0/UDP h;x="a;branch=no,\"";branch=z9hG4bK1"#, Some("z9hG4bK1")),
            ("SIP/2.0/UDP h;branch=z9hG4bK1=, SIP/2.0/UDP i;branch=z9hG4bK2", Some("z9hG4bK1=")),
            ("SIP/2.0/UDP h, SIP/2.0/UDP i;branch=z9hG4bK2", None),
            ("SIP/2.0/UDP h;rport, SIP/2.0/UDP i;branch=z9hG4bK2", None),
            ("SIP/2.0/UDP h;xbranch=1;branchx=2", None),
            (r#"SIP/2.0/UDP h;x="open;branch=z9hG4bK1"#, None),
            ("SIP/2.0/UDP h;branch", None),
        ] {
            let found = parameter(line.as_bytes(), b"branch").map(|value| std::str::from_utf8(value).unwrap());
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn tags_stand_behind_the_address() {
        for (value, expected) in [
            ("<sip:a@b>;tag=1", Some("1")),
            ("<sip:a@b;tag=no>;TAG = 1 ;x", Some("1")),
            ("sip:a@b;tag=1", Some("1")),
            (r#""a;tag=no<sip:x>;tag=no" <sip:a@b>;tag=1"#, Some("1")),
            (r#""a\";tag=no" <sip:a@b>;x="y;tag=no";tag=1"#, Some("1")),
            ("<sip:a@b;tag=no>", None),
            ("sip:a@b", None),
            (r#""open <sip:a@b>;x"#, None),
            ("<sip:a@b>;xtag=1", None),
        ] {
            let found = tag_of(value.as_bytes()).map(|value| std::str::from_utf8(value).unwrap());
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn essentials_of_a_message() {
        let text = "INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h\r\n ;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=one\r\n\
            To:\r\n <sip:b@h>\r\ni:\r\n 1@h\r\nCSeq: 007\r\n INVITE\r\n\r\n";
        let message = Message::parse(text.into()).unwrap();
        let headers = message.headers();
        assert_eq!((headers.branch(), headers.call_id()), (Some("z9hG4bK1"), Some("1@h")));
        assert_eq!((headers.from_tag(), headers.to_tag()), (Some("one"), None));
        assert_eq!(headers.cseq().map(|cseq| cseq.to_string()), Ok("7 INVITE".to_string()));

        let message = Message::parse("INVITE sip:b@h SIP/2.0\r\nf: <sip:a@h>;tag=\r\ni: a b\r\n\r\n".into()).unwrap();
        let headers = message.headers();
        assert_eq!((headers.branch(), headers.from_tag(), headers.call_id()), (None, None, None));
        assert_eq!(headers.cseq(), Err(HeaderError { name: Name::CSEQ, cause: Cause::Missing }));
    }
}
