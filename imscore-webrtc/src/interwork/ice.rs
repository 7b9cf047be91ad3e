//! ICE in SDP (RFC 8839): candidates and the credentials of their checks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{AttributeError, is_token, number};

/// The value of a `candidate` attribute: a way to reach an agent (RFC 8839 §5.1).
///
/// ```
/// use imscore_webrtc::interwork::{AttributeError, Candidate, CandidateAddress, CandidateKind};
///
/// let text = "842163049 1 udp 1686052607 198.51.100.7 52340 typ srflx raddr 192.0.2.17 rport 52340";
/// let candidate: Candidate = text.parse()?;
/// assert_eq!((candidate.kind, candidate.port), (CandidateKind::ServerReflexive, 52_340));
/// assert_eq!(candidate.address, CandidateAddress::Ip("198.51.100.7".parse()?));
/// let broken: Result<Candidate, AttributeError> = "842163049".parse();
/// assert!(broken.is_err_and(|error| error.attribute == "candidate"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Equal for candidates of one kind, base and server; 1 to 32 characters.
    pub foundation: String,
    /// 1 for RTP, 2 for RTCP; at most 256.
    pub component: u16,
    /// `udp` or `tcp`, in either case.
    pub transport: String,
    /// 1 to 2^31 - 1; the highest is tried first.
    pub priority: u32,
    /// Where.
    pub address: CandidateAddress,
    /// At which port.
    pub port: u16,
    /// How the agent came by it.
    pub kind: CandidateKind,
    /// Of what it is the reflection or relay, where it says so.
    pub related: Option<(CandidateAddress, u16)>,
    /// What else it says, as names and values.
    pub extensions: Vec<(String, String)>,
}

/// An address, or a name that stands for one: browsers hide addresses of their own network behind names under `.local`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateAddress {
    /// An address without brackets.
    Ip(IpAddr),
    /// A host name.
    Name(String),
}

/// How an agent came by a candidate (RFC 8445 §5.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// `host`: an address of its own.
    Host,
    /// `srflx`: what a STUN server saw.
    ServerReflexive,
    /// `prflx`: what a peer saw.
    PeerReflexive,
    /// `relay`: an address at a TURN server.
    Relayed,
    /// Any other token.
    Other(String),
}

/// The values of `ice-ufrag` and `ice-pwd` (RFC 8839 §5.4). `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    ufrag: String,
    password: String,
}

impl IceCredentials {
    /// Credentials of 4 to 256 characters and of 22 to 256, letters, digits, `+` and `/` all.
    ///
    /// # Errors
    /// Which of the two they are not.
    pub fn new(ufrag: &str, password: &str) -> Result<IceCredentials, AttributeError> {
        if !is_ice(ufrag, 4, 256) {
            return Err(AttributeError { attribute: "ice-ufrag" });
        }
        if !is_ice(password, 22, 256) {
            return Err(AttributeError { attribute: "ice-pwd" });
        }
        Ok(IceCredentials { ufrag: ufrag.to_string(), password: password.to_string() })
    }

    /// The user name fragment.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

impl FromStr for Candidate {
    type Err = AttributeError;

    fn from_str(value: &str) -> Result<Candidate, AttributeError> {
        read(value).ok_or(AttributeError { attribute: "candidate" })
    }
}

fn read(value: &str) -> Option<Candidate> {
    let mut parts = value.trim_ascii_end().split(' ');
    let mut next = || parts.next();
    let foundation = next().filter(|text| is_ice(text, 1, 32))?.to_string();
    let component = next().and_then(number).filter(|component| matches!(component, 1..=256))?;
    let transport = next().filter(|text| is_token(text))?.to_string();
    let priority = next().and_then(number).filter(|priority| matches!(priority, 1..=0x7fff_ffff))?;
    let address = next()?.parse().ok()?;
    let port = next().and_then(number)?;
    let kind = next().filter(|text| *text == "typ").and_then(|_| next()?.parse().ok())?;
    let (mut related, mut extensions) = ((None, None), Vec::new());
    while let Some(name) = next() {
        let value = next().filter(|value| !value.is_empty() && !name.is_empty())?;
        match name {
            "raddr" => related.0 = Some(value.parse().ok()?),
            "rport" => related.1 = Some(number(value)?),
            _ => extensions.push((name.to_string(), value.to_string())),
        }
    }
    let related = related.0.map(|address| (address, related.1.unwrap_or_default()));
    Some(Candidate { foundation, component, transport, priority, address, port, kind, related, extensions })
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Candidate { foundation, component, transport, priority, address, port, kind, .. } = self;
        write!(f, "{foundation} {component} {transport} {priority} {address} {port} typ {kind}")?;
        if let Some((address, port)) = &self.related {
            write!(f, " raddr {address} rport {port}")?;
        }
        self.extensions.iter().try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}

impl FromStr for CandidateAddress {
    type Err = AttributeError;

    fn from_str(text: &str) -> Result<CandidateAddress, AttributeError> {
        let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        match text.parse() {
            Ok(address) => Ok(CandidateAddress::Ip(address)),
            Err(_) if matches!(text.len(), 1..=255) && is_name(text) => Ok(CandidateAddress::Name(text.to_string())),
            Err(_) => Err(AttributeError { attribute: "candidate" }),
        }
    }
}

impl fmt::Display for CandidateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CandidateAddress::Ip(address) => address.fmt(f),
            CandidateAddress::Name(name) => name.fmt(f),
        }
    }
}

