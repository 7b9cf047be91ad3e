//! All of it together: what a browser offers (RFC 9429).

use imscore_sip::sdp::{Direction, Media, SessionDescription};

use super::{
    AttributeError, Candidate, Fingerprint, Group, IceCredentials, Mid, Profile, RtcpFeedback, Setup, SourceAttribute,
};

/// Candidates of one section that are read; more are left out.
pub const MAX_CANDIDATES: usize = 64;

/// What a browser offers besides its codecs, which are in the description itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrowserOffer {
    /// The sections that are to share one transport, by their place; the first is the one whose transport is suggested
    /// (RFC 9143 §7.2.1). Empty without a BUNDLE group; of several groups this is the first.
    pub bundle: Vec<usize>,
    /// True for an agent that sends no checks of its own (RFC 8839 §5.3).
    pub is_ice_lite: bool,
    /// The media sections, in order.
    pub media: Vec<OfferedMedia>,
}

/// What a browser offers in one media section.
///
/// ```
/// use imscore_sip::sdp::SessionDescription;
/// use imscore_webrtc::interwork::{
///     BrowserOffer, IceCredentials, OfferError, OfferedMedia, Source, TransportParameters,
/// };
///
/// let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
///     m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
///     a=ice-ufrag:F7gI\r\na=ice-pwd:x9cml/YzichV2+XlhiMu8g\r\na=setup:actpass\r\n\
///     a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n\
///     a=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:7 cname:hN3\r\n";
/// let offer = BrowserOffer::read(&SessionDescription::parse(sdp.into())?)?;
/// let audio: &OfferedMedia = &offer.media[0];
/// let transport: &TransportParameters = audio.transport.as_ref().ok_or("a data channel")?;
/// assert_eq!(transport.ice, IceCredentials::new("F7gI", "x9cml/YzichV2+XlhiMu8g")?);
/// let source: &Source = &audio.sources[0];
/// assert_eq!((source.ssrc, source.cname.as_deref()), (7, Some("hN3")));
///
/// let without_media = SessionDescription::parse("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".into())?;
/// assert_eq!(BrowserOffer::read(&without_media), Err(OfferError::NoMedia));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedMedia {
    /// The section's name.
    pub mid: Option<Mid>,
    /// `audio`, `video` or `application`.
    pub kind: String,
    /// Its profile; `None` for what is no RTP, as a data channel.
    pub profile: Option<Profile>,
    /// Which way media flow, seen from the browser.
    pub direction: Direction,
    /// How it is reached; `None` for a section that the offer itself refuses by port 0.
    pub transport: Option<TransportParameters>,
    /// True for a section that is there only if it is bundled (RFC 9143 §6).
    pub is_bundle_only: bool,
    /// Candidates in the order in which they stand; malformed ones, and those above [`MAX_CANDIDATES`], are left out.
    pub candidates: Vec<Candidate>,
    /// True where no more candidates come by trickle (RFC 8840 §8.2).
    pub has_all_candidates: bool,
    /// ICE options, as `trickle` (RFC 8839 §5.6).
    pub ice_options: Vec<String>,
    /// True where RTCP may share the port of RTP (RFC 5761 §5.1.1).
    pub has_rtcp_mux: bool,
    /// Feedback by payload type; malformed ones are left out.
    pub feedback: Vec<RtcpFeedback>,
    /// Its sources, in the order in which they first stand.
    pub sources: Vec<Source>,
}

/// Whom the checks of a transport are from, and whose certificate it will show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportParameters {
    /// The browser's side of connectivity checks.
    pub ice: IceCredentials,
    /// Hashes of its certificate by functions that we know; at least one.
    pub fingerprints: Vec<Fingerprint>,
    /// Who begins the handshake.
    pub setup: Setup,
}

/// A source of RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Its number.
    pub ssrc: u32,
    /// The name that the sources of one sender share.
    pub cname: Option<String>,
}

