//! What stands in the lines: origin, connection, media descriptions and the attributes that all of SIP needs.

use std::net::IpAddr;
use std::ops::Range;
use std::str::FromStr;

use super::SessionDescription;

/// Who made a description, and which version of it this is (RFC 8866 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// `-` where there is none.
    pub username: &'a str,
    /// A number that may be longer than 64 bits.
    pub session_id: &'a str,
    /// As the session id; grows with each change of the description (RFC 3264 §8).
    pub session_version: &'a str,
    /// Of the machine that made it; not where media go.
    pub connection: Connection<'a>,
}

/// An address for media, or of a maker (RFC 8866 §5.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection<'a> {
    /// `IN`
    pub network_type: &'a str,
    /// `IP4` or `IP6`
    pub address_type: &'a str,
    /// An address without brackets, or a name; a group is followed by `/` and its TTL.
    pub address: &'a str,
}

/// Which way media flow, seen from who wrote it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// An `a=` line (RFC 8866 §5.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute<'a> {
    /// What stands in front of the colon.
    pub name: &'a str,
    /// What stands behind it, where there is one.
    pub value: Option<&'a str>,
}

/// What a payload type stands for (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpMap<'a> {
    /// The payload type, 0 to 127.
    pub payload: u8,
    /// The encoding's name, compared without regard to case.
    pub encoding: &'a str,
    /// Ticks of the timestamp in a second.
    pub clock_rate: u32,
    /// Channels of audio; 1 where it does not say.
    pub channels: u8,
}

/// One media section: its `m=` and the lines behind it.
///
/// ```
/// use imscore_sip::sdp::{Attribute, Connection, Media, Origin, RtpMap, SessionDescription};
///
/// let text = "v=0\r\no=alice 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
///             m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=ptime:20\r\n";
/// let offer = SessionDescription::parse(text.into())?;
/// let Origin { username, session_id, .. } = offer.origin();
/// assert_eq!((username, session_id), ("alice", "7"));
/// let audio: Media<'_> = offer.media_at(0).ok_or("no section")?;
/// let connection: Option<Connection<'_>> = audio.connection();
/// assert_eq!(connection.and_then(|connection| connection.ip()), Some("192.0.2.1".parse()?));
/// let codec: Option<RtpMap<'_>> = audio.rtpmap(96);
/// assert_eq!(codec.map(|codec| (codec.encoding, codec.channels)), Some(("opus", 2)));
/// let last: Option<Attribute<'_>> = audio.attributes().last();
/// assert_eq!(last.map(|attribute| (attribute.name, attribute.value)), Some(("ptime", Some("20"))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Media<'a> {
    pub(super) description: &'a SessionDescription,
    pub(super) line: MediaLine<'a>,
    pub(super) lines: Range<usize>,
}

/// The value of an `m=` (RFC 8866 §5.14).
#[derive(Clone, Copy, Debug)]
pub(super) struct MediaLine<'a> {
    kind: &'a str,
    /// Where the port's digits stand in the value.
    port_at: usize,
    port_digits: usize,
    port: u16,
    count: u16,
    protocol: &'a str,
    formats: &'a str,
}

impl<'a> Media<'a> {
    /// `audio`, `video`, `application`, `message` …
    pub fn kind(&self) -> &'a str {
        self.line.kind
    }

    /// The port; 0 for a section that is refused or, with `a=bundle-only`, has none of its own.
    pub fn port(&self) -> u16 {
        self.line.port
    }

    /// How many ports, or pairs of them, there are; nearly always 1.
    pub fn port_count(&self) -> u16 {
        self.line.count
    }

    /// The transport and profile, `RTP/AVP`.
    pub fn protocol(&self) -> &'a str {
        self.line.protocol
    }

    /// The formats; with RTP these are payload types.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.line.formats.split_ascii_whitespace()
    }

    /// The address that media go to: the section's, else the session's.
    pub fn connection(&self) -> Option<Connection<'a>> {
        self.description.connection_in(self.lines.clone()).or_else(|| self.description.connection())
    }

    /// The attributes of the section, in order; those of the session are apart.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.description.attributes_in(self.lines.clone())
    }

    /// The value of the first attribute of that name; empty for one without a value.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// The values of all attributes of that name, in order.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.attributes().filter(move |attribute| attribute.name == name).map(|found| found.value.unwrap_or_default())
    }

    /// The direction: the section's, else the session's, else both ways.
    pub fn direction(&self) -> Direction {
        let own = self.attributes().find_map(|attribute| Direction::find(attribute.name));
        own.unwrap_or_else(|| self.description.direction())
    }

    /// What its payload types stand for, in order; malformed ones are left out.
    pub fn rtpmaps(&self) -> impl Iterator<Item = RtpMap<'a>> + use<'a> {
        self.values("rtpmap").filter_map(RtpMap::read)
    }

    /// What a payload type stands for, where the section says so.
    pub fn rtpmap(&self, payload: u8) -> Option<RtpMap<'a>> {
        self.rtpmaps().find(|map| map.payload == payload)
    }

    /// The parameters of a format as they stand (RFC 8866 §6.15).
    pub fn fmtp(&self, format: &str) -> Option<&'a str> {
        self.values("fmtp").find_map(|value| {
            let (found, parameters) = value.split_once(' ')?;
            (found == format).then(|| parameters.trim_ascii())
        })
    }
}

