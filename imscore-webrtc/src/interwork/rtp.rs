//! RTP in SDP: profiles, feedback, sources.

use std::fmt;
use std::str::FromStr;

use super::{AttributeError, is_token, number};

/// The protocol of an `m=` that carries RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `RTP/AVP`: in the clear (RFC 3551); what an IMS phone offers.
    RtpAvp,
    /// `RTP/AVPF`: with early feedback (RFC 4585).
    RtpAvpf,
    /// `RTP/SAVP`: encrypted by keys of the SDP (RFC 3711, RFC 4568).
    RtpSavp,
    /// `RTP/SAVPF`: both (RFC 5124).
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP`: encrypted by keys of DTLS (RFC 5764).
    UdpTlsRtpSavp,
    /// `UDP/TLS/RTP/SAVPF`: with early feedback too; what a browser offers.
    UdpTlsRtpSavpf,
}

/// The value of an `rtcp-fb` attribute (RFC 4585 §4.2).
///
/// ```
/// use imscore_webrtc::interwork::{RtcpFeedback, SourceAttribute};
///
/// let feedback: RtcpFeedback = "96 nack pli".parse()?;
/// assert_eq!((feedback.payload, feedback.kind.as_str(), feedback.parameters.as_str()), (Some(96), "nack", "pli"));
/// let source: SourceAttribute = "2718281828 cname:hN3+Qe".parse()?;
/// assert_eq!((source.ssrc, source.value.as_deref()), (2_718_281_828, Some("hN3+Qe")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtcpFeedback {
    /// For which payload type; `None` for all (`*`).
    pub payload: Option<u8>,
    /// `nack`, `ccm`, `goog-remb` …
    pub kind: String,
    /// What stands behind the kind, as `pli`; empty for nothing.
    pub parameters: String,
}

/// The value of an `ssrc` attribute: something about one source (RFC 5576 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceAttribute {
    /// Which source.
    pub ssrc: u32,
    /// The attribute's name, as `cname`.
    pub name: String,
    /// The attribute's value, where it has one.
    pub value: Option<String>,
}

impl Profile {
    const ALL: [Profile; 6] = [
        Profile::RtpAvp,
        Profile::RtpAvpf,
        Profile::RtpSavp,
        Profile::RtpSavpf,
        Profile::UdpTlsRtpSavp,
        Profile::UdpTlsRtpSavpf,
    ];

    /// As an `m=` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::RtpAvp => "RTP/AVP",
            Profile::RtpAvpf => "RTP/AVPF",
            Profile::RtpSavp => "RTP/SAVP",
            Profile::RtpSavpf => "RTP/SAVPF",
            Profile::UdpTlsRtpSavp => "UDP/TLS/RTP/SAVP",
            Profile::UdpTlsRtpSavpf => "UDP/TLS/RTP/SAVPF",
        }
    }

    /// The profile that a protocol stands for; `None` for what is no RTP over UDP.
    pub fn find(protocol: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.as_str() == protocol)
    }

    /// True where DTLS makes the keys.
    pub fn is_dtls(self) -> bool {
        matches!(self, Profile::UdpTlsRtpSavp | Profile::UdpTlsRtpSavpf)
    }

    /// True where media are encrypted.
    pub fn is_secure(self) -> bool {
        !matches!(self, Profile::RtpAvp | Profile::RtpAvpf)
    }

    /// True where `rtcp-fb` has a meaning.
    pub fn has_feedback(self) -> bool {
        matches!(self, Profile::RtpAvpf | Profile::RtpSavpf | Profile::UdpTlsRtpSavpf)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RtcpFeedback {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<RtcpFeedback, AttributeError> {
        let read = || {
            let (payload, rest) = value.trim_ascii_end().split_once(' ')?;
            let payload = match payload {
                "*" => None,
                digits => Some(number(digits).filter(|payload| *payload < 128)?),
            };
            let (kind, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
            is_token(kind).then(|| RtcpFeedback {
                payload,
                kind: kind.to_string(),
                parameters: parameters.trim_ascii().to_string(),
            })
        };
        read().ok_or(AttributeError { attribute: "rtcp-fb" })
    }
}

impl fmt::Display for RtcpFeedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload {
            None => f.write_str("*")?,
            Some(payload) => payload.fmt(f)?,
        }
        write!(f, " {}", self.kind)?;
        if self.parameters.is_empty() { Ok(()) } else { write!(f, " {}", self.parameters) }
    }
}

impl FromStr for SourceAttribute {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<SourceAttribute, AttributeError> {
        let read = || {
            let (ssrc, rest) = value.split_once(' ')?;
            let (name, value) = match rest.split_once(':') {
                None => (rest.trim_ascii_end(), None),
                Some((name, value)) => (name, Some(value.to_string())),
            };
            is_token(name).then_some(SourceAttribute { ssrc: number(ssrc)?, name: name.to_string(), value })
        };
        read().ok_or(AttributeError { attribute: "ssrc" })
    }
}

impl fmt::Display for SourceAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ssrc, self.name)?;
        self.value.iter().try_for_each(|value| write!(f, ":{value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_their_protocol() {
        for profile in Profile::ALL {
            assert_eq!(Profile::find(&profile.to_string()), Some(profile));
            assert_eq!(profile.has_feedback(), profile.as_str().ends_with('F'), "{profile}");
            assert_eq!(profile.is_dtls(), profile.as_str().contains("TLS"), "{profile}");
            assert_eq!(profile.is_secure(), profile.as_str().contains("SAVP"), "{profile}");
        }
        for protocol in ["", "rtp/avp", "UDP/DTLS/SCTP", "TCP/MSRP"] {
            assert_eq!(Profile::find(protocol), None, "{protocol}");
        }
    }

    #[test]
    fn feedback_is_read_and_written() {
        for (text, payload, kind, parameters) in [
            ("96 nack", Some(96), "nack", ""),
            ("96 nack pli", Some(96), "nack", "pli"),
            ("* ccm fir", None, "ccm", "fir"),
            ("127 trr-int 100", Some(127), "trr-int", "100"),
        ] {
            let feedback: RtcpFeedback = text.parse().unwrap();
            assert_eq!((feedback.payload, feedback.kind.as_str()), (payload, kind));
            assert_eq!(feedback.parameters, parameters);
            assert_eq!(feedback.to_string(), text);
        }
        for text in ["", "96", "128 nack", "-1 nack", "+1 nack", "x nack", "96 ", "96 na/ck"] {
            assert_eq!(text.parse::<RtcpFeedback>(), Err(AttributeError { attribute: "rtcp-fb" }), "{text}");
        }
    }

    #[test]
    fn sources_are_read_and_written() {
        for (text, name, value) in [
            ("4294967295 cname:a b:c", "cname", Some("a b:c")),
            ("1 msid:stream track", "msid", Some("stream track")),
            ("1 flag", "flag", None),
            ("1 cname:", "cname", Some("")),
        ] {
            let source: SourceAttribute = text.parse().unwrap();
            assert_eq!((source.name.as_str(), source.value.as_deref()), (name, value));
            assert_eq!(source.to_string(), text);
        }
        for text in ["", "1", "1 ", "1 :x", "4294967296 cname:x", "-1 cname:x", "x cname:x", "1 a b:c"] {
            assert_eq!(text.parse::<SourceAttribute>(), Err(AttributeError { attribute: "ssrc" }), "{text}");
        }
    }
}
