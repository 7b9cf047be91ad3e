//! What media sections say of their streams beyond address and formats: bandwidth, packet times, codecs, RTCP, and keys in
//! the description itself.

use super::fields::{Connection, Media, RtpMap, number};
use super::{Section, SessionDescription};

/// A `b=` line: how much of what (RFC 8866 §5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bandwidth<'a> {
    /// `CT` or `AS`, in kilobits a second; `TIAS`, `RS`, `RR` in bits a second (RFC 3890, RFC 3556).
    pub kind: &'a str,
    /// How much.
    pub value: u64,
}

/// Where RTCP goes, where that is not the port above the media's (RFC 3605).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// The address, where it is not that of the media.
    pub connection: Option<Connection<'a>>,
}

/// A key for SRTP in the description (RFC 4568 §4). It is a secret: whoever logs descriptions must take it out.
///
/// ```
/// use imscore_sip::sdp::{Bandwidth, Crypto, Rtcp, Section, SessionDescription};
///
/// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\nb=AS:64\r\n\
///             a=rtcp:4005\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n";
/// let offer = SessionDescription::parse(text.into())?;
/// let audio = offer.media_at(0).ok_or("no section")?;
/// let Some(Crypto { tag, suite, .. }) = audio.cryptos().next() else { panic!("one key") };
/// assert_eq!((tag, suite), (1, "AES_CM_128_HMAC_SHA1_80"));
/// let rtcp: Option<Rtcp<'_>> = audio.rtcp();
/// assert_eq!(rtcp.map(|rtcp| rtcp.port), Some(4_005));
/// let limits: Vec<Bandwidth<'_>> = offer.bandwidths(Section::Media(0)).collect();
/// assert_eq!((limits[0].kind, limits[0].value), ("AS", 64));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crypto<'a> {
    /// By what an answer names the one it takes.
    pub tag: u32,
    /// The suite, `AES_CM_128_HMAC_SHA1_80`.
    pub suite: &'a str,
    /// Method and key of each master key, `inline:…`, with semicolons between them.
    pub keys: &'a str,
    /// Parameters of the session as they stand, empty for none.
    pub session: &'a str,
}

impl std::fmt::Debug for Crypto<'_> {
    /// Leaves the keys out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crypto").field("tag", &self.tag).field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl SessionDescription {
    /// The bandwidths of a section, in order; malformed ones are left out.
    pub fn bandwidths(&self, section: Section) -> impl Iterator<Item = Bandwidth<'_>> {
        let lines = self.range(section).unwrap_or_default();
        self.lines[lines].iter().filter(|line| line.kind == b'b').filter_map(|line| Bandwidth::read(self.text(*line)))
    }
}

impl<'a> Media<'a> {
    /// The bandwidth of that kind: the section's, else the session's.
    pub fn bandwidth(&self, kind: &str) -> Option<u64> {
        let own = self.description.lines[self.lines.clone()].iter().filter(|line| line.kind == b'b');
        own.filter_map(|line| Bandwidth::read(self.description.text(*line)))
            .chain(self.description.bandwidths(Section::Session))
            .find(|found| found.kind == kind)
            .map(|found| found.value)
    }

    /// Milliseconds of media in a packet, 1 and up. `None`: not said, or no number up to 65,535.
    pub fn ptime(&self) -> Option<u16> {
        self.milliseconds("ptime")
    }

    /// Milliseconds of media in a packet at most, as [`ptime`](Media::ptime).
    pub fn max_ptime(&self) -> Option<u16> {
        self.milliseconds("maxptime")
    }

    fn milliseconds(&self, name: &str) -> Option<u16> {
        number(self.attribute(name)?.trim_ascii()).filter(|milliseconds| *milliseconds > 0)
    }

