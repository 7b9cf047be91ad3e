//! STUN Binding (RFC 8489), by which a phone keeps its UDP flow open and finds out that it is gone (RFC 5626 §4.4.2).
//!
//! A request carries nothing that must be understood, and its answer says where it came from. There is no
//! authentication and no state: whatever is broken is dropped.
//!
//! ```
//! use imscore_sip::transport::stun::{Binding, Class};
//!
//! let phone = "203.0.113.9:40000".parse()?;
//! let request = Binding::request([7; 12]).to_bytes();
//! let answer = Binding::read(&request)?.answer(phone).expect("a request has one").to_bytes();
//! let answer = Binding::read(&answer)?;
//! assert_eq!((answer.class, answer.transaction, answer.mapped), (Class::Success, [7; 12], Some(phone)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// At the fifth byte of every message (RFC 8489 §5).
const COOKIE: u32 = 0x2112_a442;

const HEADER: usize = 20;

/// The longest message that is read, in bytes: a Binding with all that others put into it fits well.
const LONGEST: usize = 1_280;

/// Attributes that are read of one message, and of these the ones that are named in an answer as unknown.
const ATTRIBUTES: usize = 32;

const BINDING: u16 = 0x001;
const MAPPED_ADDRESS: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// A Binding request, indication or answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What it is.
    pub class: Class,
    /// Which answer belongs to which request.
    pub transaction: [u8; 12],
    /// Where a request came from, in its answer.
    pub mapped: Option<SocketAddr>,
    /// Why a request was refused, in its answer: 300 to 699.
    pub error: Option<u16>,
    /// Attributes that must be understood and are not (RFC 8489 §5): 0 to 0x7fff, 32 at most.
    pub unknown: Vec<u16>,
}

/// The class of a STUN message (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// Why bytes are no [`Binding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StunError {
    /// Not STUN at all: too short, another first byte, or no magic cookie.
    #[error("not STUN")]
    NotStun,
    /// The length in the header is not that of the datagram, is no multiple of four, or is over 1,280 in all.
    #[error("the length is wrong")]
    Length,
    /// STUN, but no Binding.
    #[error("not a Binding")]
    Method,
    /// An attribute at this byte ends behind the message, is not what it should be, or is one too many.
    #[error("the attribute at byte {0} is broken")]
    Attribute(usize),
}

/// True for what can be STUN, on a port where SIP is spoken too (RFC 5626 §8).
pub fn is_stun(datagram: &[u8]) -> bool {
    let cookie = datagram.get(4..8).and_then(|cookie| cookie.try_into().ok()).map(u32::from_be_bytes);
    datagram.first().is_some_and(|first| *first <= 0x3f) && cookie == Some(COOKIE)
}

impl Binding {
    /// A request; its transaction must be one that nobody can guess.
    pub fn request(transaction: [u8; 12]) -> Binding {
        Binding { class: Class::Request, transaction, mapped: None, error: None, unknown: Vec::new() }
    }

