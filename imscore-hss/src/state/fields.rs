//! How records are written: a version, then fields, each a tag, a length and a value.
//!
//! A node passes over fields whose tags it does not know and writes them back as they were, so that nodes of two releases
//! can work on one record. The version changes only when an old node must keep its hands off.

use bytes::{BufMut, Bytes};
use bytestring::ByteString;

/// The version that this node writes and reads.
const VERSION: u8 = 1;

/// A record that cannot be read: another version, or bytes that are no fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record is of another version or damaged")]
pub struct Unreadable;

/// Fields as they are written.
///
/// ```
/// use imscore_hss::state::fields::{Field, Reader, Unknown, Unreadable, Writer};
///
/// let mut writer = Writer::record();
/// writer.text(1, "sip:alice@ims.example");
/// writer.number(9, 7);
/// let record = writer.finish();
///
/// // A node that knows only tag 1 keeps the rest.
/// let (mut name, mut unknown) = (None, Unknown::default());
/// let mut reader = Reader::record(&record)?;
/// while let Some(field) = reader.next_field()? {
///     let field: Field = field;
///     match field.tag {
///         1 => name = Some(field.text()?),
///         _ => unknown.keep(&field),
///     }
/// }
/// let mut writer = Writer::record();
/// writer.text(1, &name.ok_or("no name")?);
/// writer.unknown(&unknown);
/// assert_eq!(writer.finish(), record);
/// assert!(matches!(Reader::record(&"?".into()), Err(Unreadable)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// Fields as they are read.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it is, as the kind of record numbers it.
    pub tag: u8,
    /// What it says.
    pub value: Bytes,
}

/// Fields of tags that nobody here knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown(Vec<u8>);

impl Writer {
    /// A record.
    pub fn record() -> Writer {
        Writer { bytes: vec![VERSION] }
    }

    /// A field of text.
    pub fn text(&mut self, tag: u8, text: &str) {
        self.bytes(tag, text.as_bytes());
    }

    /// A number in as few bytes as it needs. Left out where it is 0, which is what a missing number reads as.
    pub fn number(&mut self, tag: u8, number: u64) {
        if number > 0 {
            let bytes = number.to_be_bytes();
            self.bytes(tag, &bytes[number.leading_zeros() as usize / 8..]);
        }
    }

    /// Fields within a field.
    pub fn group(&mut self, tag: u8, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(tag, &inner.bytes);
    }

    /// A field of bytes.
    pub fn bytes(&mut self, tag: u8, value: &[u8]) {
        self.bytes.put_u8(tag);
        let mut len = value.len();
        while len >= 0x80 {
            self.bytes.put_u8(len as u8 | 0x80);
            len >>= 7;
        }
        self.bytes.put_u8(len as u8);
        self.bytes.put_slice(value);
    }

    /// What was passed over when the record was read.
    pub fn unknown(&mut self, unknown: &Unknown) {
        self.bytes.put_slice(&unknown.0);
    }

    /// The record.
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }
}

impl Reader {
    /// The fields of a record.
    ///
    /// # Errors
    /// A record of another version.
    pub fn record(record: &Bytes) -> Result<Reader, Unreadable> {
        match record.first() {
            Some(&VERSION) => Ok(Reader { rest: record.slice(1..) }),
            Some(_) | None => Err(Unreadable),
        }
    }

    /// The next field; `None` behind the last.
    ///
    /// # Errors
    /// Bytes that are no fields.
    pub fn next_field(&mut self) -> Result<Option<Field>, Unreadable> {
        let Some(&tag) = self.rest.first() else { return Ok(None) };
        let (mut len, mut at) = (0_usize, 1);
        loop {
            let byte = *self.rest.get(at).filter(|_| at < 5).ok_or(Unreadable)?;
            len |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if self.rest.len() - at < len {
            return Err(Unreadable);
        }
        let value = self.rest.slice(at..at + len);
        self.rest = self.rest.slice(at + len..);
        Ok(Some(Field { tag, value }))
    }
}

impl Field {
    /// The field as text.
    ///
    /// # Errors
    /// Bytes that are no text.
    pub fn text(self) -> Result<ByteString, Unreadable> {
        ByteString::try_from(self.value).map_err(|_| Unreadable)
    }

    /// The field as what its text stands for.
    ///
    /// # Errors
    /// Text that stands for nothing of the kind.
    pub fn parse<T: std::str::FromStr>(self) -> Result<T, Unreadable> {
        self.text()?.parse().map_err(|_| Unreadable)
    }

    /// The field as a number.
    ///
    /// # Errors
    /// More than eight bytes.
    pub fn number(&self) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        let at = bytes.len().checked_sub(self.value.len()).ok_or(Unreadable)?;
        bytes[at..].copy_from_slice(&self.value);
        Ok(u64::from_be_bytes(bytes))
    }

    /// The fields within it.
    pub fn group(self) -> Reader {
        Reader { rest: self.value }
    }
}

impl Unknown {
    /// Keeps a field, to be written again as it is.
    pub fn keep(&mut self, field: &Field) {
        let mut writer = Writer { bytes: std::mem::take(&mut self.0) };
        writer.bytes(field.tag, &field.value);
        self.0 = writer.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let long = "x".repeat(20_000);
        let mut writer = Writer::record();
        writer.text(1, "");
        writer.text(2, &long);
        for number in [0, 1, 255, 256, u64::MAX] {
            writer.number(3, number);
        }
        writer.group(4, |inner| inner.text(5, "y"));
        let mut reader = Reader::record(&writer.finish()).unwrap();
        let mut next = || reader.next_field().unwrap();
        assert_eq!(next().map(|field| field.text()), Some(Ok("".into())));
        assert_eq!(next().map(|field| field.text()), Some(Ok(long.into())));
        for number in [1, 255, 256, u64::MAX] {
            assert_eq!(next().map(|field| field.number()), Some(Ok(number)));
        }
        let mut inner = next().unwrap().group();
        assert_eq!(inner.next_field().unwrap().map(|field| (field.tag, field.text())), Some((5, Ok("y".into()))));
        assert!(next().is_none());
    }

    #[test]
    fn what_cannot_be_read() {
        for record in [&b""[..], b"\x02", b"\x00\x01\x00"] {
            assert_eq!(Reader::record(&Bytes::from_static(record)).err(), Some(Unreadable), "{record:?}");
        }
        for record in [&b"\x01\x01"[..], b"\x01\x01\x02x", b"\x01\x01\x80", b"\x01\x01\x80\x80\x80\x80\x00"] {
            let mut reader = Reader::record(&Bytes::from_static(record)).unwrap();
            assert!(reader.next_field().is_err(), "{record:?}");
        }
        let field = |value: &'static [u8]| Field { tag: 1, value: Bytes::from_static(value) };
        assert_eq!(field(b"\xff").text(), Err(Unreadable));
        assert_eq!(field(b"123456789").number(), Err(Unreadable));
        assert_eq!(field(b"x").parse::<u8>(), Err(Unreadable));
    }

    #[test]
    fn unknown_fields_are_written_back() {
        let mut writer = Writer::record();
        writer.text(1, "known");
        writer.text(99, "from a later release");
        let record = writer.finish();
        let mut reader = Reader::record(&record).unwrap();
        let (mut unknown, mut rewritten) = (Unknown::default(), Writer::record());
        while let Some(field) = reader.next_field().unwrap() {
            match field.tag {
                1 => rewritten.text(1, &field.text().unwrap()),
                _ => unknown.keep(&field),
            }
        }
        rewritten.unknown(&unknown);
        assert_eq!(rewritten.finish(), record);
    }
}
