//! Via (RFC 3261 §20.42).

use std::net::IpAddr;

use bytestring::ByteString;
use nom::Parser;
use nom::combinator::opt;

use super::{Cause, Checked, Name, Params, TypedHeader};
use crate::parse::grammar::{self, Parsed, behind_blank, is, number_to, once, params, spaced, token};
use crate::parse::params::{push_param, push_token};
use crate::parse::part::{Part, push};
use crate::transport::Transport;
use crate::uri::{address, is_its_text};

/// One hop that a request took: how it was sent and where its responses go.
///
/// ```
/// use imscore_sip::header::{TypedHeader, Via};
///
/// let via = Via::decode(&"SIP/2.0/TCP [2001:db8::9]:5066 ;rport;branch=z9hG4bK74b".into())?;
/// assert_eq!((via.transport(), via.host(), via.port()), ("TCP", "[2001:db8::9]", Some(5066)));
/// assert_eq!(via.branch(), Some("z9hG4bK74b"));
/// # Ok::<(), imscore_sip::header::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct Via {
    text: ByteString,
    parts: Parts,
}

/// Where the parts of a value stand.
#[derive(Clone, Copy)]
struct Parts {
    transport: Part,
    host: Part,
    port: Option<u16>,
    branch: Part,
    received: Part,
    /// Empty where it has no value.
    rport: Part,
    params: Part,
}

