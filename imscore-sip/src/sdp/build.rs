//! Offers and answers from what is wanted of each stream.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::{Direction, Media, SessionDescription};

/// One section of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaOffer {
    /// `audio`, `video`, `message` …
    pub kind: String,
    /// Transport and profile, `RTP/AVP`.
    pub protocol: String,
    /// Where its media are taken.
    pub port: u16,
    /// The formats, the best first; with RTP payload types.
    pub formats: Vec<String>,
    /// Which way its media flow.
    pub direction: Direction,
    /// Attributes beside the direction, `rtpmap:96 AMR-WB/16000`, `ptime:20`.
    pub attributes: Vec<String>,
}

/// What one section is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaAnswer {
    /// Where its media are taken, not 0.
    pub port: u16,
    /// The formats that are taken, the best first; with RTP the payload types of the offer.
    pub formats: Vec<String>,
    /// What one wants; what the offer does not allow of it is left out.
    pub direction: Direction,
    /// Attributes beside the direction, `rtpmap:96 AMR-WB/16000`, `ptime:20`.
    pub attributes: Vec<String>,
}

impl SessionDescription {
    /// An offer of those sections from that address. Line ends in what is given become spaces; a section without a kind,
    /// protocol or format is left out.
    ///
    /// `session` numbers the description, `version` counts its changes (RFC 8866 §5.2).
    ///
    /// ```
    /// use imscore_sip::sdp::{Direction, MediaOffer, SessionDescription};
    ///
    /// let audio = MediaOffer {
    ///     kind: "audio".into(),
    ///     protocol: "RTP/AVP".into(),
    ///     port: 4000,
    ///     formats: vec!["97".into(), "0".into()],
    ///     direction: Direction::SendRecv,
    ///     attributes: vec!["rtpmap:97 AMR-WB/16000".into()],
    /// };
    /// let text = SessionDescription::offer("192.0.2.7".parse().expect("an address"), (5, 1), &[audio]);
    /// let offer = SessionDescription::parse(text)?;
    /// assert_eq!(offer.media_at(0).and_then(|audio| audio.codec(97)).map(|codec| codec.encoding), Some("AMR-WB"));
    /// # Ok::<(), imscore_sip::sdp::SdpError>(())
    /// ```
    pub fn offer(address: IpAddr, (session, version): (u64, u64), media: &[MediaOffer]) -> Bytes {
        let mut out = Writer::new(address, session, version);
        out.line('t', "0 0");
        for media in media {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            let (kind, protocol) = (words(&media.kind), words(&media.protocol));
            let formats = media.formats.join(" ");
            if kind.is_empty() || protocol.is_empty() || formats.trim().is_empty() {
                continue;
            }
            out.line('m', &format!("{kind} {} {protocol} {formats}", media.port));
            out.attributes(&media.attributes, media.direction);
        }
        out.text.into()
    }

    /// An offer of one audio section there, in the two codecs that every phone has (RFC 3551 §4.5.14).
    ///
    /// ```
    /// use imscore_sip::sdp::SessionDescription;
    ///
    /// let sound = SessionDescription::audio("192.0.2.7:4000".parse().expect("an address"));
    /// assert!(sound.to_string().contains("m=audio 4000 RTP/AVP 0 8\r\n"));
    /// ```
    pub fn audio(at: SocketAddr) -> SessionDescription {
        let audio = MediaOffer {
            kind: "audio".into(),
            protocol: "RTP/AVP".into(),
            port: at.port(),
            formats: vec!["0".into(), "8".into()],
            direction: Direction::SendRecv,
            attributes: Vec::new(),
        };
        let text = SessionDescription::offer(at.ip(), (1, 1), &[audio]);
        SessionDescription::parse(text).expect("what was written can be read")
    }

    /// An answer from that address, section by section; `None` refuses one, and so does a port of 0 in the offer. Line
    /// ends in what is given become spaces.
    ///
    /// The time is that of the offer (RFC 3264 §6); `session` numbers the description, `version` counts its changes (RFC
    /// 8866 §5.2).
    ///
    /// ```
    /// use imscore_sip::sdp::{Direction, MediaAnswer, SessionDescription, check_answer};
    ///
    /// let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    ///     m=audio 4000 RTP/AVP 8 0\r\na=sendonly\r\nm=video 4002 RTP/AVP 34\r\n";
    /// let offer = SessionDescription::parse(offer.into())?;
    /// let text = offer.answer("192.0.2.7".parse().expect("an address"), (1, 1), |_, media| {
    ///     let taken = media.formats().find(|format| *format == "8")?;
    ///     let direction = Direction::SendRecv;
    ///     Some(MediaAnswer { port: 5000, formats: vec![taken.to_string()], direction, attributes: vec![] })
    /// });
    /// let answer = SessionDescription::parse(text)?;
    /// assert_eq!(check_answer(&offer, &answer), Ok(()));
    /// assert!(answer.to_string().ends_with("m=audio 5000 RTP/AVP 8\r\na=recvonly\r\nm=video 0 RTP/AVP 34\r\n"));
    /// # Ok::<(), imscore_sip::sdp::SdpError>(())
    /// ```
    pub fn answer(
        &self,
        address: IpAddr,
        (session, version): (u64, u64),
        mut choose: impl FnMut(usize, &Media<'_>) -> Option<MediaAnswer>,
    ) -> Bytes {
        let mut out = Writer::new(address, session, version);
        let time = self.lines().find(|(kind, _)| *kind == 't').map(|(_, value)| String::from_utf8_lossy(value));
        out.line('t', time.as_deref().unwrap_or("0 0"));
        for (index, media) in self.media().enumerate() {
            let chosen = if media.is_refused() { None } else { choose(index, &media) };
            let chosen = chosen.filter(|chosen| chosen.port != 0 && !chosen.formats.is_empty());
            let formats = match &chosen {
                Some(chosen) => chosen.formats.join(" "),
                None => media.formats().collect::<Vec<_>>().join(" "),
            };
            let port = chosen.as_ref().map_or(0, |chosen| chosen.port);
            out.line('m', &format!("{} {port} {} {formats}", media.kind(), media.protocol()));
            if let Some(mid) = media.mid() {
                out.line('a', &format!("mid:{mid}"));
            }
            if let Some(chosen) = &chosen {
                out.attributes(&chosen.attributes, chosen.direction.answer_to(media.direction()));
            }
        }
        out.text.into()
    }
}

/// A description as it is written, line by line.
struct Writer {
    text: String,
}

impl Writer {
    /// The lines of the session up to its time.
    fn new(address: IpAddr, session: u64, version: u64) -> Writer {
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        let origin = format!("v=0\r\no=- {session} {version} IN {family} {address}\r\n");
        Writer { text: format!("{origin}s=-\r\nc=IN {family} {address}\r\n") }
    }