/// Why a description is no offer of a browser. Sections are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// There is no media section.
    #[error("no media section")]
    NoMedia,
    /// A section lacks what every browser says, at its own and at the session's level.
    #[error("section {section} has no {attribute}")]
    Missing {
        /// The section.
        section: usize,
        /// The attribute's name.
        attribute: &'static str,
    },
    /// An attribute is malformed, or means that nothing can be set up.
    #[error("section {section} has an unusable {attribute}")]
    Malformed {
        /// The section.
        section: usize,
        /// The attribute's name.
        attribute: &'static str,
    },
    /// Two sections have one name.
    #[error("section {section} has the name of another")]
    RepeatedMid {
        /// The second of them.
        section: usize,
    },
    /// The group is malformed, or has a section that is not there, or has it twice.
    #[error("unusable group")]
    Group,
}

impl BrowserOffer {
    /// Reads an offer. ICE credentials, fingerprints and `setup` may stand at the session's level, and for a section of
    /// a bundle in the section that is suggested for all (RFC 9143 §7.1.3).
    ///
    /// # Errors
    /// What keeps a transport from being set up; the offer is answered with 488.
    pub fn read(description: &SessionDescription) -> Result<BrowserOffer, OfferError> {
        let sections: Vec<Media<'_>> = description.media().collect();
        if sections.is_empty() {
            return Err(OfferError::NoMedia);
        }
        let mids = mids(&sections)?;
        let bundle = bundle(description, &mids)?;
        let suggested = bundle.first().copied();
        let transport = |section: usize| {
            let own = transport(description, &sections[section], section);
            match (own, suggested) {
                (Err(OfferError::Missing { .. }), Some(first)) if first != section && bundle.contains(&section) => {
                    self::transport(description, &sections[first], first)
                }
                (own, _) => own,
            }
        };
        let read = |(index, mid): (usize, &Option<Mid>)| {
            let section = &sections[index];
            let is_bundle_only = section.port() == 0 && section.attribute("bundle-only").is_some();
            let is_refused = section.port() == 0 && !is_bundle_only;
            let options = section.attribute("ice-options").or_else(|| description.attribute("ice-options"));
            Ok(OfferedMedia {
                mid: mid.clone(),
                kind: section.kind().to_string(),
                profile: Profile::find(section.protocol()),
                direction: section.direction(),
                transport: if is_refused { None } else { Some(transport(index)?) },
                is_bundle_only,
                candidates: parsed(section, "candidate").take(MAX_CANDIDATES).collect(),
                has_all_candidates: section.attribute("end-of-candidates").is_some(),
                ice_options: options.unwrap_or_default().split_ascii_whitespace().map(str::to_string).collect(),
                has_rtcp_mux: section.attribute("rtcp-mux").is_some(),
                feedback: parsed(section, "rtcp-fb").collect(),
                sources: sources(section),
            })
        };
        let media: Result<Vec<OfferedMedia>, OfferError> = mids.iter().enumerate().map(read).collect();
        let is_ice_lite = description.attribute("ice-lite").is_some();
        Ok(BrowserOffer { bundle, is_ice_lite, media: media? })
    }
}