    /// The name of the section for groups and BUNDLE (RFC 5888).
    pub fn mid(&self) -> Option<&'a str> {
        self.attribute("mid").map(str::trim_ascii).filter(|mid| !mid.is_empty())
    }

    /// Where RTCP goes, where the section says so.
    pub fn rtcp(&self) -> Option<Rtcp<'a>> {
        let value = self.attribute("rtcp")?.trim_ascii();
        let (port, connection) = match value.split_once(' ') {
            None => (value, None),
            Some((port, connection)) => (port, Some(Connection::read(connection)?)),
        };
        Some(Rtcp { port: number(port)?, connection })
    }

    /// True where RTP and RTCP may share a port: `rtcp-mux` (RFC 5761).
    pub fn has_rtcp_mux(&self) -> bool {
        self.attribute("rtcp-mux").is_some()
    }

    /// The keys in the section, in order; malformed ones are left out.
    pub fn cryptos(&self) -> impl Iterator<Item = Crypto<'a>> + use<'a> {
        self.values("crypto").filter_map(Crypto::read)
    }

    /// What a payload type stands for: what the section says, else what RFC 3551 §6 has for the static ones.
    pub fn codec(&self, payload: u8) -> Option<RtpMap<'a>> {
        self.rtpmap(payload).or_else(|| {
            let found = STATIC.iter().find(|(known, ..)| *known == payload)?;
            let (payload, encoding, clock_rate, channels) = *found;
            Some(RtpMap { payload, encoding, clock_rate, channels })
        })
    }

    /// True for a section that carries RTP, by whatever profile.
    pub fn is_rtp(&self) -> bool {
        let protocol = self.protocol();
        protocol.split('/').any(|part| part == "RTP")
    }
}

/// Static payload types that are in use (RFC 3551 §6).
const STATIC: &[(u8, &str, u32, u8)] = &[
    (0, "PCMU", 8_000, 1),
    (3, "GSM", 8_000, 1),
    (4, "G723", 8_000, 1),
    (8, "PCMA", 8_000, 1),
    (9, "G722", 8_000, 1),
    (10, "L16", 44_100, 2),
    (11, "L16", 44_100, 1),
    (13, "CN", 8_000, 1),
    (15, "G728", 8_000, 1),
    (18, "G729", 8_000, 1),
    (26, "JPEG", 90_000, 1),
    (31, "H261", 90_000, 1),
    (34, "H263", 90_000, 1),
];

/// The parameters of a format, `mode-set=0,2;octet-align=1` (RFC 8866 §6.15), as most codecs write them: names and
/// values with semicolons between.
pub fn format_parameters(parameters: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    parameters.split(';').map(str::trim_ascii).filter(|parameter| !parameter.is_empty()).map(
        |parameter| match parameter.split_once('=') {
            None => (parameter, None),
            Some((name, value)) => (name.trim_ascii_end(), Some(value.trim_ascii_start())),
        },
    )
}