impl<'a> Origin<'a> {
    pub(super) fn read(value: &'a str) -> Option<Origin<'a>> {
        let mut parts = value.trim_ascii_end().rsplitn(6, ' ');
        let (address, address_type, network_type) = (parts.next()?, parts.next()?, parts.next()?);
        let connection = Connection { network_type, address_type, address };
        let (session_version, session_id) = (parts.next()?, parts.next()?);
        let username = parts.next().filter(|username| !username.is_empty())?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let is_right = is_number(session_id) && is_number(session_version) && connection.is_complete();
        is_right.then_some(Origin { username, session_id, session_version, connection })
    }
}

impl<'a> Connection<'a> {
    pub(super) fn read(value: &'a str) -> Option<Connection<'a>> {
        let mut parts = value.trim_ascii_end().split(' ');
        let connection =
            Connection { network_type: parts.next()?, address_type: parts.next()?, address: parts.next()? };
        (parts.next().is_none() && connection.is_complete()).then_some(connection)
    }

    /// The address, where it is one of its type and not a name. TTL and count of a group are left out.
    pub fn ip(&self) -> Option<IpAddr> {
        let address = self.address.split('/').next()?.parse::<IpAddr>().ok()?;
        let is_of_type = self.address_type == if address.is_ipv4() { "IP4" } else { "IP6" };
        (self.network_type == "IN" && is_of_type).then_some(address)
    }

    fn is_complete(&self) -> bool {
        ![self.network_type, self.address_type, self.address].contains(&"")
    }
}

impl Direction {
    /// The direction that an attribute's name stands for.
    pub fn find(name: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }

    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }
}

impl<'a> Attribute<'a> {
    pub(super) fn read(value: &'a str) -> Attribute<'a> {
        match value.split_once(':') {
            None => Attribute { name: value.trim_ascii_end(), value: None },
            Some((name, value)) => Attribute { name: name.trim_ascii_end(), value: Some(value) },
        }
    }
}

impl<'a> RtpMap<'a> {
    fn read(value: &'a str) -> Option<RtpMap<'a>> {
        let (payload, rest) = value.split_once(' ')?;
        let mut parts = rest.trim_ascii().split('/');
        let encoding = parts.next().filter(|encoding| !encoding.is_empty())?;
        let clock_rate = number(parts.next()?)?;
        let channels = parts.next().map_or(Some(1), number)?;
        let payload = number(payload).filter(|payload| *payload < 128)?;
        Some(RtpMap { payload, encoding, clock_rate, channels })
    }
}

impl<'a> MediaLine<'a> {
    pub(super) fn read(value: &'a str) -> Option<MediaLine<'a>> {
        let (kind, behind_kind) = value.split_once(' ')?;
        let (ports, behind_ports) = behind_kind.split_once(' ')?;
        let (protocol, formats) = behind_ports.split_once(' ')?;
        let (digits, count) = match ports.split_once('/') {
            None => (ports, 1),
            Some((digits, count)) => (digits, number(count).filter(|count| *count > 0)?),
        };
        let is_complete = !kind.is_empty() && !protocol.is_empty() && !formats.trim_ascii().is_empty();
        is_complete.then_some(MediaLine {
            kind,
            port_at: kind.len() + 1,
            port_digits: digits.len(),
            port: number(digits)?,
            count,
            protocol,
            formats,
        })
    }

    /// What stands in front of the port and behind it.
    pub(super) fn around_port(&self, value: &'a str) -> (&'a str, &'a str) {
        (&value[..self.port_at], &value[self.port_at + self.port_digits..])
    }
}

/// Digits that fit; no sign, no white space.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=Alice Smith 20518446744073709551617 2 IN IP6 2001:db8::1\r\ns=-\r\n\
        c=IN IP4 192.0.2.1\r\nt=0 0\r\na=recvonly \r\na=tool:x:y\r\na=ice-lite\r\n\
        m=audio 49170/2 RTP/AVP 0 96 97\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n\
        a=rtpmap:200 big/8000\r\na=rtpmap:97\r\na=rtpmap:97 /8000\r\na=rtpmap:97 x/99999999999\r\n\
        a=rtpmap:98 x/8000/300\r\na=fmtp:96 useinbandfec=1; stereo=0 \r\na=inactive\r\n\
        m=video 0 RTP/SAVPF 99\r\nc=IN IP6 2001:db8::2\r\n";