    /// Reads one datagram.
    ///
    /// # Errors
    /// What is no STUN, no Binding, or broken; nothing is to be answered to it.
    pub fn read(datagram: &[u8]) -> Result<Binding, StunError> {
        let Some((header, mut rest)) = datagram.split_first_chunk::<HEADER>().filter(|_| is_stun(datagram)) else {
            return Err(StunError::NotStun);
        };
        let [first, second, high, low, _, _, _, _, transaction @ ..] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length != rest.len() || length % 4 != 0 || datagram.len() > LONGEST {
            return Err(StunError::Length);
        }
        let kind = u16::from_be_bytes([first, second]);
        // The two bits of the class stand between those of the method.
        if kind & 0x3eef != BINDING {
            return Err(StunError::Method);
        }
        let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Error,
        };
        let mut binding = Binding { class, ..Binding::request(transaction) };
        let mut count = 0;
        while let Some(([a, b, high, low], behind)) = rest.split_first_chunk::<4>() {
            let broken = StunError::Attribute(datagram.len() - rest.len());
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (value, next) = behind.split_at_checked(length.next_multiple_of(4)).ok_or(broken)?;
            count += 1;
            if count > ATTRIBUTES {
                return Err(broken);
            }
            binding.take(u16::from_be_bytes([*a, *b]), &value[..length]).ok_or(broken)?;
            rest = next;
        }
        Ok(binding)
    }

    /// One attribute. `None`: it is broken. Of several of a kind the first counts (RFC 8489 §14).
    fn take(&mut self, kind: u16, value: &[u8]) -> Option<()> {
        match kind {
            XOR_MAPPED_ADDRESS => {
                let address = read_address(value, &self.transaction)?;
                self.mapped.get_or_insert(address);
            }
            ERROR_CODE => {
                let [_, _, class @ 3..=6, number @ 0..=99, ..] = value else {
                    return None;
                };
                self.error.get_or_insert(u16::from(*class) * 100 + u16::from(*number));
            }
            // Understood, and of no use here: RFC 5626 asks for no credentials.
            MAPPED_ADDRESS | USERNAME | UNKNOWN_ATTRIBUTES => {}
            0x8000.. => {}
            // The check of credentials, which come in long messages: it is of those who share a password only.
            0x0008 | 0x001c => {}
            unknown => self.unknown.push(unknown),
        }
        Some(())
    }

    /// The answer to a request that came from `source`: that address, or 420 with what is not understood
    /// (RFC 8489 §6.3.1). `None`: it is no request, so that two servers never answer each other.
    pub fn answer(&self, source: SocketAddr) -> Option<Binding> {
        if self.class != Class::Request {
            return None;
        }
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let answer = Binding::request(self.transaction);
        Some(match self.unknown.is_empty() {
            true => Binding { class: Class::Success, mapped: Some(source), ..answer },
            false => Binding { class: Class::Error, error: Some(420), unknown: self.unknown.clone(), ..answer },
        })
    }

    /// The datagram. Of a request's unknown attributes nothing is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let class = match self.class {
            Class::Request => 0,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let mut bytes = Vec::with_capacity(64);
        bytes.extend((BINDING | class).to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(self.transaction);
        if let Some(mapped) = &self.mapped {
            push(&mut bytes, XOR_MAPPED_ADDRESS, &write_address(mapped, &self.transaction));
        }
        if let Some(error) = self.error {
            push(&mut bytes, ERROR_CODE, &[0, 0, (error / 100) as u8, (error % 100) as u8]);
        }
        if self.class == Class::Error && !self.unknown.is_empty() {
            let kinds: Vec<u8> = self.unknown.iter().take(ATTRIBUTES).flat_map(|kind| kind.to_be_bytes()).collect();
            push(&mut bytes, UNKNOWN_ATTRIBUTES, &kinds);
        }
        // At most 128 bytes.
        let length = (bytes.len() - HEADER) as u16;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }
}

/// Appends an attribute, padded to four bytes.
fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// What an address is mixed with, so that no NAT on the way rewrites it (RFC 8489 §14.2).
fn mask(transaction: &[u8; 12]) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(transaction);
    u128::from_be_bytes(mask)
}