    fn line(&mut self, kind: char, value: &str) {
        let spaced = |character| if matches!(character, '\r' | '\n' | '\0') { ' ' } else { character };
        self.text.extend([kind, '=']);
        self.text.extend(value.chars().map(spaced));
        self.text.push_str("\r\n");
    }

    fn attributes(&mut self, attributes: &[String], direction: Direction) {
        attributes.iter().for_each(|attribute| self.line('a', attribute));
        self.line('a', direction.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::check_answer;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=7 8\r\n\
        m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 AMR-WB/16000\r\nm=video 0 RTP/AVP 34\r\n\
        m=message 9 TCP/MSRP *\r\na=sendonly\r\n";

    #[test]
    fn an_offer_is_made_of_its_sections() {
        let media = |kind: &str, formats: &[&str]| MediaOffer {
            kind: kind.into(),
            protocol: "RTP/AVP".into(),
            port: 7,
            formats: formats.iter().map(|format| format.to_string()).collect(),
            direction: Direction::SendOnly,
            attributes: vec!["ptime:20\r\nm=evil".into()],
        };
        let sections = [
            media("au dio", &["8", "0"]),
            media("video", &[]),
            media(" ", &["34"]),
            media("video", &[" "]),
            media("video", &["34\r\nx"]),
        ];
        let text = SessionDescription::offer("2001:db8::7".parse().unwrap(), (5, 2), &sections);
        let expected = "v=0\r\no=- 5 2 IN IP6 2001:db8::7\r\ns=-\r\nc=IN IP6 2001:db8::7\r\nt=0 0\r\n\
            m=audio 7 RTP/AVP 8 0\r\na=ptime:20  m=evil\r\na=sendonly\r\n\
            m=video 7 RTP/AVP 34  x\r\na=ptime:20  m=evil\r\na=sendonly\r\n";
        assert_eq!(text, expected);
        assert_eq!(SessionDescription::parse(text).unwrap().media().count(), 2);
    }

    #[test]
    fn an_answer_is_made_from_an_offer() {
        let offer = SessionDescription::parse(OFFER.into()).unwrap();
        let text = offer.answer("2001:db8::7".parse().unwrap(), (5, 1), |index, media| {
            assert_ne!(index, 1, "a section that was not offered");
            Some(MediaAnswer {
                port: 5_000,
                formats: vec![media.formats().last()?.to_string()],
                direction: Direction::SendRecv,
                attributes: vec!["rtpmap:96 AMR-WB/16000".into(), "x\r\nm=evil".into()],
            })
        });
        let answer = SessionDescription::parse(text).unwrap();
        assert_eq!(check_answer(&offer, &answer), Ok(()));
        assert_eq!(answer.lines().filter(|(kind, _)| *kind == 't').collect::<Vec<_>>(), [('t', &b"7 8"[..])]);
        let ports: Vec<u16> = answer.media().map(|media| media.port()).collect();
        assert_eq!(ports, [5_000, 0, 5_000]);
        assert_eq!(answer.media_at(2).unwrap().direction(), Direction::RecvOnly);
        assert_eq!(answer.media_at(0).unwrap().attribute("x  m=evil"), Some(""));
        let none = SessionDescription::parse(offer.answer([192, 0, 2, 7].into(), (5, 1), |_, _| None)).unwrap();
        assert_eq!(check_answer(&offer, &none), Ok(()));
        assert!(none.media().all(|media| media.is_refused()));
        for (port, formats) in [(1, vec![]), (0, vec!["0".to_string()])] {
            let chosen = MediaAnswer { port, formats, direction: Direction::SendRecv, attributes: vec!["x".into()] };
            let text = offer.answer([192, 0, 2, 7].into(), (5, 1), |_, _| Some(chosen.clone()));
            let refused = SessionDescription::parse(text).unwrap();
            assert!(
                refused.media().all(|media| media.is_refused() && media.attributes().next().is_none()),
                "{chosen:?}"
            );
        }
    }
}