    fn offer() -> SessionDescription {
        SessionDescription::parse(OFFER.into()).unwrap()
    }

    #[test]
    fn the_session_is_read() {
        let offer = offer();
        let origin = offer.origin();
        assert_eq!((origin.username, origin.session_id), ("Alice Smith", "20518446744073709551617"));
        assert_eq!((origin.session_version, origin.connection.address), ("2", "2001:db8::1"));
        assert_eq!(offer.connection().and_then(|found| found.ip()), Some([192, 0, 2, 1].into()));
        assert_eq!(offer.direction(), Direction::RecvOnly);
        assert_eq!(offer.attribute("tool"), Some("x:y"));
        assert_eq!(offer.attribute("ice-lite"), Some(""));
        assert_eq!(offer.attribute("rtpmap"), None);
        assert_eq!(offer.lines().nth(2), Some(('s', &b"-"[..])));
    }

    #[test]
    fn media_are_read() {
        let offer = offer();
        let [audio, video] = &offer.media().collect::<Vec<_>>()[..] else { panic!("two sections") };
        assert_eq!((audio.kind(), audio.port(), audio.port_count(), audio.protocol()), ("audio", 49170, 2, "RTP/AVP"));
        assert_eq!(audio.formats().collect::<Vec<_>>(), ["0", "96", "97"]);
        assert_eq!(audio.connection().and_then(|found| found.ip()), Some([192, 0, 2, 1].into()));
        assert_eq!((audio.direction(), video.direction()), (Direction::Inactive, Direction::RecvOnly));
        assert_eq!((video.kind(), video.port(), video.port_count()), ("video", 0, 1));
        assert_eq!(video.connection().map(|found| found.address), Some("2001:db8::2"));
        assert_eq!(video.attribute("rtpmap"), None);
    }

    /// Threat P9: a number that does not fit is no format of ours, and overflows nothing.
    #[test]
    fn p09_formats_are_read() {
        let offer = offer();
        let audio = offer.media_at(0).unwrap();
        let opus = RtpMap { payload: 96, encoding: "opus", clock_rate: 48_000, channels: 2 };
        assert_eq!(audio.rtpmap(96), Some(opus));
        assert_eq!(audio.rtpmap(0).map(|map| map.channels), Some(1));
        assert_eq!(audio.rtpmaps().count(), 2);
        assert_eq!(audio.values("rtpmap").count(), 7);
        assert_eq!(audio.fmtp("96"), Some("useinbandfec=1; stereo=0"));
        assert_eq!(audio.fmtp("9"), None);
    }

    #[test]
    fn an_address_is_one_of_its_type() {
        for (value, expected) in [
            ("IN IP4 192.0.2.1", Some("192.0.2.1")),
            ("IN IP4 224.2.1.1/127", Some("224.2.1.1")),
            ("IN IP6 2001:db8::1", Some("2001:db8::1")),
            ("IN IP6 192.0.2.1", None),
            ("IN IP4 2001:db8::1", None),
            ("IN IP6 [2001:db8::1]", None),
            ("IN IP4 host.example", None),
            ("ATM NSAP 192.0.2.1", None),
        ] {
            let found = Connection::read(value).unwrap().ip();
            assert_eq!(found, expected.map(|address| address.parse().unwrap()), "{value}");
        }
    }
}
