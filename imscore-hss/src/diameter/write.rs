//! Writes messages: AVPs in the order of the calls, padding and lengths filled in.

use bytes::Bytes;
use thiserror::Error;

use super::avp::{Avp, VENDOR};
use super::dictionary::{Definition, Key};
use super::frame::MAX_MESSAGE;
use super::header::Header;
use super::value::Value;

/// A message in the making.
///
/// ```
/// use imscore_hss::diameter::{
///     ApplicationId, CommandCode, CommandFlags, Header, Message, Writer, dictionary as avp,
/// };
/// let header = Header::request(CommandCode::DEVICE_WATCHDOG, ApplicationId::COMMON, CommandFlags::default());
/// let mut out = Writer::new(header);
/// out.avp(&avp::ORIGIN_HOST, &"hss.ims.example");
/// out.avp(&avp::ORIGIN_REALM, &"ims.example");
/// let message = Message::parse(out.finish()?)?;
/// assert_eq!(message.find(&avp::ORIGIN_REALM).map(|avp| avp.data()), Some(&b"ims.example"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
}

/// A message that would be longer than [`MAX_MESSAGE`].
///
/// ```
/// use imscore_hss::diameter::TooLong;
///
/// // 24 bits hold the length of a message.
/// assert!(TooLong { length: 1 << 24 }.to_string().contains("16777216"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message would have {length} bytes, {MAX_MESSAGE} are the most")]
pub struct TooLong {
    /// How long it would be.
    pub length: usize,
}

impl Writer {
    /// Begins a message.
    pub fn new(header: Header) -> Writer {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&header.to_bytes());
        Writer { out }
    }

    /// Adds an AVP with the flags of its definition.
    #[inline]
    pub fn avp<'a, T: Value<'a>>(&mut self, definition: &Definition, value: &T) {
        debug_assert!(T::KINDS.contains(&definition.kind), "{} is no {:?}", definition.name, definition.kind);
        let start = self.begin(definition.key(), definition.flags());
        value.write(self);
        self.end(start);
    }

    /// Adds a grouped AVP of what `write` adds.
    pub fn group(&mut self, definition: &Definition, write: impl FnOnce(&mut Writer)) {
        let start = self.begin(definition.key(), definition.flags());
        write(self);
        self.end(start);
    }

    /// Adds an AVP as it came, byte for byte.
    pub fn copy(&mut self, avp: &Avp<'_>) {
        self.out.extend_from_slice(avp.bytes());
        self.pad();
    }

    /// Adds bytes to the data of the AVP that is being written; for those who implement [`Value`].
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// The message.
    ///
    /// # Errors
    /// Longer than a message may be.
    pub fn finish(mut self) -> Result<Bytes, TooLong> {
        let length = self.out.len();
        if length > MAX_MESSAGE {
            return Err(TooLong { length });
        }
        patch(&mut self.out, 0, length);
        Ok(Bytes::from(self.out))
    }

    #[inline]
    fn begin(&mut self, key: Key, flags: u8) -> usize {
        let start = self.out.len();
        let (vendor, code) = ((key.0 >> 32) as u32, key.0 as u32);
        let mut head = [0; 12];
        let (first, behind) = head.split_at_mut(4);
        first.copy_from_slice(&code.to_be_bytes());
        behind[4..].copy_from_slice(&vendor.to_be_bytes());
        behind[0] = flags;
        self.out.extend_from_slice(if flags & VENDOR == 0 { &head[..8] } else { &head });
        start
    }

    #[inline]
    fn end(&mut self, start: usize) {
        let length = self.out.len() - start;
        patch(&mut self.out, start + 4, length);
        self.pad();
    }

    #[inline]
    fn pad(&mut self) {
        let padding = self.out.len().wrapping_neg() % 4;
        self.out.extend_from_slice(&[0; 3][..padding]);
    }

    /// Begins AVPs without a message around them.
    pub(super) fn bare() -> Writer {
        Writer { out: Vec::new() }
    }

    /// The header of one AVP that takes up all the rest.
    pub(super) fn head(&mut self, key: Key, flags: u8) {
        self.begin(key, flags);
    }

    /// What was written behind [`Writer::head`].
    pub(super) fn into_bare(mut self) -> Vec<u8> {
        self.end(0);
        self.out
    }
}

/// Sets a length of three bytes behind one of something else. A length that does not fit belongs to a message that
/// [`Writer::finish`] refuses.
#[inline]
fn patch(out: &mut [u8], at: usize, length: usize) {
    let [.., l2, l1, l0] = length.to_be_bytes();
    if let Some([_, place @ ..]) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&[l2, l1, l0]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::dictionary::{ORIGIN_HOST, PROXY_INFO, PROXY_STATE, PUBLIC_IDENTITY, USER_DATA};
    use super::super::{ApplicationId, CommandCode, CommandFlags};
    use super::*;

    fn writer() -> Writer {
        Writer::new(Header::request(CommandCode::ACCOUNTING, ApplicationId::ACCOUNTING, CommandFlags::default()))
    }

    #[test]
    fn lengths_and_padding() {
        let mut out = writer();
        out.avp(&PUBLIC_IDENTITY, &"abcde");
        out.group(&PROXY_INFO, |out| out.avp(&PROXY_STATE, &&b"xyz"[..]));
        let bytes = out.finish().unwrap();
        let identity = [0, 0, 2, 89, 0xc0, 0, 0, 17, 0, 0, 0x28, 0xaf, b'a', b'b', b'c', b'd', b'e', 0, 0, 0];
        let proxy = [0, 0, 1, 28, 0x40, 0, 0, 20, 0, 0, 0, 33, 0x40, 0, 0, 11, b'x', b'y', b'z', 0];
        assert_eq!(bytes[..4], [1, 0, 0, 60]);
        assert_eq!(bytes[20..], [&identity[..], &proxy[..]].concat());
    }

    #[test]
    fn as_long_as_may_be_and_longer() {
        let long = |data: usize| {
            let mut out = writer();
            out.avp(&USER_DATA, &&vec![b' '; data][..]);
            out.finish().map(|bytes| bytes.len())
        };
        assert_eq!(long(MAX_MESSAGE - 32), Ok(MAX_MESSAGE));
        assert_eq!(long(MAX_MESSAGE - 31), Err(TooLong { length: MAX_MESSAGE + 4 }));
        assert_eq!(long(1 << 24), Err(TooLong { length: (1 << 24) + 32 }));
        let mut out = writer();
        out.avp(&ORIGIN_HOST, &"a");
        assert_eq!(out.finish().unwrap().len(), 32);
    }
}