/// The names of the sections.
fn mids(sections: &[Media<'_>]) -> Result<Vec<Option<Mid>>, OfferError> {
    let mut mids: Vec<Option<Mid>> = Vec::with_capacity(sections.len());
    for (section, media) in sections.iter().enumerate() {
        let mid = media.attribute("mid").map(str::parse).transpose();
        let mid = mid.map_err(|_| OfferError::Malformed { section, attribute: "mid" })?;
        if mid.is_some() && mids.contains(&mid) {
            return Err(OfferError::RepeatedMid { section });
        }
        mids.push(mid);
    }
    Ok(mids)
}

/// The sections of the first BUNDLE group, by their place.
fn bundle(description: &SessionDescription, mids: &[Option<Mid>]) -> Result<Vec<usize>, OfferError> {
    for attribute in description.attributes().filter(|attribute| attribute.name == "group") {
        let group: Group = attribute.value.unwrap_or_default().parse().map_err(|_| OfferError::Group)?;
        if group.is_bundle() {
            let place = |mid: &Mid| mids.iter().position(|found| found.as_ref() == Some(mid));
            let places: Vec<usize> = group.mids.iter().map(place).collect::<Option<_>>().ok_or(OfferError::Group)?;
            let is_repeated = (1..places.len()).any(|at| places[..at].contains(&places[at]));
            return if is_repeated { Err(OfferError::Group) } else { Ok(places) };
        }
    }
    Ok(Vec::new())
}

/// How a section is reached, by its own attributes or those of the session.
fn transport(
    description: &SessionDescription,
    media: &Media<'_>,
    section: usize,
) -> Result<TransportParameters, OfferError> {
    let value = |attribute: &'static str| {
        let found = media.attribute(attribute).or_else(|| description.attribute(attribute));
        found.map(str::trim_ascii_end).ok_or(OfferError::Missing { section, attribute })
    };
    let malformed = |AttributeError { attribute }| OfferError::Malformed { section, attribute };

    let ice = IceCredentials::new(value("ice-ufrag")?, value("ice-pwd")?).map_err(malformed)?;
    let own: Vec<&str> = media.values("fingerprint").collect();
    let session = description.attributes().filter(|attribute| attribute.name == "fingerprint");
    let texts = if own.is_empty() { session.filter_map(|attribute| attribute.value).collect() } else { own };
    let fingerprints: Vec<Fingerprint> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    match (texts.is_empty(), fingerprints.is_empty()) {
        (true, _) => return Err(OfferError::Missing { section, attribute: "fingerprint" }),
        (false, true) => return Err(OfferError::Malformed { section, attribute: "fingerprint" }),
        (false, false) => {}
    }
    let setup = value("setup")?.parse().map_err(malformed)?;
    if setup == Setup::HoldConn {
        return Err(OfferError::Malformed { section, attribute: "setup" });
    }
    Ok(TransportParameters { ice, fingerprints, setup })
}

/// The sources of a section.
fn sources(section: &Media<'_>) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for SourceAttribute { ssrc, name, value } in parsed(section, "ssrc") {
        let at = sources.iter().position(|source| source.ssrc == ssrc).unwrap_or_else(|| {
            sources.push(Source { ssrc, cname: None });
            sources.len() - 1
        });
        if name == "cname" {
            sources[at].cname = value;
        }
    }
    sources
}