impl Via {
    /// `SIP/2.0/<transport> <sent_by>;branch=<branch>`. `sent_by` is a host, an IPv6 address in brackets, and possibly
    /// a port.
    pub fn new(transport: Transport, sent_by: &str, branch: &str) -> Via {
        let mut text = String::with_capacity(sent_by.len() + branch.len() + 48);
        text.push_str("SIP/2.0/");
        let transport = push(&mut text, transport.as_str());
        text.push(' ');
        let (host, port) = match sent_by.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (sent_by, None),
        };
        let host = push(&mut text, host);
        if let Some(port) = port {
            text.push_str(&format!(":{port}"));
        }
        let params = text.len();
        text.push_str(";branch=");
        let start = text.len();
        push_token(&mut text, branch);
        let (branch, params) = (Part::between(start, text.len()), Part::between(params, text.len()));
        let (received, rport) = (Part::ABSENT, Part::ABSENT);
        let parts = Parts { transport, host, port, branch, received, rport, params };
        Via { text: text.into(), parts }
    }

    /// How the request was sent, `UDP`; [`Transport::find`] knows ours.
    pub fn transport(&self) -> &str {
        self.parts.transport.text(&self.text)
    }

    /// The host of the sent-by as it stands, an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        self.parts.host.text(&self.text)
    }

    /// The host of the sent-by, where it is an address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        address(self.host())
    }

    /// The port of the sent-by that is written.
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// What names the transaction.
    pub fn branch(&self) -> Option<&str> {
        self.parts.branch.find(&self.text)
    }

    /// Where the request came from, as its receiver saw it (RFC 3261 §18.2.1).
    pub fn received(&self) -> Option<IpAddr> {
        received_address(self.parts.received.find(&self.text)?)
    }

    /// `Some(None)`: the sender asks for the port that its request came from; `Some(Some(port))`: that port
    /// (RFC 3581 §3, §4).
    pub fn rport(&self) -> Option<Option<u16>> {
        self.parts.rport.find(&self.text).map(|port| port.parse().ok())
    }

    /// Where responses are to go instead (RFC 3261 §18.2.2).
    pub fn maddr(&self) -> Option<&str> {
        self.params().get("maddr")
    }

    /// The hops of a multicast datagram.
    pub fn ttl(&self) -> Option<u8> {
        self.params().get("ttl")?.parse().ok()
    }

    /// All parameters.
    pub fn params(&self) -> Params<'_> {
        Params::of(self.parts.params.text(&self.text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same with `received`, in place of any that it has (RFC 3261 §18.2.1).
    #[must_use]
    pub fn with_received(&self, address: IpAddr) -> Via {
        self.with_param("received", address.to_string().as_str())
    }

    /// The same with `rport`: without a value to ask for the source port, with it to tell (RFC 3581 §3, §4).
    #[must_use]
    pub fn with_rport(&self, port: impl Into<Option<u16>>) -> Via {
        let port = port.into().map(|port| port.to_string());
        self.with_param("rport", port.as_deref())
    }

    /// The same with the parameter in place of any of its name, behind all others.
    #[must_use]
    pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> Via {
        let mut params = self.params().without(name);
        push_param(&mut params, name, value.into());
        let mut text = self.text[..self.parts.params.start()].to_string();
        let part = push(&mut text, &params);
        let text = ByteString::from(text);
        let params = Params::of(part.text(&text));
        let found = |name: &str| Part::of_value(text.as_bytes(), params.get(name).map(str::as_bytes));
        let (branch, received, rport) = (found("branch"), found("received"), found("rport"));
        let parts = Parts { branch, received, rport, params: part, ..self.parts };
        Via { text, parts }
    }
}

impl Parts {
    /// Takes a value apart.
    fn read(text: &[u8]) -> Result<Parts, Cause> {
        let (mut branch, mut received, mut rport, mut ttl) = (None, None, None, None);
        let (mut maddr, mut asked) = (None, false);
        let (transport, (host, port), params) =
            grammar::whole(text, |input| {
                let (rest, transport) = sent_protocol(input)?;
                let (rest, _) = grammar::lws(rest)?;
                let (rest, sent_by) = sent_by(rest)?;
                let (rest, params) =
                    params(rest, |name, value| match name.len() {
                        6 if is(name, b"branch") => once(&mut branch, value),
                        8 if is(name, b"received") => once(&mut received, value),
                        5 if is(name, b"rport") && (asked || value.is_none()) => {
                            if std::mem::replace(&mut asked, true) { Err(Cause::Repeated) } else { Ok(()) }
                        }
                        5 if is(name, b"rport") => once(&mut rport, value),
                        3 if is(name, b"ttl") => once(&mut ttl, value),
                        5 if is(name, b"maddr") => once(&mut maddr, value),
                        _ => Ok(()),
                    })?;
                Ok((rest, (transport, sent_by, params)))
            })?;
        let number = |value: &[u8], max| match number_to(max)(value) {
            Ok(([], _)) => Ok(()),
            Ok(_) => Err(Cause::Malformed),
            Err(nom::Err::Error(cause) | nom::Err::Failure(cause)) => Err(cause),
            Err(nom::Err::Incomplete(_)) => Err(Cause::Malformed),
        };
        rport.map_or(Ok(()), |port| if asked { Err(Cause::Repeated) } else { number(port, u16::MAX.into()) })?;
        ttl.map_or(Ok(()), |ttl| number(ttl, u8::MAX.into()))?;
        received.map_or(Ok(&[][..]), |address| grammar::whole(address, grammar::ip_address))?;
        Ok(Parts {
            transport: Part::of(text, transport),
            host: Part::of(text, host),
            port,
            branch: Part::of_some(text, branch),
            received: Part::of_some(text, received),
            rport: Part::of_value(text, rport.or(asked.then_some(&[]))),
            params: Part::of(text, params),
        })
    }
}

/// `sent-protocol`: the transport of it.
fn sent_protocol(input: &[u8]) -> Parsed<'_> {
    let input = match input {
        [b'S', b'I', b'P', b'/', b'2', b'.', b'0', b'/', rest @ ..] => behind_blank(rest),
        _ => {
            let (rest, _) = (token, spaced(b'/'), token, spaced(b'/')).parse(input)?;
            rest
        }
    };
    token(input)
}

/// `sent-by`
fn sent_by(input: &[u8]) -> Parsed<'_, (&[u8], Option<u16>)> {
    let (rest, host) = grammar::host(input)?;
    let port = match behind_blank(rest) {
        [b':', port @ ..] => opt(grammar::port).parse(behind_blank(port))?,
        _ => (rest, None),
    };
    Ok(match port {
        (rest, Some(port)) => (rest, (host, Some(port))),
        (_, None) => (rest, (host, None)),
    })
}

