//! AVPs as they stand in a message: borrowed, walked without allocation.

use std::fmt;

use super::dictionary::{self, Definition, Key};
use super::{Fault, Value};

/// Most AVPs of a message, and of one group in it.
pub const MAX_AVPS: usize = 1024;
/// How deep groups may stand in groups.
pub const MAX_DEPTH: usize = 16;

/// The V flag: a vendor stands behind the length.
pub(super) const VENDOR: u8 = 0x80;
/// The M flag.
pub(super) const MANDATORY: u8 = 0x40;

/// One AVP.
///
/// ```
/// use imscore_hss::diameter::dictionary::{self as avp, Definition, Key, Kind};
/// use imscore_hss::diameter::{
///     ApplicationId, Avp, Avps, CommandCode, CommandFlags, Fault, Header, Message, ResultCode, Writer,
/// };
///
/// let mut out =
///     Writer::new(Header::request(CommandCode::DEVICE_WATCHDOG, ApplicationId::COMMON, CommandFlags::default()));
/// out.avp(&avp::ORIGIN_HOST, &"hss.ims.example");
/// let message = Message::parse(out.finish()?)?;
/// let avps: Avps<'_> = message.avps();
/// let host: Avp<'_> = avps.find(&avp::ORIGIN_HOST).ok_or("no Origin-Host")?;
/// assert_eq!(host.read::<&str>(&avp::ORIGIN_HOST)?, "hss.ims.example");
///
/// let definition: &Definition = host.definition().ok_or("no such AVP")?;
/// assert_eq!((definition.kind, definition.key()), (Kind::DiameterIdentity, Key::new(0, 264)));
/// let missing: Fault = Fault::missing(&avp::ORIGIN_REALM);
/// assert_eq!(missing.result(), ResultCode::MISSING_AVP);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Avp<'a> {
    key: Key,
    flags: u8,
    depth: u8,
    data: &'a [u8],
    /// Header, data and padding.
    bytes: &'a [u8],
}

impl<'a> Avp<'a> {
    /// AVP code.
    pub fn code(&self) -> u32 {
        self.key.0 as u32
    }

    /// Vendor of the code, 0 for the IETF.
    pub fn vendor(&self) -> u32 {
        (self.key.0 >> 32) as u32
    }

    /// Vendor and code in one.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The M flag: who does not know the AVP has to refuse the message.
    pub fn is_mandatory(&self) -> bool {
        self.flags & MANDATORY != 0
    }

    /// The flags as they came.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// The data, without padding.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Header, data and padding as they came; no padding where the AVP stood last in a group that left it out.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the dictionary says of it.
    pub fn definition(&self) -> Option<&'static Definition> {
        dictionary::find(self.vendor(), self.code())
    }

    /// True where it is the one that is defined so.
    pub fn is(&self, definition: &Definition) -> bool {
        self.key == definition.key()
    }

    /// The value, as the definition has it.
    ///
    /// # Errors
    /// 5014 where the type has another length, 5004 where the value is none of the type's.
    pub fn read<T: Value<'a>>(&self, definition: &Definition) -> Result<T, Fault> {
        if self.data.len() < definition.least || self.data.len() > definition.most {
            return Err(if definition.kind.is_fixed() { Fault::length(self) } else { Fault::value(self) });
        }
        T::read(self, definition)
    }

    /// The AVPs within, for one that is grouped. At most [`MAX_DEPTH`] deep.
    pub fn avps(&self) -> Avps<'a> {
        Avps { rest: self.data, depth: self.depth + 1, count: 0 }
    }

    /// What to do about an AVP that nobody asked for: one without M flag, or known to the dictionary, is ignored.
    ///
    /// # Errors
    /// 5001 for an unknown one with M flag (RFC 6733 §4.1).
    pub fn ignore(&self) -> Result<(), Fault> {
        match self.is_mandatory() && self.definition().is_none() {
            true => Err(Fault::unsupported(self)),
            false => Ok(()),
        }
    }
}

/// Code and vendor, name and length: no value, since most are about somebody.
impl fmt::Debug for Avp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.definition() {
            Some(definition) => f.write_str(definition.name)?,
            None => write!(f, "{}/{}", self.vendor(), self.code())?,
        }
        write!(f, "[{}]", self.data.len())
    }
}

/// Walks AVPs one behind the other. After an error there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Avps<'a> {
    rest: &'a [u8],
    depth: u8,
    count: u16,
}

impl<'a> Avps<'a> {
    /// The AVPs of a message, or of a group apart from one.
    pub fn new(bytes: &'a [u8]) -> Avps<'a> {
        Avps { rest: bytes, depth: 0, count: 0 }
    }

    /// The first that is defined so, among those that can be read.
    pub fn find(self, definition: &Definition) -> Option<Avp<'a>> {
        self.map_while(Result::ok).find(|avp| avp.is(definition))
    }

