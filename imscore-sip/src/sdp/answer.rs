//! What an offer and an answer owe each other (RFC 3264): the same sections in the same places, ports of 0 for what is
//! refused, directions that go together.

use std::net::IpAddr;

use super::{Direction, Media, SessionDescription};

/// Why a description does not go with the one before it. An offer with this fault is answered with 488, an answer ends
/// the call.
///
/// ```
/// use imscore_sip::sdp::{Mismatch, SessionDescription, check_answer};
///
/// let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
/// let offer = SessionDescription::parse(format!("{head}m=audio 4000 RTP/AVP 0\r\n").into())?;
/// let answer = SessionDescription::parse(head.into())?;
/// assert_eq!(check_answer(&offer, &answer), Err(Mismatch::Sections { expected: 1, found: 0 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// An answer has more or fewer sections than the offer, or a later offer fewer than what was agreed (RFC 3264 §6,
    /// §8).
    #[error("{found} sections where there should be {expected}")]
    Sections {
        /// How many there are.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// A section is of another kind or protocol than in the offer.
    #[error("section {0} is of another kind")]
    Kind(usize),
    /// A section is accepted that the offer has with port 0.
    #[error("section {0} was not offered")]
    NotOffered(usize),
    /// An RTP section is accepted without any format of the offer.
    #[error("section {0} has no format of the offer")]
    Formats(usize),
    /// A section sends what the offer does not take, or takes what it does not send (RFC 3264 §6.1).
    #[error("section {0} has a direction that the offer does not allow")]
    Direction(usize),
}

impl Direction {
    /// The same flow seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Direction {
        Direction::of(self.receives(), self.sends())
    }

    /// True where whoever wrote it sends.
    pub fn sends(self) -> bool {
        match self {
            Direction::SendRecv | Direction::SendOnly => true,
            Direction::RecvOnly | Direction::Inactive => false,
        }
    }

    /// True where whoever wrote it receives.
    pub fn receives(self) -> bool {
        match self {
            Direction::SendRecv | Direction::RecvOnly => true,
            Direction::SendOnly | Direction::Inactive => false,
        }
    }

    /// The direction of one that sends, receives, both or neither.
    pub fn of(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// What to answer an offer with, as much of what one wants as it allows (RFC 3264 §6.1). A call that is put on hold
    /// with `sendonly` is answered with `recvonly`, one on hold from both sides is `inactive`.
    #[must_use]
    pub fn answer_to(self, offered: Direction) -> Direction {
        Direction::of(self.sends() && offered.receives(), self.receives() && offered.sends())
    }
}

impl Media<'_> {
    /// True where the section puts the other side on hold: it takes no media from it (RFC 3264 §8.4), or has the
    /// address 0.0.0.0 of RFC 2543.
    pub fn is_hold(&self) -> bool {
        let zero = self.connection().and_then(|connection| connection.ip()) == Some(IpAddr::from([0, 0, 0, 0]));
        !self.direction().receives() || zero
    }

    /// True for a section that is refused or taken out of use: its port is 0, and it is not part of a bundle (RFC
    /// 9143 §6).
    pub fn is_refused(&self) -> bool {
        self.port() == 0 && self.attribute("bundle-only").is_none()
    }
}

/// Looks at an answer to an offer: RFC 3264 §6.
///
/// # Errors
/// The first thing in which the answer does not go with the offer.
pub fn check_answer(offer: &SessionDescription, answer: &SessionDescription) -> Result<(), Mismatch> {
    let (expected, found) = (offer.media().count(), answer.media().count());
    if found != expected {
        return Err(Mismatch::Sections { found, expected });
    }
    for (index, (offered, answered)) in offer.media().zip(answer.media()).enumerate() {
        if offered.kind() != answered.kind() || !offered.protocol().eq_ignore_ascii_case(answered.protocol()) {
            return Err(Mismatch::Kind(index));
        }
        if answered.port() == 0 {
            continue;
        }
        if offered.is_refused() {
            return Err(Mismatch::NotOffered(index));
        }
        // Formats are compared as codecs: an answer may have payload types of its own.
        let is_shared = |format| has_format(&offered, &answered, format);
        if offered.is_rtp() && !answered.formats().take(PAYLOADS).any(is_shared) {
            return Err(Mismatch::Formats(index));
        }
        let (asked, given) = (offered.direction(), answered.direction());
        if given != given.answer_to(asked) {
            return Err(Mismatch::Direction(index));
        }
    }
    Ok(())
}