impl<'a> Bandwidth<'a> {
    fn read(value: &'a str) -> Option<Bandwidth<'a>> {
        let (kind, value) = value.trim_ascii_end().split_once(':')?;
        (!kind.is_empty()).then_some(Bandwidth { kind, value: number(value)? })
    }
}

impl<'a> Crypto<'a> {
    fn read(value: &'a str) -> Option<Crypto<'a>> {
        let (tag, rest) = value.trim_ascii().split_once(' ')?;
        let (suite, rest) = rest.trim_ascii_start().split_once(' ')?;
        let (keys, session) = rest.trim_ascii_start().split_once(' ').unwrap_or((rest.trim_ascii_start(), ""));
        let is_keyed = keys.split(';').all(|key| key.split_once(':').is_some_and(|(_, info)| !info.is_empty()));
        is_keyed.then_some(Crypto { tag: number(tag)?, suite, keys, session: session.trim_ascii_start() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(lines: &str) -> SessionDescription {
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nb=AS:128\r\nb=x\r\nt=0 0\r\nm=audio 9 RTP/SAVP 0 96\r\n{lines}"
        );
        SessionDescription::parse(text.into()).unwrap()
    }

    #[test]
    fn bandwidths() {
        let offer = media("b=RS:600\r\nb=TIAS:18446744073709551615\r\nb=RR:18446744073709551616\r\nb=:1\r\nb=X:-1\r\n");
        let audio = offer.media_at(0).unwrap();
        assert_eq!(audio.bandwidth("AS"), Some(128));
        assert_eq!(
            (audio.bandwidth("RS"), audio.bandwidth("TIAS"), audio.bandwidth("RR")),
            (Some(600), Some(u64::MAX), None)
        );
        assert_eq!(offer.bandwidths(Section::Media(0)).count(), 2);
        assert_eq!(offer.bandwidths(Section::Session).map(|found| (found.kind, found.value)).next(), Some(("AS", 128)));
        assert_eq!(offer.bandwidths(Section::Media(1)).count(), 0);
        assert_eq!(media("b=AS:64\r\n").media_at(0).unwrap().bandwidth("AS"), Some(64));
    }

    /// Threat P9: packet times that are none, or larger than any, overflow nothing.
    #[test]
    fn p09_packet_times() {
        for (text, expected) in [
            ("20", Some(20)),
            ("65535", Some(65_535)),
            (" 20 ", Some(20)),
            ("0", None),
            ("65536", None),
            ("-20", None),
            ("20.5", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            let offer = media(&format!("a=ptime:{text}\r\na=maxptime:{text}\r\n"));
            let audio = offer.media_at(0).unwrap();
            assert_eq!((audio.ptime(), audio.max_ptime()), (expected, expected), "{text:?}");
        }
    }

    #[test]
    fn rtcp() {
        for (lines, port, address, mux) in [
            ("a=rtcp:53020\r\n", Some(53_020), None, false),
            ("a=rtcp:53020 IN IP6 2001:db8::1\r\na=rtcp-mux\r\n", Some(53_020), Some("2001:db8::1"), true),
            ("a=rtcp:65536\r\n", None, None, false),
            ("a=rtcp:1 IN\r\n", None, None, false),
            ("", None, None, false),
        ] {
            let offer = media(lines);
            let audio = offer.media_at(0).unwrap();
            let rtcp = audio.rtcp();
            assert_eq!(rtcp.map(|rtcp| rtcp.port), port, "{lines}");
            assert_eq!(rtcp.and_then(|rtcp| rtcp.connection).map(|found| found.address), address, "{lines}");
            assert_eq!(audio.has_rtcp_mux(), mux, "{lines}");
        }
    }

    #[test]
    fn keys() {
        let offer = media(
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32 KDR=1\r\n\
             a=crypto:2 F8_128_HMAC_SHA1_80 inline:a;inline:b\r\na=crypto:x y inline:z\r\na=crypto:3 y inline\r\na=crypto:5 y inline:\r\na=crypto:4\r\n",
        );
        let audio = offer.media_at(0).unwrap();
        let [first, second] = &audio.cryptos().collect::<Vec<_>>()[..] else { panic!("two keys") };
        assert_eq!((first.tag, first.suite, first.session), (1, "AES_CM_128_HMAC_SHA1_80", "KDR=1"));
        assert_eq!(first.keys, "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32");
        assert_eq!((second.tag, second.keys), (2, "inline:a;inline:b"));
        assert!(!format!("{first:?}").contains("inline"));
    }

    #[test]
    fn codecs() {
        let offer = media("a=rtpmap:96 AMR-WB/16000\r\na=fmtp:96 mode-set=0,2; octet-align = 1;;x\r\na=mid: 0\r\n");
        let audio = offer.media_at(0).unwrap();
        assert_eq!(audio.codec(96).map(|codec| (codec.encoding, codec.clock_rate)), Some(("AMR-WB", 16_000)));
        assert_eq!(audio.codec(0).map(|codec| codec.encoding), Some("PCMU"));
        assert!(audio.codec(97).is_none() && audio.codec(1).is_none());
        let parameters: Vec<_> = format_parameters(audio.fmtp("96").unwrap()).collect();
        assert_eq!(parameters, [("mode-set", Some("0,2")), ("octet-align", Some("1")), ("x", None)]);
        assert_eq!((audio.mid(), audio.is_rtp()), (Some("0"), true));
        let other = media("m=message 1 TCP/MSRP *\r\n");
        assert!(!other.media_at(1).unwrap().is_rtp());
        assert_eq!(media("a=rtpmap:0 X/1\r\n").media_at(0).unwrap().codec(0).map(|codec| codec.encoding), Some("X"));
    }
}