    fn split(&mut self) -> Result<Avp<'a>, Fault> {
        let bytes = self.rest;
        self.count += 1;
        if usize::from(self.count) > MAX_AVPS || usize::from(self.depth) > MAX_DEPTH {
            return Err(Fault::too_much());
        }
        let (head, behind) = bytes.split_first_chunk::<8>().ok_or_else(|| Fault::cut(bytes))?;
        let [c3, c2, c1, c0, flags, l2, l1, l0] = *head;
        let length = usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0);
        let code = u32::from_be_bytes([c3, c2, c1, c0]);
        let (vendor, header) = match flags & VENDOR {
            0 => (0, 8),
            _ => (u32::from_be_bytes(*behind.first_chunk().ok_or_else(|| Fault::cut(bytes))?), 12),
        };
        let data = bytes.get(header..length).ok_or_else(|| Fault::header(Key::new(vendor, code), flags))?;
        let end = length.next_multiple_of(4).min(bytes.len());
        let (bytes, rest) = bytes.split_at(end);
        self.rest = rest;
        Ok(Avp { key: Key::new(vendor, code), flags, depth: self.depth, data, bytes })
    }
}

impl<'a> Iterator for Avps<'a> {
    type Item = Result<Avp<'a>, Fault>;

    #[inline]
    fn next(&mut self) -> Option<Result<Avp<'a>, Fault>> {
        if self.rest.is_empty() {
            return None;
        }
        let avp = self.split();
        if avp.is_err() {
            self.rest = &[];
        }
        Some(avp)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ResultCode;
    use super::super::dictionary::{FAILED_AVP, TGPP, USER_NAME};
    use super::*;

    fn walk(bytes: &[u8]) -> Vec<Result<(u32, u32, usize), u32>> {
        let show = |avp: Result<Avp<'_>, Fault>| match avp {
            Ok(avp) => Ok((avp.vendor(), avp.code(), avp.data().len())),
            Err(fault) => Err(fault.result().0),
        };
        Avps::new(bytes).map(show).collect()
    }

    #[test]
    fn padding_and_vendors() {
        let bytes = [0, 0, 0, 1, 0x40, 0, 0, 9, b'a', 0, 0, 0, 0, 0, 2, 89, 0xc0, 0, 0, 12, 0, 0, 0x28, 0xaf];
        assert_eq!(walk(&bytes), [Ok((0, 1, 1)), Ok((TGPP, 601, 0))]);
        let first = Avps::new(&bytes).find(&USER_NAME).unwrap();
        assert_eq!((first.data(), first.bytes().len(), first.is_mandatory()), (&b"a"[..], 12, true));
        assert_eq!(format!("{first:?}"), "User-Name[1]");
        // The last of a group may come without its padding.
        assert_eq!(walk(&bytes[..9]), [Ok((0, 1, 1))]);
    }

    /// Threat X1: a length of 0, below the header, beyond the message, and the largest that can be written.
    #[test]
    fn x01_lengths_that_cannot_be() {
        for length in [0u32, 1, 7, 13, 24, 0xff_ffff] {
            let mut bytes = [0, 0, 0, 1, 0x40, 0, 0, 0, 1, 2, 3, 4];
            bytes[5..8].copy_from_slice(&length.to_be_bytes()[1..]);
            assert_eq!(walk(&bytes), [Err(5014)], "{length}");
        }
        for length in [0u32, 8, 11, 17] {
            let mut bytes = [0, 0, 2, 89, 0xc0, 0, 0, 0, 0, 0, 0x28, 0xaf, 1, 2, 3, 4];
            bytes[5..8].copy_from_slice(&length.to_be_bytes()[1..]);
            assert_eq!(walk(&bytes), [Err(5014)], "{length}");
        }
        for cut in 1..8 {
            assert_eq!(walk(&[0, 0, 0, 1, 0x40, 0, 0, 8][..cut]), [Err(5014)], "{cut}");
        }
        assert_eq!(walk(&[0, 0, 2, 89, 0xc0, 0, 0, 12, 0, 0]), [Err(5014)]);
    }

    #[test]
    fn number_of_avps() {
        let one = [0, 0, 0, 1, 0, 0, 0, 8];
        assert!(walk(&one.repeat(MAX_AVPS)).iter().all(Result::is_ok));
        let over = walk(&one.repeat(MAX_AVPS + 5));
        assert_eq!((over.len(), over.last()), (MAX_AVPS + 1, Some(&Err(5012))));
    }

    /// Threat X7: groups in groups, as deep as a message can hold.
    #[test]
    fn x07_depth_of_groups() {
        let nested = |depth: u32| {
            let head = |n: u32| [279, 0x4000_0000 + n * 8].map(u32::to_be_bytes).concat();
            (1..=depth).rev().flat_map(head).collect::<Vec<u8>>()
        };
        let dive = |bytes: &[u8]| {
            let mut avps = Avps::new(bytes);
            let mut depth = 0;
            loop {
                match avps.next() {
                    Some(Ok(avp)) => (avps, depth) = (avp.avps(), depth + 1),
                    Some(Err(fault)) => return (depth, Some(fault.result())),
                    None => return (depth, None),
                }
            }
        };
        assert_eq!(FAILED_AVP.code, 279);
        assert_eq!(dive(&nested(16)), (16, None));
        assert_eq!(dive(&nested(17)), (17, None));
        assert_eq!(dive(&nested(18)), (17, Some(ResultCode::UNABLE_TO_COMPLY)));
        assert_eq!(dive(&nested(3000)), (17, Some(ResultCode::UNABLE_TO_COMPLY)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_avps_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut length = 0;
            for avp in Avps::new(&bytes) {
                if let Ok(avp) = avp {
                    length += avp.bytes().len();
                    avp.avps().for_each(drop);
                } else {
                    return Ok(());
                }
            }
            prop_assert_eq!(length, bytes.len());
        }
    }
}
