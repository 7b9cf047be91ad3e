//! Session descriptions (RFC 8866): the text as received, an index of its lines, and the edits made since.
//!
//! What nobody edited is written byte for byte as it came, lines of unknown types and attributes among it. The lines
//! that the accessors read (`v=`, `o=`, `c=`, `m=`) are checked when the text is parsed, so that reading them cannot
//! fail later; everything else is text until somebody asks.
//!
//! ```
//! use imscore_sip::sdp::{Section, SessionDescription};
//!
//! let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
//!             m=audio 49170 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\na=sendonly\r\n";
//! let mut offer = SessionDescription::parse(text.into())?;
//! let audio = offer.media().next().expect("one section");
//! assert_eq!((audio.kind(), audio.port(), audio.protocol()), ("audio", 49170, "RTP/AVP"));
//! assert_eq!(audio.rtpmap(96).map(|map| map.clock_rate), Some(48_000));
//!
//! offer.set_address(Section::Media(0), "2001:db8::7".parse().expect("an address"));
//! offer.set_port(0, 10_000);
//! assert!(offer.to_string().contains("m=audio 10000 RTP/AVP 0 96\r\nc=IN IP6 2001:db8::7\r\na=rtpmap:96"));
//! # Ok::<(), imscore_sip::sdp::SdpError>(())
//! ```

mod answer;
mod attributes;
mod build;
mod edit;
mod exchange;
mod fields;
mod precondition;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use answer::{Mismatch, check_answer, check_successor, continues};
pub use attributes::{Bandwidth, Crypto, Rtcp, format_parameters};
pub use build::{MediaAnswer, MediaOffer};
pub use exchange::{Agreed, Carrier, Exchange, ExchangeError, Refused, Side, State, Step};
pub use fields::{Attribute, Connection, Direction, Media, Origin, RtpMap};
pub use precondition::{Flow, Preconditions, Status, Strength};

use fields::MediaLine;

/// Limits on one description. Every one is a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SdpLimits {
    /// Bytes of the whole text.
    pub bytes: usize,
    /// Media sections.
    pub media: usize,
    /// Attributes of one media section, and of the session.
    pub attributes: usize,
}

impl Default for SdpLimits {
    fn default() -> SdpLimits {
        SdpLimits { bytes: 32_768, media: 64, attributes: 512 }
    }
}

/// Why a text is no session description. An offer with this fault is answered with 488 (RFC 3261 §21.4.26).
///
/// ```
/// use imscore_sip::sdp::{SdpError, SdpFault, SdpLimits, SessionDescription};
///
/// let error: SdpError = SessionDescription::parse("v=1\r\n".into()).expect_err("no such version");
/// assert_eq!((error.line, error.fault), (1, SdpFault::Version));
/// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
/// let mut limits = SdpLimits::default();
/// limits.media = 0;
/// let refused = SessionDescription::parse_with(text.into(), &limits);
/// assert_eq!(refused.map_err(|error| error.fault).err(), Some(SdpFault::Limit));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} in line {line}")]
pub struct SdpError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: SdpFault,
}

/// What is wrong with a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpFault {
    /// Above one of the [`SdpLimits`].
    #[error("a limit is exceeded")]
    Limit,
    /// A line that is not a letter, an equals sign and a value (RFC 8866 §5).
    #[error("no type and value")]
    Line,
    /// NUL, or CR without LF.
    #[error("control character")]
    Control,
    /// The first line is not `v=0` (RFC 8866 §5.1).
    #[error("no version 0")]
    Version,
    /// `o=` is missing or malformed (RFC 8866 §5.2).
    #[error("no valid origin")]
    Origin,
    /// A malformed `c=` (RFC 8866 §5.7).
    #[error("malformed connection")]
    Connection,
    /// A malformed `m=` (RFC 8866 §5.14).
    #[error("malformed media description")]
    Media,
}