impl FromStr for CandidateKind {
    type Err = AttributeError;

    fn from_str(text: &str) -> Result<CandidateKind, AttributeError> {
        match text {
            "host" => Ok(CandidateKind::Host),
            "srflx" => Ok(CandidateKind::ServerReflexive),
            "prflx" => Ok(CandidateKind::PeerReflexive),
            "relay" => Ok(CandidateKind::Relayed),
            other if is_token(other) => Ok(CandidateKind::Other(other.to_string())),
            _ => Err(AttributeError { attribute: "candidate" }),
        }
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relayed => "relay",
            CandidateKind::Other(other) => other,
        })
    }
}

/// `min*max ice-char` (RFC 8839 §5.1).
fn is_ice(text: &str, min: usize, max: usize) -> bool {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (min..=max).contains(&text.len()) && text.bytes().all(is_ice_char)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn candidates_are_read_and_written() {
        for text in [
            "1 1 udp 2130706431 192.0.2.1 54321 typ host",
            "1467250027 1 udp 2122260223 2001:db8::1 46243 typ host generation 0 network-id 1",
            "a+/9 2 UDP 1 relay.example 0 typ relay raddr 0.0.0.0 rport 0",
            "2 1 udp 1685987071 198.51.100.7 61000 typ srflx raddr 192.0.2.1 rport 54321 generation 0",
            "3 1 tcp 1518280447 0b8c8d1a-1111-4222-8333-444444444444.local 9 typ host tcptype active",
            "4 256 udp 2147483647 192.0.2.1 65535 typ other",
        ] {
            let candidate: Candidate = text.parse().unwrap();
            assert_eq!(candidate.to_string(), text);
        }
        let reflexive: Candidate =
            "2 1 udp 7 198.51.100.7 61000 typ srflx raddr 2001:db8::1 rport 54321 x y".parse().unwrap();
        assert_eq!((reflexive.kind, reflexive.port), (CandidateKind::ServerReflexive, 61_000));
        assert_eq!(reflexive.related, Some((CandidateAddress::Ip("2001:db8::1".parse().unwrap()), 54_321)));
        assert_eq!(reflexive.extensions, [("x".to_string(), "y".to_string())]);
    }

    #[test]
    fn what_is_no_candidate_is_refused() {
        for text in [
            "",
            "1 1 udp 7 192.0.2.1 5 typ",
            "1 1 udp 7 192.0.2.1 5 host",
            "1 1 udp 7 192.0.2.1 5 type host",
            " 1 1 udp 7 192.0.2.1 5 typ host",
            "1  1 udp 7 192.0.2.1 5 typ host",
            "1 0 udp 7 192.0.2.1 5 typ host",
            "1 257 udp 7 192.0.2.1 5 typ host",
            "1 1 udp 0 192.0.2.1 5 typ host",
            "1 1 udp 2147483648 192.0.2.1 5 typ host",
            "1 1 udp +7 192.0.2.1 5 typ host",
            "1 1 u/p 7 192.0.2.1 5 typ host",
            "1 1 udp 7 [2001:db8::1] 5 typ host",
            "1 1 udp 7 192.0.2.1 65536 typ host",
            "1 1 udp 7 192.0.2.1 5 typ h/st",
            "1-1 1 udp 7 192.0.2.1 5 typ host",
            "123456789012345678901234567890123 1 udp 7 192.0.2.1 5 typ host",
            "1 1 udp 7 192.0.2.1 5 typ host generation",
            "1 1 udp 7 192.0.2.1 5 typ host  x",
            "1 1 udp 7 192.0.2.1 5 typ host x  y z",
            "1 1 udp 7 192.0.2.1 5 typ host raddr a/b",
            "1 1 udp 7 192.0.2.1 5 typ host rport x",
        ] {
            assert_eq!(text.parse::<Candidate>(), Err(AttributeError { attribute: "candidate" }), "{text}");
        }
    }

    #[test]
    fn names_have_their_length() {
        for (length, fits) in [(0, false), (1, true), (255, true), (256, false)] {
            assert_eq!("n".repeat(length).parse::<CandidateAddress>().is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn credentials_have_their_lengths() {
        let new = |ufrag: usize, password: usize| {
            IceCredentials::new(&"u".repeat(ufrag), &"p".repeat(password)).err().map(|error| error.attribute)
        };
        for (ufrag, expected) in [(3, Some("ice-ufrag")), (4, None), (256, None), (257, Some("ice-ufrag"))] {
            assert_eq!(new(ufrag, 22), expected, "{ufrag}");
        }
        for (password, expected) in [(21, Some("ice-pwd")), (22, None), (256, None), (257, Some("ice-pwd"))] {
            assert_eq!(new(4, password), expected, "{password}");
        }
        assert!(IceCredentials::new("a b c", &"p".repeat(22)).is_err());
        let credentials = IceCredentials::new("+/aZ", &"secret".repeat(4)).unwrap();
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_again(text in "[0-9a-z/+]{1,3} [12] udp [0-9]{1,11} [0-9a-f:.]{2,9} [0-9]{1,5} typ [a-z]{1,5}( [a-z]{1,5} [0-9.]{1,9}){0,3}") {
            if let Ok(candidate) = text.parse::<Candidate>() {
                prop_assert_eq!(candidate.to_string().parse::<Candidate>(), Ok(candidate));
            }
        }
    }
}