fn read_address(value: &[u8], transaction: &[u8; 12]) -> Option<SocketAddr> {
    let ([_, family, port @ ..], address) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes(*port) ^ (COOKIE >> 16) as u16;
    let ip: IpAddr = match family {
        1 => Ipv4Addr::from_bits(u32::from_be_bytes(address.try_into().ok()?) ^ COOKIE).into(),
        2 => Ipv6Addr::from_bits(u128::from_be_bytes(address.try_into().ok()?) ^ mask(transaction)).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn write_address(address: &SocketAddr, transaction: &[u8; 12]) -> Vec<u8> {
    let port = address.port() ^ (COOKIE >> 16) as u16;
    let (family, mixed) = match address.ip() {
        IpAddr::V4(ip) => (1, (ip.to_bits() ^ COOKIE).to_be_bytes().to_vec()),
        IpAddr::V6(ip) => (2, (ip.to_bits() ^ mask(transaction)).to_be_bytes().to_vec()),
    };
    [&[0, family][..], &port.to_be_bytes(), &mixed].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    /// A request with these attributes.
    fn with(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = [&REQUEST, attributes].concat();
        bytes[2..4].copy_from_slice(&(attributes.len() as u16).to_be_bytes());
        bytes
    }

    #[test]
    fn answers_say_where_the_request_came_from() {
        for source in ["192.0.2.1:32853", "[2001:db8::1]:5060", "0.0.0.0:0"] {
            let source = source.parse().unwrap();
            let answer = Binding::read(&REQUEST).unwrap().answer(source).unwrap();
            assert_eq!(Binding::read(&answer.to_bytes()).unwrap(), answer);
            assert_eq!((answer.class, answer.mapped), (Class::Success, Some(source)));
        }
        let mapped = Binding::read(&REQUEST).unwrap().answer("[::ffff:192.0.2.1]:1".parse().unwrap()).unwrap().mapped;
        assert_eq!(mapped, Some("192.0.2.1:1".parse().unwrap()));
    }

    /// RFC 8489 §14.2: port and address are mixed with the cookie.
    #[test]
    fn an_address_does_not_stand_there_in_the_clear() {
        let answer = Binding::read(&REQUEST).unwrap().answer("192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(answer.to_bytes()[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
    }

    #[test]
    fn only_requests_are_answered() {
        for (kind, class) in [
            ([0, 1], Class::Request),
            ([0, 0x11], Class::Indication),
            ([1, 1], Class::Success),
            ([1, 0x11], Class::Error),
        ] {
            let mut bytes = REQUEST;
            bytes[..2].copy_from_slice(&kind);
            let binding = Binding::read(&bytes).unwrap();
            assert_eq!((binding.class, binding.to_bytes()), (class, bytes.to_vec()));
            assert_eq!(binding.answer("192.0.2.1:1".parse().unwrap()).is_some(), class == Class::Request);
        }
    }

    /// RFC 8489 §6.3.1.
    #[test]
    fn what_must_be_understood_and_is_not_is_named() {
        let binding = Binding::read(&with(&[0, 0x30, 0, 1, b'x', 0, 0, 0, 0x80, 0x22, 0, 0, 0, 6, 0, 0])).unwrap();
        assert_eq!(binding.unknown, [0x30]);
        let answer = binding.answer("192.0.2.1:1".parse().unwrap()).unwrap();
        assert_eq!((answer.class, answer.error, answer.mapped), (Class::Error, Some(420), None));
        assert_eq!(answer.to_bytes()[20..], [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2, 0, 0x30, 0, 0]);
        assert_eq!(Binding::read(&answer.to_bytes()).unwrap().error, Some(420));
    }

    fn check(bytes: &[u8], expected: StunError) {
        assert_eq!(Binding::read(bytes), Err(expected), "{bytes:?}");
    }

    /// Threats P14, M7: lengths that lie, attributes beyond the end, too many of them.
    #[test]
    fn what_is_broken_is_refused() {
        for end in 0..REQUEST.len() {
            check(&REQUEST[..end], StunError::NotStun);
        }
        check(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", StunError::NotStun);
        for length in [1, 4, 0xffff_u16] {
            let mut bytes = REQUEST;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            check(&bytes, StunError::Length);
        }
        check(&[&REQUEST[..], &[0; 4]].concat(), StunError::Length);
        check(&with(&[0; 3]), StunError::Length);
        check(&with(&[0x80; LONGEST - HEADER + 4]), StunError::Length);
        let mut other = REQUEST;
        other[1] = 3;
        check(&other, StunError::Method);
        for attribute in [
            &[0x80, 0x22, 0xff, 0xff][..],
            &[0x80, 0x22, 0, 1],
            &[0x80, 0x22, 0, 5, 0, 0, 0, 0],
            &[0, 0x20, 0, 0],
            &[0, 0x20, 0, 4, 0, 1, 0, 0],
            &[0, 0x20, 0, 8, 0, 2, 0, 0, 1, 2, 3, 4],
            &[0, 0x20, 0, 8, 0, 3, 0, 0, 1, 2, 3, 4],
            &[0, 9, 0, 4, 0, 0, 7, 0],
            &[0, 9, 0, 4, 0, 0, 4, 100],
        ] {
            check(&with(attribute), StunError::Attribute(20));
        }
        let many = |count| with(&[0x80, 0x22, 0, 0].repeat(count));
        assert!(Binding::read(&many(ATTRIBUTES)).is_ok());
        check(&many(ATTRIBUTES + 1), StunError::Attribute(20 + 4 * ATTRIBUTES));
    }
}