/// A session description.
#[derive(Clone)]
pub struct SessionDescription {
    bytes: Bytes,
    /// Text of added and rewritten lines.
    added: Vec<u8>,
    lines: Vec<Line>,
}

/// The part of a description that a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// What stands in front of the first `m=`.
    Session,
    /// A media section, by its place.
    Media(usize),
}

/// One line; offsets are into the received bytes or into the added ones.
#[derive(Clone, Copy)]
struct Line {
    /// The type's letter; 0 for an empty line at the end of the text.
    kind: u8,
    is_added: bool,
    start: u32,
    /// With the line end.
    end: u32,
}

impl SessionDescription {
    /// Reads a description with the default [`SdpLimits`].
    ///
    /// # Errors
    /// As [`SessionDescription::parse_with`].
    pub fn parse(text: Bytes) -> Result<SessionDescription, SdpError> {
        SessionDescription::parse_with(text, &SdpLimits::default())
    }

    /// Reads a description. Lines may end in LF alone (RFC 8866 §5), and the last in nothing.
    ///
    /// # Errors
    /// The first line that is not what it must be.
    pub fn parse_with(text: Bytes, limits: &SdpLimits) -> Result<SessionDescription, SdpError> {
        if text.len() > limits.bytes {
            return Err(SdpError { line: 1, fault: SdpFault::Limit });
        }
        let mut description = SessionDescription { bytes: text, added: Vec::new(), lines: Vec::new() };
        let (mut at, mut media, mut attributes) = (0, 0, 0);
        while at < description.bytes.len() {
            let rest = &description.bytes[at..];
            let end = at + memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let kind = kind(&description.bytes[at..end]);
            let line = Line { kind: kind.unwrap_or(0), is_added: false, start: at as u32, end: end as u32 };
            let number = description.lines.len() + 1;
            match line.kind {
                b'm' => (media, attributes) = (media + 1, 0),
                b'a' => attributes += 1,
                _ => {}
            }
            let after_blank = description.lines.last().is_some_and(|last| last.kind == 0) && line.kind != 0;
            let fault = match kind {
                Err(fault) => Some(fault),
                Ok(_) if after_blank => Some(SdpFault::Line),
                Ok(_) if media > limits.media || attributes > limits.attributes => Some(SdpFault::Limit),
                Ok(_) => description.fault(line, number),
            };
            if let Some(fault) = fault {
                return Err(SdpError { line: number, fault });
            }
            description.lines.push(line);
            at = end;
        }
        let session = description.range(Section::Session).unwrap_or_default();
        match description.find(session, b'o') {
            Some(_) => Ok(description),
            None if description.lines.is_empty() => Err(SdpError { line: 1, fault: SdpFault::Version }),
            None => Err(SdpError { line: description.lines.len(), fault: SdpFault::Origin }),
        }
    }