/// Looks at a later offer of either side against what was agreed: RFC 3264 §8. Sections stay where they are; one may
/// change its kind where it was refused before. What `o=` says is apart: [`continues`].
///
/// # Errors
/// The first thing in which it does not go on from there.
pub fn check_successor(before: &SessionDescription, after: &SessionDescription) -> Result<(), Mismatch> {
    let (expected, found) = (before.media().count(), after.media().count());
    if found < expected {
        return Err(Mismatch::Sections { found, expected });
    }
    let mut pairs = before.media().zip(after.media());
    let changed = pairs.position(|(old, new)| !old.is_refused() && old.kind() != new.kind());
    changed.map_or(Ok(()), |index| Err(Mismatch::Kind(index)))
}

/// True where a later description of one side has the origin of its last, and a version that is not below it (RFC 3264
/// §8). What we send must; of others it is not asked, since a call that is moved to another machine comes with its
/// origin.
pub fn continues(before: &SessionDescription, after: &SessionDescription) -> bool {
    let (old, new) = (before.origin(), after.origin());
    let same_session = (old.username, old.session_id) == (new.username, new.session_id);
    same_session && !is_below(new.session_version, old.session_version)
}

/// Compares numbers of any length.
fn is_below(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    (one.len(), one) < (other.len(), other)
}

/// Formats of a section that are looked at: there are no more payload types, and strangers may write thousands.
const PAYLOADS: usize = 128;

