//! What is wrong with a message, as the answer says it: a result code and the AVP at fault (RFC 6733 §7.1.5, §7.5).

use std::fmt;

use super::avp::{Avp, VENDOR};
use super::dictionary::{self, Definition, IETF, Key, Kind};
use super::result_code::ResultCode;
use super::write::Writer;

/// Most bytes of an AVP that a fault copies. A longer one is shown by its header and the least data of its type.
const MAX_SHOWN: usize = 4096;

/// Why a message is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    result: ResultCode,
    /// What to put into Failed-AVP: one AVP, perhaps within the groups that it stood in.
    failed: Option<Vec<u8>>,
    reason: String,
}

impl Fault {
    /// A fault of the message as a whole.
    pub fn new(result: ResultCode, reason: impl Into<String>) -> Fault {
        Fault(Box::new(Inner { result, failed: None, reason: reason.into() }))
    }

    fn of(result: ResultCode, key: Key, failed: Vec<u8>, reason: &str) -> Fault {
        let reason = match dictionary::find((key.0 >> 32) as u32, key.0 as u32) {
            Some(definition) => format!("{}: {reason}", definition.name),
            None => format!("AVP {} of vendor {}: {reason}", key.0 as u32, key.0 >> 32),
        };
        Fault(Box::new(Inner { result, failed: Some(failed), reason }))
    }

    /// 5004: not a value of the AVP's type.
    #[cold]
    pub fn value(avp: &Avp<'_>) -> Fault {
        Fault::of(ResultCode::INVALID_AVP_VALUE, avp.key(), shown(avp), "no such value")
    }

    /// 5014: another length than the AVP's type has.
    #[cold]
    pub fn length(avp: &Avp<'_>) -> Fault {
        Fault::of(ResultCode::INVALID_AVP_LENGTH, avp.key(), shown(avp), "not the length of its type")
    }

    /// 5001: an AVP that has to be understood and is not.
    #[cold]
    pub fn unsupported(avp: &Avp<'_>) -> Fault {
        Fault::of(ResultCode::AVP_UNSUPPORTED, avp.key(), shown(avp), "mandatory and unknown")
    }

    /// 5009: one more than there may be.
    #[cold]
    pub fn too_many(avp: &Avp<'_>) -> Fault {
        Fault::of(ResultCode::AVP_OCCURS_TOO_MANY_TIMES, avp.key(), shown(avp), "too many of it")
    }

    /// 5005: an AVP that has to be there and is not, with an example of it.
    #[cold]
    pub fn missing(definition: &Definition) -> Fault {
        let failed = example(definition.key(), definition.flags());
        Fault::of(ResultCode::MISSING_AVP, definition.key(), failed, "missing")
    }

    /// 5014: a length within which the header does not fit, or beyond what there is.
    #[cold]
    pub(super) fn header(key: Key, flags: u8) -> Fault {
        Fault::of(ResultCode::INVALID_AVP_LENGTH, key, example(key, flags), "a length that cannot be")
    }

    /// 5014: what there is is no whole header. Zeros complete it.
    #[cold]
    pub(super) fn cut(bytes: &[u8]) -> Fault {
        let mut head = [0; 12];
        head.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        let [c3, c2, c1, c0, flags, _, _, _, v3, v2, v1, v0] = head;
        let vendor = if flags & VENDOR == 0 { IETF } else { u32::from_be_bytes([v3, v2, v1, v0]) };
        Fault::header(Key::new(vendor, u32::from_be_bytes([c3, c2, c1, c0])), flags)
    }

    /// 5012: more AVPs than we take, or deeper ones.
    #[cold]
    pub(super) fn too_much() -> Fault {
        Fault::new(ResultCode::UNABLE_TO_COMPLY, "more AVPs than are taken, or deeper ones")
    }

    /// The same fault, seen from outside of the group that it is in (RFC 6733 §7.5).
    #[cold]
    #[must_use]
    pub(crate) fn within(mut self, group: &Avp<'_>) -> Fault {
        if let Some(failed) = &mut self.0.failed {
            let mut out = Writer::bare();
            out.head(group.key(), group.flags());
            out.bytes(failed);
            *failed = out.into_bare();
        }
        self
    }