/// The attributes of that name that can be read.
fn parsed<'a, T: std::str::FromStr>(section: &Media<'a>, name: &'a str) -> impl Iterator<Item = T> + use<'a, T> {
    section.values(name).filter_map(|value| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An offer as browsers make them: audio, video, a data channel, all in one bundle.
    const OFFER: &str = concat!(
        "v=0\r\no=- 6031572938471650123 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n",
        "a=extmap-allow-mixed\r\na=msid-semantic: WMS 5d0f4e2a\r\n",
        "m=audio 52340 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 198.51.100.7\r\n",
        "a=rtcp:9 IN IP4 0.0.0.0\r\n",
        "a=candidate:3104182743 1 udp 2122260223 192.0.2.17 52340 typ host generation 0 network-id 1\r\n",
        "a=candidate:842163049 1 udp 1686052607 198.51.100.7 52340 typ srflx raddr 192.0.2.17 rport 52340\r\n",
        "a=candidate:broken\r\n",
        "a=ice-ufrag:kT3q\r\na=ice-pwd:pT9ZbW0x2cQm7vR4sLkY8aHd\r\na=ice-options:trickle renomination\r\n",
        "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:",
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
        "a=setup:actpass\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\n",
        "a=msid:5d0f4e2a 9c1b\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n",
        "a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\n",
        "a=ssrc:2718281828 cname:hN3+Qe\r\na=ssrc:2718281828 msid:5d0f4e2a 9c1b\r\n",
        "m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=bundle-only\r\na=mid:1\r\na=recvonly\r\n",
        "a=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:* ccm fir\r\n",
        "a=rtcp-fb:x\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=ssrc-group:FID 1 2\r\n",
        "a=ssrc:1 cname:a\r\na=ssrc:2 cname:b\r\na=ssrc:1 msid:x\r\na=ssrc:3 msid:y\r\n",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n",
        "a=ice-ufrag:dT3q\r\na=ice-pwd:aaaabbbbccccddddeeee++\r\na=end-of-candidates\r\n",
        "a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\r\n",
        "a=fingerprint:md5 00:01\r\na=setup:active\r\na=mid:2\r\na=sctp-port:5000\r\n",
    );

    fn read(text: &str) -> Result<BrowserOffer, OfferError> {
        BrowserOffer::read(&SessionDescription::parse(text.to_string().into()).unwrap())
    }

    /// The offer after a change of its text.
    fn check(from: &str, to: &str, expected: OfferError) {
        assert!(OFFER.contains(from), "{from}");
        assert_eq!(read(&OFFER.replacen(from, to, 1)).err(), Some(expected), "{to:?} for {from:?}");
    }

    #[test]
    fn the_offer_of_a_browser_is_read() {
        let offer = read(OFFER).unwrap();
        assert_eq!((&offer.bundle[..], offer.is_ice_lite), (&[0, 1, 2][..], false));
        let [audio, video, data] = &offer.media[..] else { panic!("three sections") };

        assert_eq!((audio.kind.as_str(), audio.mid.as_ref().map(Mid::as_str)), ("audio", Some("0")));
        assert_eq!((audio.profile, audio.direction), (Some(Profile::UdpTlsRtpSavpf), Direction::SendRecv));
        assert!(audio.has_rtcp_mux && !audio.is_bundle_only && !audio.has_all_candidates);
        let ports: Vec<u16> = audio.candidates.iter().map(|candidate| candidate.port).collect();
        assert_eq!((ports, audio.candidates[1].related.is_some()), (vec![52_340, 52_340], true));
        assert_eq!(audio.ice_options, ["trickle", "renomination"]);
        assert_eq!(audio.sources, [Source { ssrc: 2_718_281_828, cname: Some("hN3+Qe".into()) }]);
        assert_eq!(audio.feedback.len(), 1);
        let transport = audio.transport.as_ref().unwrap();
        assert_eq!((transport.ice.ufrag(), transport.ice.password()), ("kT3q", "pT9ZbW0x2cQm7vR4sLkY8aHd"));
        assert_eq!((transport.fingerprints[0].digest()[31], transport.setup), (0xff, Setup::ActPass));

        assert!(video.is_bundle_only && video.has_rtcp_mux);
        assert_eq!((&video.transport, video.direction), (&audio.transport, Direction::RecvOnly));
        assert_eq!(video.feedback.iter().map(|found| found.payload).collect::<Vec<_>>(), [Some(96), None]);
        let sources: Vec<_> = video.sources.iter().map(|source| (source.ssrc, source.cname.as_deref())).collect();
        assert_eq!(sources, [(1, Some("a")), (2, Some("b")), (3, None)]);

        assert_eq!((data.kind.as_str(), data.profile), ("application", None));
        assert!(data.has_all_candidates && !data.has_rtcp_mux);
        let transport = data.transport.as_ref().unwrap();
        assert_eq!((transport.ice.ufrag(), transport.setup), ("dT3q", Setup::Active));
        assert_eq!(transport.fingerprints.len(), 1);
    }

    #[test]
    fn what_holds_for_all_may_stand_above() {
        let text = OFFER.replacen("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\na=setup:passive\r\na=ice-options:ice2\r\n", 1);
        let text =
            text.replacen("a=setup:actpass\r\n", "", 1).replacen("a=ice-options:trickle renomination\r\n", "", 1);
        let offer = read(&text).unwrap();
        assert!(offer.is_ice_lite);
        assert_eq!(offer.media[0].transport.as_ref().map(|found| found.setup), Some(Setup::Passive));
        assert_eq!(offer.media[0].ice_options, ["ice2"]);
        let mark = "a=extmap-allow-mixed\r\n";
        let fingerprint = "a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\r\n";
        let text = OFFER.replacen(fingerprint, "", 1).replacen("a=fingerprint:md5 00:01\r\n", "", 1);
        let text = text.replacen(mark, &format!("{mark}{fingerprint}"), 1);
        let offer = read(&text).unwrap();
        assert_eq!(offer.media[2].transport.as_ref().map(|found| found.fingerprints[0].digest().len()), Some(20));
    }

    #[test]
    fn what_keeps_a_transport_from_being_set_up_is_refused() {
        let missing = |section, attribute| OfferError::Missing { section, attribute };
        let malformed = |section, attribute| OfferError::Malformed { section, attribute };
        for (from, to, expected) in [
            ("a=ice-ufrag:kT3q\r\n", "", missing(0, "ice-ufrag")),
            ("a=ice-pwd:pT9ZbW0x2cQm7vR4sLkY8aHd\r\n", "", missing(0, "ice-pwd")),
            ("a=fingerprint:sha-256", "a=print:sha-256", missing(0, "fingerprint")),
            ("a=setup:actpass\r\n", "", missing(0, "setup")),
            ("ufrag:kT3q", "ufrag:kT3", malformed(0, "ice-ufrag")),
            ("pwd:aaaa", "pwd:aaa", malformed(2, "ice-pwd")),
            ("a=fingerprint:sha-256", "a=fingerprint:sha-384", malformed(0, "fingerprint")),
            ("a=setup:actpass", "a=setup:holdconn", malformed(0, "setup")),
            ("a=setup:active", "a=setup:yes", malformed(2, "setup")),
            ("a=mid:1", "a=mid:a b", malformed(1, "mid")),
            ("a=mid:1", "a=mid:0", OfferError::RepeatedMid { section: 1 }),
            ("BUNDLE 0 1 2", "BUNDLE 0 1 2 3", OfferError::Group),
            ("BUNDLE 0 1 2", "BUNDLE 0 1 0", OfferError::Group),
            ("BUNDLE 0 1 2", "BUNDLE 0/1", OfferError::Group),
            ("BUNDLE 0 1 2", "BUNDLE 0 2", missing(1, "ice-ufrag")),
            ("a=group:BUNDLE 0 1 2\r\n", "", missing(1, "ice-ufrag")),
            ("BUNDLE 0 1 2", "LS 0 1 2", missing(1, "ice-ufrag")),
        ] {
            check(from, to, expected);
        }
        assert_eq!(read("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"), Err(OfferError::NoMedia));
    }

    #[test]
    fn a_refused_section_needs_no_transport() {
        let refused = OFFER.replacen("a=bundle-only\r\n", "", 1).replacen("BUNDLE 0 1 2", "BUNDLE 0 2", 1);
        let offer = read(&refused).unwrap();
        assert_eq!((&offer.media[1].transport, offer.media[1].is_bundle_only), (&None, false));
        assert_eq!(offer.bundle, [0, 2]);
        let nameless = refused.replacen("a=mid:0\r\n", "", 1).replacen("a=mid:1\r\n", "", 1);
        assert_eq!(read(&nameless.replacen("a=group:BUNDLE 0 2\r\n", "", 1)).unwrap().media[0].mid, None);
        let open = OFFER.replacen("m=video 0", "m=video 9", 1);
        assert!(!read(&open).unwrap().media[1].is_bundle_only);
    }

    /// Threat M8: a thousand candidates are not taken.
    #[test]
    fn candidates_are_limited() {
        for (count, expected) in [(61, 63), (62, 64), (63, 64), (400, 64)] {
            let more = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(count);
            let text = OFFER.replacen("a=candidate:broken\r\n", &more, 1);
            assert_eq!(read(&text).unwrap().media[0].candidates.len(), expected, "{count}");
        }
    }
}