/// True where a format of an answer is one of the offer: the same codec, or the same name where the answer says no more.
fn has_format(offer: &Media<'_>, answer: &Media<'_>, format: &str) -> bool {
    let codec = |media: &Media<'_>, format: &str| {
        let map = media.codec(format.parse().ok()?)?;
        Some((map.encoding.to_ascii_lowercase(), map.clock_rate, map.channels))
    };
    let is_told = format.parse().is_ok_and(|payload| answer.rtpmap(payload).is_some());
    let answered = codec(answer, format);
    offer.formats().take(PAYLOADS).any(|offered| {
        let same_name = offered == format && !is_told;
        same_name || answered.is_some() && answered == codec(offer, offered)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(media: &str) -> SessionDescription {
        with_origin("- 1 1", media)
    }

    fn with_origin(origin: &str, media: &str) -> SessionDescription {
        let text = format!("v=0\r\no={origin} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
        SessionDescription::parse(text.into()).unwrap()
    }

    const OFFER: &str = "m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 AMR-WB/16000\r\nm=video 0 RTP/AVP 34\r\n\
        m=message 9 TCP/MSRP *\r\na=sendonly\r\n";

    /// RFC 3264 §6.
    #[test]
    fn answers_go_with_their_offers() {
        let refused = "m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 34\r\nm=message 0 TCP/MSRP *\r\n";
        let own_number =
            "m=audio 1 RTP/AVP 97\r\na=rtpmap:97 amr-wb/16000/1\r\nm=video 0 RTP/AVP 34\r\nm=message 0 TCP/MSRP *\r\n";
        for (answer, expected) in [
            (refused, Ok(())),
            (own_number, Ok(())),
            (&refused.replace("audio 0 RTP/AVP 0", "audio 1 rtp/avp 0 101"), Ok(())),
            (&refused.replace("audio 0 RTP/AVP 0", "audio 1 RTP/AVP 96"), Ok(())),
            (
                &refused.replace("audio 0 RTP/AVP 0", "audio 1 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2"),
                Err(Mismatch::Formats(0)),
            ),
            (&refused.replace("message 0 TCP/MSRP *\r\n", "message 1 TCP/MSRP *\r\na=recvonly\r\n"), Ok(())),
            (&refused.replace("message 0 TCP/MSRP *\r\n", "message 1 TCP/MSRP *\r\na=inactive\r\n"), Ok(())),
            ("m=audio 1 RTP/AVP 0\r\n", Err(Mismatch::Sections { found: 1, expected: 3 })),
            (&format!("{refused}m=x 0 y z\r\n"), Err(Mismatch::Sections { found: 4, expected: 3 })),
            (&refused.replace("video", "image"), Err(Mismatch::Kind(1))),
            (&refused.replace("TCP/MSRP", "TCP/TLS/MSRP"), Err(Mismatch::Kind(2))),
            (&refused.replace("video 0", "video 1"), Err(Mismatch::NotOffered(1))),
            (&refused.replace("audio 0 RTP/AVP 0", "audio 1 RTP/AVP 8 101"), Err(Mismatch::Formats(0))),
            (&refused.replace("message 0", "message 1"), Err(Mismatch::Direction(2))),
        ] {
            assert_eq!(check_answer(&sdp(OFFER), &sdp(answer)), expected, "{answer}");
        }
        let unknown = |format| sdp(&format!("m=audio 1 RTP/AVP {format}\r\n"));
        assert_eq!(check_answer(&unknown(97), &unknown(97)), Ok(()));
        assert_eq!(check_answer(&unknown(97), &unknown(98)), Err(Mismatch::Formats(0)));
        let many = |first, last| sdp(&format!("m=audio 1 RTP/AVP {}{last}\r\n", format!("{first} ").repeat(127)));
        assert_eq!(check_answer(&many(96, 97), &many(98, 97)), Ok(()));
        let more = |first| sdp(&format!("m=audio 1 RTP/AVP {}97\r\n", format!("{first} ").repeat(128)));
        assert_eq!(check_answer(&more(96), &many(98, 97)), Err(Mismatch::Formats(0)));
        assert_eq!(check_answer(&many(96, 97), &more(98)), Err(Mismatch::Formats(0)));
        let bundled = sdp("m=video 0 RTP/AVP 34\r\na=bundle-only\r\n");
        assert_eq!(check_answer(&bundled, &sdp("m=video 1 RTP/AVP 34\r\n")), Ok(()));
    }

    /// RFC 3264 §8.
    #[test]
    fn offers_go_on_from_the_last() {
        let before = sdp("m=audio 1 RTP/AVP 0\r\nm=video 0 RTP/AVP 34\r\n");
        for (media, expected) in [
            ("m=audio 1 RTP/AVP 0\r\nm=video 0 RTP/AVP 34\r\n", Ok(())),
            ("m=audio 0 RTP/AVP 8\r\nm=image 1 udptl t38\r\nm=x 1 y z\r\n", Ok(())),
            ("m=audio 1 RTP/AVP 0\r\n", Err(Mismatch::Sections { found: 1, expected: 2 })),
            ("m=image 1 udptl t38\r\nm=video 0 RTP/AVP 34\r\n", Err(Mismatch::Kind(0))),
        ] {
            assert_eq!(check_successor(&before, &sdp(media)), expected, "{media}");
        }
    }

    /// RFC 3264 §8.
    #[test]
    fn versions_grow() {
        for (origin, expected) in [
            ("alice 7 9", true),
            ("alice 7 10", true),
            ("alice 7 010", true),
            ("alice 7 99999999999999999999999", true),
            ("alice 7 8", false),
            ("alice 7 08", false),
            ("alice 8 10", false),
            ("bob 7 10", false),
        ] {
            assert_eq!(continues(&with_origin("alice 7 9", ""), &with_origin(origin, "")), expected, "{origin}");
        }
    }

    /// RFC 3264 §6.1, §8.4.
    #[test]
    fn directions_and_hold() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        let all = [SendRecv, SendOnly, RecvOnly, Inactive];
        for (wanted, answers) in [
            (SendRecv, [SendRecv, RecvOnly, SendOnly, Inactive]),
            (SendOnly, [SendOnly, Inactive, SendOnly, Inactive]),
            (RecvOnly, [RecvOnly, RecvOnly, Inactive, Inactive]),
            (Inactive, [Inactive; 4]),
        ] {
            for (offered, expected) in all.into_iter().zip(answers) {
                assert_eq!(wanted.answer_to(offered), expected, "{wanted:?} to {offered:?}");
            }
            assert_eq!(wanted.reversed().reversed(), wanted);
        }
        for (lines, hold) in [
            ("", false),
            ("a=sendonly\r\n", true),
            ("a=inactive\r\n", true),
            ("a=recvonly\r\n", false),
            ("c=IN IP4 0.0.0.0\r\n", true),
        ] {
            assert_eq!(sdp(&format!("m=audio 1 RTP/AVP 0\r\n{lines}")).media_at(0).unwrap().is_hold(), hold, "{lines}");
        }
    }
}