    /// Result-Code of the answer.
    pub fn result(&self) -> ResultCode {
        self.0.result
    }

    /// Data of Failed-AVP.
    pub fn failed_avp(&self) -> Option<&[u8]> {
        self.0.failed.as_deref()
    }

    /// Text of Error-Message: which AVP, and what is wrong with it.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }
}

/// The AVP as it came, where that is short enough.
fn shown(avp: &Avp<'_>) -> Vec<u8> {
    match avp.bytes().len() {
        ..=MAX_SHOWN => avp.bytes().to_vec(),
        _ => example(avp.key(), avp.flags()),
    }
}

/// An AVP of this identity with the least data of its type, all zeros.
fn example(key: Key, flags: u8) -> Vec<u8> {
    // A family without its address is cut short, to those who read the example: IPv4 is the shortest.
    let least = |definition: &Definition| if definition.kind == Kind::Address { 6 } else { definition.least };
    let length = dictionary::find((key.0 >> 32) as u32, key.0 as u32).map_or(0, least);
    let mut out = Writer::bare();
    out.head(key, flags);
    out.bytes(&[0; 16][..length.min(16)]);
    out.into_bare()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.reason, self.0.result)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::super::Avps;
    use super::super::dictionary::{
        CONFIDENTIALITY_KEY, HOST_IP_ADDRESS, PUBLIC_IDENTITY, SIP_AUTH_DATA_ITEM, UAR_FLAGS,
    };
    use super::*;

    const SHORT: &[u8] = &[0, 0, 0, 1, 0x40, 0, 0, 9, b'a', 0, 0, 0];

    fn avp(bytes: &[u8]) -> Avp<'_> {
        Avps::new(bytes).next().unwrap().unwrap()
    }

    /// RFC 6733 §7.1.5: an example complete with vendor, of the least length, filled with zeros.
    #[test]
    fn examples_of_what_is_missing() {
        let failed = |definition| Fault::missing(definition).failed_avp().map(<[u8]>::to_vec).unwrap();
        assert_eq!(failed(&PUBLIC_IDENTITY), [0, 0, 2, 89, 0xc0, 0, 0, 13, 0, 0, 0x28, 0xaf, 0, 0, 0, 0]);
        assert_eq!(failed(&UAR_FLAGS), [0, 0, 2, 125, 0x80, 0, 0, 16, 0, 0, 0x28, 0xaf, 0, 0, 0, 0]);
        assert_eq!(failed(&SIP_AUTH_DATA_ITEM), [0, 0, 2, 100, 0xc0, 0, 0, 12, 0, 0, 0x28, 0xaf]);
        assert_eq!(failed(&CONFIDENTIALITY_KEY).len(), 28);
        assert_eq!(failed(&HOST_IP_ADDRESS), [0, 0, 1, 1, 0x40, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Fault::missing(&UAR_FLAGS).to_string(), "UAR-Flags: missing (DIAMETER_MISSING_AVP)");
    }

    #[test]
    fn the_avp_itself_within_its_groups() {
        let group = [0, 0, 1, 4, 0x40, 0, 0, 8];
        let fault = Fault::value(&avp(SHORT)).within(&avp(&group));
        let expected = [&[0, 0, 1, 4, 0x40, 0, 0, 20][..], SHORT].concat();
        assert_eq!(fault.failed_avp(), Some(&expected[..]));
    }

    #[test]
    fn headers_that_are_cut() {
        let failed = |bytes| Fault::cut(bytes).failed_avp().map(<[u8]>::to_vec).unwrap();
        assert_eq!(failed(&[0, 0, 1]), [0, 0, 1, 0, 0, 0, 0, 8]);
        assert_eq!(failed(&[0, 0, 2, 89, 0xc0, 0, 0, 12, 0, 0]), [0, 0, 2, 89, 0xc0, 0, 0, 12, 0, 0, 0, 0]);
    }

    #[test]
    fn long_ones_are_not_copied() {
        let mut long = vec![0, 0, 2, 93, 0x40, 0, 0x20, 0];
        long.resize(0x2000, 1);
        assert_eq!(Fault::unsupported(&avp(&long)).failed_avp().map(<[u8]>::len), Some(8));
    }
}