    /// Who made the description (RFC 8866 §5.2).
    pub fn origin(&self) -> Origin<'_> {
        let session = self.range(Section::Session).unwrap_or_default();
        self.find(session, b'o').and_then(|at| Origin::read(self.text(self.lines[at]))).unwrap_or_default()
    }

    /// The address of the session level (RFC 8866 §5.7). A media section may have its own: [`Media::connection`].
    pub fn connection(&self) -> Option<Connection<'_>> {
        self.connection_in(self.range(Section::Session)?)
    }

    /// The attributes of the session level, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.attributes_in(self.range(Section::Session).unwrap_or_default())
    }

    /// The value of the first attribute of that name at the session level; empty for one without a value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|attribute| attribute.name == name).map(|attribute| attribute.value.unwrap_or_default())
    }

    /// The direction that holds for sections without their own (RFC 8866 §6.7).
    pub fn direction(&self) -> Direction {
        self.attributes().find_map(|attribute| Direction::find(attribute.name)).unwrap_or_default()
    }

    /// The media sections, in order.
    pub fn media(&self) -> impl Iterator<Item = Media<'_>> {
        let starts = self.lines.iter().enumerate().filter(|(_, line)| line.kind == b'm').map(|(at, _)| at);
        let ends = starts.clone().skip(1).chain([self.lines.len()]);
        starts.zip(ends).filter_map(|(start, end)| self.media_in(start..end))
    }

    /// One media section by its place, from 0.
    pub fn media_at(&self, index: usize) -> Option<Media<'_>> {
        self.media_in(self.range(Section::Media(index))?)
    }

    fn media_in(&self, lines: Range<usize>) -> Option<Media<'_>> {
        let line = MediaLine::read(self.text(self.lines[lines.start]))?;
        Some(Media { description: self, line, lines })
    }

    /// Every line as its type and its value, in order.
    pub fn lines(&self) -> impl Iterator<Item = (char, &[u8])> {
        self.lines.iter().filter(|line| line.kind != 0).map(|line| (char::from(line.kind), self.value(*line)))
    }

    /// The bytes to send: one pass, what was not edited byte for byte.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes.len() + self.added.len());
        for line in &self.lines {
            out.extend_from_slice(&self.source(*line)[line.start as usize..line.end as usize]);
        }
        out.into()
    }

    /// What is wrong with a line that the accessors will read.
    fn fault(&self, line: Line, number: usize) -> Option<SdpFault> {
        let text = self.text(line);
        let (is_right, fault) = match line.kind {
            _ if number == 1 => (line.kind == b'v' && text.trim_ascii_end() == "0", SdpFault::Version),
            b'o' => (Origin::read(text).is_some(), SdpFault::Origin),
            b'c' => (Connection::read(text).is_some(), SdpFault::Connection),
            b'm' => (MediaLine::read(text).is_some(), SdpFault::Media),
            _ => return None,
        };
        (!is_right).then_some(fault)
    }

    /// The lines of a section, `m=` included.
    fn range(&self, section: Section) -> Option<Range<usize>> {
        let mut starts = self.lines.iter().enumerate().filter(|(_, line)| line.kind == b'm').map(|(at, _)| at);
        let start = match section {
            Section::Session => 0,
            Section::Media(index) => starts.nth(index)?,
        };
        Some(start..starts.next().unwrap_or(self.lines.len()))
    }

    fn find(&self, lines: Range<usize>, kind: u8) -> Option<usize> {
        self.lines[lines.clone()].iter().position(|line| line.kind == kind).map(|at| lines.start + at)
    }

    fn connection_in(&self, lines: Range<usize>) -> Option<Connection<'_>> {
        self.find(lines, b'c').and_then(|at| Connection::read(self.text(self.lines[at])))
    }

    fn attributes_in(&self, lines: Range<usize>) -> impl Iterator<Item = Attribute<'_>> {
        self.lines[lines].iter().filter(|line| line.kind == b'a').map(|line| Attribute::read(self.text(*line)))
    }

    fn source(&self, line: Line) -> &[u8] {
        if line.is_added { &self.added } else { &self.bytes }
    }

    /// What stands behind the equals sign, without the line end.
    fn value(&self, line: Line) -> &[u8] {
        content(&self.source(line)[line.start as usize..line.end as usize]).get(2..).unwrap_or_default()
    }

    /// The value as text; empty where it is not UTF-8.
    fn text(&self, line: Line) -> &str {
        std::str::from_utf8(self.value(line)).unwrap_or_default()
    }
}

/// A line without its end.
fn content(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).unwrap_or(line)
}

