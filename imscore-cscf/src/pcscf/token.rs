//! Signed tokens: what a P-CSCF writes into the user part of its Path and Record-Route, to know a flow again without
//! keeping it, and to know who may speak in a dialog.
//!
//! A token is the flow, then a keyed MAC over it and what it is bound to: nothing for a Path (RFC 5626 §5.2), the dialog
//! for a Record-Route. Any P-CSCF that has the key reads it; a changed one is refused.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use imscore_sip::transport::{ConnectionId, Flow, ListenerId, Transport};
use siphasher::sip128::{Hasher128, SipHasher24};

const TRANSPORTS: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

/// Bytes of the MAC that a token carries.
const MAC: usize = 12;

/// Makes and reads tokens.
///
/// ```
/// use imscore_cscf::pcscf::Tokens;
/// use imscore_sip::transport::{Flow, ListenerId, Transport};
///
/// let tokens = Tokens::new([7; 16]);
/// let remote = "203.0.113.9:40000".parse()?;
/// let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote, connection: None };
/// let token = tokens.seal(flow, &[b"a84b@pc33"]);
/// assert_eq!(tokens.open(&token, &[b"a84b@pc33"]), Some(flow));
/// assert_eq!(tokens.open(&token, &[b"another call"]), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tokens {
    key: [u8; 16],
}

impl Tokens {
    /// Tokens under this key, which the P-CSCFs of a pool share.
    pub fn new(key: [u8; 16]) -> Tokens {
        Tokens { key }
    }

    /// The token of a flow, bound to these parts.
    pub fn seal(&self, flow: Flow, bound: &[&[u8]]) -> String {
        let mut bytes = encode(flow);
        let mac = self.mac(&bytes, bound);
        bytes.extend_from_slice(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The flow of a token. `None`: it is not ours, was changed, or is bound to something else.
    pub fn open(&self, token: &str, bound: &[&[u8]]) -> Option<Flow> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (flow, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let expected = self.mac(flow, bound);
        let differs = mac.iter().zip(&expected).fold(0, |differs, (one, other)| differs | (one ^ other));
        if differs == 0 { decode(flow) } else { None }
    }

    fn mac(&self, flow: &[u8], bound: &[&[u8]]) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        for part in std::iter::once(&flow).chain(bound) {
            hasher.write_u32(part.len() as u32);
            hasher.write(part);
        }
        hasher.finish128().as_bytes()
    }
}

fn encode(flow: Flow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    let transport = TRANSPORTS.iter().position(|transport| *transport == flow.transport).unwrap_or_default();
    bytes.push(transport as u8 | if flow.remote.is_ipv6() { 0x10 } else { 0 });
    bytes.extend_from_slice(&flow.listener.0.to_be_bytes());
    bytes.extend_from_slice(&flow.remote.port().to_be_bytes());
    match flow.remote.ip() {
        IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
    }
    if let Some(connection) = flow.connection {
        bytes.extend_from_slice(&connection.0.get().to_be_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Flow> {
    let (&[kind, l0, l1, p0, p1], rest) = bytes.split_first_chunk::<5>()?;
    let (ip, rest): (IpAddr, &[u8]) = if kind & 0x10 == 0 {
        let (ip, rest) = rest.split_first_chunk::<4>()?;
        ((*ip).into(), rest)
    } else {
        let (ip, rest) = rest.split_first_chunk::<16>()?;
        ((*ip).into(), rest)
    };
    let connection = match rest.len() {
        0 => None,
        _ => Some(ConnectionId(NonZeroU64::new(u64::from_be_bytes(rest.try_into().ok()?))?)),
    };
    Some(Flow {
        transport: *TRANSPORTS.get(usize::from(kind & 0x0f))?,
        listener: ListenerId(u16::from_be_bytes([l0, l1])),
        remote: SocketAddr::new(ip, u16::from_be_bytes([p0, p1])),
        connection,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(transport: usize, remote: SocketAddr, connection: Option<u64>) -> Flow {
        Flow {
            transport: TRANSPORTS[transport],
            listener: ListenerId(3),
            remote,
            connection: connection.and_then(NonZeroU64::new).map(ConnectionId),
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_by_whoever_has_the_key(
            transport in 0..5usize, ip: std::net::IpAddr, port: u16, connection: Option<u64>, key: [u8; 16],
        ) {
            let flow = flow(transport, SocketAddr::new(ip, port), connection);
            let token = Tokens::new(key).seal(flow, &[b"call", b"tag"]);
            prop_assert_eq!(Tokens::new(key).open(&token, &[b"call", b"tag"]), Some(flow));
            prop_assert_eq!(Tokens::new(key).open(&token, &[b"cal", b"ltag"]), None);
            prop_assert_eq!(Tokens::new([0; 16]).open(&token, &[b"call", b"tag"]), None);
        }

        /// I9: no token that somebody changed is read.
        #[test]
        fn a_changed_token_is_refused(at in 0..30usize, to in "[A-Za-z0-9_-]") {
            let tokens = Tokens::new([7; 16]);
            let token = tokens.seal(flow(0, "192.0.2.1:5060".parse().unwrap(), None), &[]);
            let mut changed = token.clone();
            let at = at % token.len();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != token);
            prop_assert_eq!(tokens.open(&changed, &[]), None);
        }

        #[test]
        fn text_from_strangers_is_no_token(text: String) {
            prop_assert_eq!(Tokens::new([7; 16]).open(&text, &[]), None);
        }
    }
}