/// `received` and RFC 5118 §4.5: an IPv6 address, brackets or none.
fn received_address(text: &str) -> Option<IpAddr> {
    address(text).or_else(|| text.parse().ok())
}

impl TypedHeader for Via {
    const NAME: Name = Name::VIA;
    const LIST: bool = true;

    fn read(value: ByteString) -> Result<Via, Cause> {
        Ok(Via { parts: Parts::read(value.as_bytes())?, text: value })
    }
}

impl Checked for Via {
    fn check(value: &[u8]) -> Result<(), Cause> {
        Parts::read(value).map(drop)
    }
}

is_its_text!(Via);

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via {
        Via::decode(&text.into()).unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn parts() {
        let via = via("SIP / 2.0\t/ UDP   [2001:db8::9] : 5070 ; rport=5072;branch = z9hG4bK1;\
             received=2001:db8::a7;maddr=192.0.2.9;ttl=16;alias;x=\"a;branch=no\"");
        assert_eq!((via.transport(), via.host(), via.port()), ("UDP", "[2001:db8::9]", Some(5070)));
        assert_eq!(via.branch(), Some("z9hG4bK1"));
        assert_eq!(via.host_ip(), "2001:db8::9".parse().ok());
        assert_eq!(via.received(), "2001:db8::a7".parse().ok());
        assert_eq!((via.rport(), via.maddr(), via.ttl()), (Some(Some(5072)), Some("192.0.2.9"), Some(16)));
        assert!(via.params().contains("alias"));
    }

    /// RFC 5118 §4.5.
    #[test]
    fn received_with_and_without_brackets() {
        for value in ["2001:db8::a7", "[2001:db8::a7]"] {
            let via = via(&format!("SIP/2.0/UDP h;received={value};branch=z9hG4bK1"));
            assert_eq!(via.received(), "2001:db8::a7".parse().ok());
        }
    }

    #[test]
    fn refusals() {
        let long = format!("SIP/2.0/UDP h;branch={}", "b".repeat(257));
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 h",
            "SIP/2.0/UDP h;;branch=1",
            "SIP/2.0/UDP h;branch=1;",
            "SIP/2.0/UDP h;branch=",
            "SIP/2.0/UDP h;branch",
            "SIP/2.0/UDP h;branch=\"1\"",
            "SIP/2.0/UDP h;branch=1;Branch=2",
            "SIP/2.0/UDP h;rport;rport=1",
            "SIP/2.0/UDP h;rport=1;rport",
            "SIP/2.0/UDP h;rport=65536",
            "SIP/2.0/UDP h;rport=x",
            "SIP/2.0/UDP h;ttl=256",
            "SIP/2.0/UDP h;received=name",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP 2001:db8::9",
            "SIP/2.0/UDP h x",
            &long,
        ] {
            assert!(Via::decode(&text.into()).is_err(), "{text}");
        }
        assert!(Via::decode(&format!("SIP/2.0/UDP h;branch={}", "b".repeat(256)).into()).is_ok());
    }

    #[test]
    fn building() {
        let built = Via::new(Transport::Tcp, "[2001:db8::1]:5058", "z9hG4bK1");
        assert_eq!(built.to_string(), "SIP/2.0/TCP [2001:db8::1]:5058;branch=z9hG4bK1");
        let read = via(built.as_str());
        assert_eq!((read.host(), read.port(), read.branch()), (built.host(), built.port(), built.branch()));
        assert_eq!(Via::new(Transport::Udp, "[2001:db8::1]", "b").host(), "[2001:db8::1]");

        let asked = built.with_rport(None);
        assert_eq!(asked.rport(), Some(None));
        let told = asked.with_received("192.0.2.7".parse().unwrap()).with_rport(5072);
        assert_eq!(told.to_string(), "SIP/2.0/TCP [2001:db8::1]:5058;branch=z9hG4bK1;received=192.0.2.7;rport=5072");
        assert_eq!((told.rport(), told.received()), (Some(Some(5072)), "192.0.2.7".parse().ok()));
    }
}