/// The type of a line; 0 for an empty one.
fn kind(line: &[u8]) -> Result<u8, SdpFault> {
    let text = content(line);
    if text.iter().any(|byte| matches!(byte, b'\r' | 0)) {
        return Err(SdpFault::Control);
    }
    match text {
        [] => Ok(0),
        [kind, b'=', ..] if kind.is_ascii_alphabetic() => Ok(*kind),
        _ => Err(SdpFault::Line),
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";

    fn check(text: &str, expected: Option<(usize, SdpFault)>) {
        let fault = SessionDescription::parse(text.to_string().into()).err().map(|error| (error.line, error.fault));
        assert_eq!(fault, expected, "{text:?}");
    }

    #[test]
    fn lines_are_what_they_must_be() {
        for (behind, fault) in [
            ("", None),
            ("\r\n", None),
            ("\n\r\n", None),
            ("t=0 0", None),
            ("x-custom=1\r\n", Some(SdpFault::Line)),
            ("Y=unknown\r\n", None),
            ("a=\r\n", None),
            ("a\r\n", Some(SdpFault::Line)),
            ("a =x\r\n", Some(SdpFault::Line)),
            (" a=x\r\n", Some(SdpFault::Line)),
            ("=x\r\n", Some(SdpFault::Line)),
            ("1=x\r\n", Some(SdpFault::Line)),
            ("a=x\ry\r\n", Some(SdpFault::Control)),
            ("a=x\r", Some(SdpFault::Control)),
            ("a=x\0\r\n", Some(SdpFault::Control)),
            ("c=IN IP4 192.0.2.1\r\n", None),
            ("c=IN IP4 224.2.1.1/127/3\r\n", None),
            ("c=IN IP4\r\n", Some(SdpFault::Connection)),
            ("c=IN IP4 \r\n", Some(SdpFault::Connection)),
            ("c=IN IP4 a b\r\n", Some(SdpFault::Connection)),
            ("m=audio 9 RTP/AVP 0\r\n", None),
            ("m=audio 65535/2 RTP/AVP 0\r\n", None),
            ("m=audio 65536 RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio -1 RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio +9 RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio  RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio 9/0 RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio 9/65536 RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio 9 RTP/AVP\r\n", Some(SdpFault::Media)),
            ("m=audio 9 RTP/AVP \r\n", Some(SdpFault::Media)),
            ("m= 9 RTP/AVP 0\r\n", Some(SdpFault::Media)),
            ("m=audio 9  0\r\n", Some(SdpFault::Media)),
        ] {
            check(&format!("{HEAD}{behind}"), fault.map(|fault| (4, fault)));
        }
        check(&format!("{HEAD}\r\na=x\r\n"), Some((5, SdpFault::Line)));
    }

    #[test]
    fn version_and_origin_come_first() {
        for (text, line, fault) in [
            ("", 1, SdpFault::Version),
            ("\r\n", 1, SdpFault::Version),
            ("v=1\r\n", 1, SdpFault::Version),
            ("s=-\r\nv=0\r\n", 1, SdpFault::Version),
            ("v=0\r\ns=-\r\n", 2, SdpFault::Origin),
            ("v=0\r\nm=a 1 b c\r\no=- 1 1 IN IP4 h\r\n", 3, SdpFault::Origin),
            ("v=0\r\no=- 1 1 IN IP4\r\n", 2, SdpFault::Origin),
            ("v=0\r\no=- x 1 IN IP4 h\r\n", 2, SdpFault::Origin),
            ("v=0\r\no=- 1  IN IP4 h\r\n", 2, SdpFault::Origin),
            ("v=0\r\no= 1 1 IN IP4 h\r\n", 2, SdpFault::Origin),
        ] {
            check(text, Some((line, fault)));
        }
    }

    /// Threat P9: one below, at, and one above each limit.
    #[test]
    fn p09_limits_hold() {
        let limits = SdpLimits { bytes: 200, media: 3, attributes: 4 };
        let check = |behind: String, expected: Option<SdpFault>| {
            let found = SessionDescription::parse_with(format!("{HEAD}{behind}").into(), &limits);
            assert_eq!(found.err().map(|error| error.fault), expected, "{behind:?}");
        };
        for (more, expected) in [(0, None), (1, None), (2, Some(SdpFault::Limit))] {
            check("m=a 1 b c\r\n".repeat(2 + more), expected);
            check("a=x\r\n".repeat(3 + more), expected);
            check(format!("a=y\r\nm=a 1 b c\r\n{}", "a=x\r\n".repeat(3 + more)), expected);
            check(format!("a={}", "x".repeat(199 - 2 - HEAD.len() + more)), expected);
        }
        check("a=x\r\na=x\r\na=x\r\na=x\r\nm=a 1 b c\r\n".repeat(2), None);
    }

    /// Threat P14: whatever a text ends in, it is read or refused, and what is read can be asked for everything.
    #[test]
    fn p14_texts_that_are_cut_short() {
        let whole = format!(
            "{HEAD}b=AS:1\r\nc=IN IP4 192.0.2.1/127\r\nm=audio 9/2 RTP/AVP 0 96\r\na=rtpmap:96 x/8000/2\r\na=fmtp:96 a=b\r\n\
             a=rtcp:9 IN IP4 h\r\na=crypto:1 S inline:k s\r\na=curr:qos local none\r\na=des:qos mandatory local send\r\n"
        );
        for end in 0..=whole.len() {
            for tail in ["", "\r", "\n", "\r\n", "\r\n\r\n", "=", ":", " ", "/", "\0", "%", "\u{fc}"] {
                let text = format!("{}{tail}", &whole[..end]);
                let Ok(description) = SessionDescription::parse(text.clone().into()) else { continue };
                assert_eq!(description.to_bytes(), text.as_bytes());
                for media in description.media() {
                    let _ = (media.rtpmaps().count(), media.fmtp("96"), media.rtcp(), media.cryptos().count());
                    let _ = (media.preconditions("qos"), media.bandwidth("AS"), media.connection().map(|at| at.ip()));
                }
                assert_eq!(
                    check_answer(&description, &description).is_ok(),
                    description.media().all(|media| media.direction() == Direction::SendRecv)
                );
            }
        }
    }

    /// Lines of every kind, edited by nobody.
    fn text() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            3 => "[a-zA-Z]=[ -~]{0,20}(\r)?\n",
            1 => "\\PC{0,20}",
            2 => "a=[a-z]{1,5}(:[ -~]{0,9})?\r\n",
            2 => "m=audio [0-9]{1,5} RTP/AVP [0-9]{1,3}\r\n",
            1 => "c=IN IP[46] [0-9a-f:.]{3,12}\r\n",
        ];
        prop::collection::vec(line, 0..12).prop_map(|lines| format!("{HEAD}{}", lines.concat()))
    }

    proptest! {
            #[test]
            fn what_nobody_edited_is_written_as_it_came(text in text()) {
                if let Ok(description) = SessionDescription::parse(text.clone().into()) {
                    prop_assert_eq!(description.to_bytes(), text.as_bytes());
                }
            }

            /// Whatever is accepted can be read and edited, and what comes out is accepted again.
            #[test]
            fn what_is_accepted_can_be_edited(text in text(), index in 0usize..4, port in any::<u16>(), add in "[ -~&&[^:]]{0,9}") {
                let Ok(mut description) = SessionDescription::parse(text.into()) else { return Ok(()) };
                let sections = description.media().count();
                let lines = description.lines().count();
                prop_assert_eq!(description.set_port(index, port), index < sections);
                prop_assert_eq!(description.add_attribute(Section::Media(index), &add, None), index < sections);
                prop_assert_eq!(description.lines().count(), lines + usize::from(index < sections));
                description.set_address(Section::Media(index), [192, 0, 2, 9].into());
                let read = SessionDescription::parse(description.to_bytes()).unwrap();
                prop_assert_eq!(read.media().count(), sections);
                if let Some(media) = read.media_at(index) {
                    prop_assert_eq!(media.port(), port);
                    prop_assert_eq!(media.connection().and_then(|found| found.ip()), Some([192, 0, 2, 9].into()));
    prop_assert!(media.attribute(add.trim_ascii_end()).is_some());
                }
            }
        }
}
