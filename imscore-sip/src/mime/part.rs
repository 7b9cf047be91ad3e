//! One part: header lines and content.

use bytes::Bytes;
use bytestring::ByteString;

use super::{MimeError, MimeLimits, Multipart};
use crate::header::{AsName, ContentDisposition, ContentId, ContentType, HeaderError, Name, TypedHeader};
use crate::message::unfold;
use crate::parse::class::Class;

/// A part of a body.
#[derive(Clone, Debug)]
pub struct MimePart {
    /// Header lines with their line ends, without the empty line behind them.
    headers: Bytes,
    body: Bytes,
    /// Where the content stands in the outermost body that it was read from.
    pub(super) at: usize,
    /// The line ends that are missing in front of content where there is none.
    pub(super) gap: &'static str,
    pub(super) inner: Option<Multipart>,
}

impl MimePart {
    /// A part of that type and content.
    pub fn new(content_type: &str, body: impl Into<Bytes>) -> MimePart {
        let headers = format!("Content-Type: {}\r\n", ContentType::new(content_type));
        MimePart { headers: headers.into(), body: body.into(), at: 0, gap: "", inner: None }
    }

    /// A part that is a body of several parts.
    pub(super) fn of(inner: Multipart) -> MimePart {
        let headers = format!("Content-Type: {}\r\n", inner.content_type());
        MimePart { headers: headers.into(), body: inner.to_bytes(), at: 0, gap: "", inner: Some(inner) }
    }

    /// The same with one more header line. Line ends in its value are written as spaces.
    #[must_use]
    pub fn with<H: TypedHeader>(mut self, header: &H) -> MimePart {
        let value = header.to_string().replace(['\r', '\n', '\0'], " ");
        self.headers = [&self.headers[..], format!("{}: {value}\r\n", H::NAME).as_bytes()].concat().into();
        self
    }

    /// The same with a Content-ID; angle brackets are put around it.
    #[must_use]
    pub fn with_id(self, id: &str) -> MimePart {
        self.with(&ContentId(format!("<{id}>").into()))
    }

    /// Names and values of its headers, in order, folds as they stand.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        lines(&self.headers).filter_map(field)
    }

    /// The value of the first header of that name.
    pub fn raw(&self, name: impl AsName) -> Option<&[u8]> {
        let wanted = |found: &[u8]| match name.as_name() {
            Ok(name) => Name::find(found) == Some(name),
            Err(text) => found.eq_ignore_ascii_case(text.as_bytes()),
        };
        self.headers().find(|(name, _)| wanted(name)).map(|(_, value)| value)
    }

    /// A header of the part, of a list all that stands in the first line; `None` where it has none.
    ///
    /// # Errors
    /// A value that does not follow the header's grammar.
    pub fn get<H: TypedHeader>(&self) -> Result<Option<H>, HeaderError> {
        let Some(value) = self.raw(H::NAME) else { return Ok(None) };
        let malformed = HeaderError { name: H::NAME, cause: crate::header::Cause::Malformed };
        let text = ByteString::try_from(Bytes::from(unfold(value).into_owned())).map_err(|_| malformed)?;
        H::decode(&text).map(Some)
    }

    /// What the part is; `None` for one that cannot be read. Without the header it is `text/plain` (RFC 2046 §5.1).
    pub fn content_type(&self) -> Option<ContentType> {
        match self.get() {
            Ok(found) => Some(found.unwrap_or_else(|| ContentType::new("text/plain"))),
            Err(_) => None,
        }
    }

    /// True for that media type, in any case, whatever its parameters.
    pub fn is(&self, media_type: &str) -> bool {
        self.content_type().is_some_and(|found| found.is(media_type))
    }

    /// What the part is for: without the header `session` for a session description, else `render` (RFC 3261 §20.11).
    /// `None` for one that cannot be read.
    pub fn disposition(&self) -> Option<ContentDisposition> {
        match self.get() {
            Ok(Some(found)) => Some(found),
            Ok(None) if self.is("application/sdp") => Some(ContentDisposition::new("session")),
            Ok(None) => Some(ContentDisposition::new("render")),
            Err(_) => None,
        }
    }

    /// True where a part that is not understood may be passed over.
    pub fn is_optional(&self) -> bool {
        self.disposition().is_some_and(|found| found.is_optional())
    }

    /// The name of the part.
    pub fn content_id(&self) -> Option<ContentId> {
        self.get().ok().flatten()
    }

    /// The content.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The parts of the part, where it is of several.
    pub fn multipart(&self) -> Option<&Multipart> {
        self.inner.as_ref()
    }

    /// Takes what stands between two boundaries apart.
    pub(super) fn read(bytes: Bytes, limits: &MimeLimits) -> Result<MimePart, MimeError> {
        let mut end = 0;
        let mut count = 0;
        for line in lines(&bytes) {
            if line == b"\r\n" {
                return Ok(MimePart {
                    headers: bytes.slice(..end),
                    body: bytes.slice(end + 2..),
                    at: 0,
                    gap: "",
                    inner: None,
                });
            }
            count += line.iter().filter(|byte| **byte == b'\n').count().max(1);
            if count > limits.lines {
                return Err(MimeError::Limit);
            }
            field(line).ok_or(MimeError::Header)?;
            end += line.len();
        }
        // Without an empty line there is no content.
        let gap = if bytes.is_empty() || bytes.ends_with(b"\n") { "\r\n" } else { "\r\n\r\n" };
        Ok(MimePart { body: Bytes::new(), headers: bytes, at: 0, gap, inner: None })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.headers);
        if !self.headers.is_empty() && !self.headers.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

/// Header lines with their line ends, folded ones in one piece; the last may have none.
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if &rest[..end] == b"\r\n" || !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, behind) = rest.split_at(end);
        rest = behind;
        Some(line)
    })
}

/// Name and value of a line; `None` for one without a name in front of a colon.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at(memchr::memchr(b':', line)?);
    let name = name.trim_ascii_end();
    let valid = !name.is_empty() && Class::TOKEN.is_all_of(name);
    valid.then(|| (name, value[1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MimePart {
        MimePart::read(text.to_string().into(), &MimeLimits::default()).unwrap()
    }

    #[test]
    fn headers_and_content() {
        let part = read("c:\ttext/html ;\r\n\tq=1\r\nContent-Transfer-Encoding : binary\r\n\r\n\r\nx");
        assert_eq!(part.body(), "\r\nx");
        assert_eq!(part.headers().map(|(name, _)| name).collect::<Vec<_>>(), [&b"c"[..], b"Content-Transfer-Encoding"]);
        assert_eq!(part.raw("content-transfer-encoding"), Some(&b"binary"[..]));
        assert_eq!(part.content_type().unwrap().param("q").as_deref(), Some("1"));
        assert!(part.is("text/html") && part.raw(Name::CONTENT_ID).is_none());
        assert_eq!(part.disposition().unwrap().disposition(), "render");
        let bare = read("\r\n");
        assert!(bare.is("text/plain") && bare.body().is_empty() && bare.headers().next().is_none());
        assert_eq!(read("Content-Type: application/sdp").disposition().unwrap().disposition(), "session");
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        let part = read("Content-Type: text\r\nContent-ID: 1\r\nContent-Disposition: ;\r\n\r\n");
        assert!(part.content_type().is_none() && part.content_id().is_none() && part.disposition().is_none());
        assert!(!part.is_optional() && !part.is("text/plain"));
    }

    #[test]
    fn a_part_that_was_read_is_written_whole() {
        for (text, expected) in [
            ("A: 1", "A: 1\r\n\r\n"),
            ("A: 1\r\n", "A: 1\r\n\r\n"),
            ("A: 1\n\r\nx", "A: 1\n\r\nx"),
            ("", "\r\n"),
            ("\r\nx", "\r\nx"),
        ] {
            let mut out = Vec::new();
            read(text).write(&mut out);
            assert_eq!(out, expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn building() {
        let part = MimePart::new("a/b", "x").with_id("1@h\r\nX: y").with(&ContentDisposition::new("alert"));
        let mut text = Vec::new();
        part.write(&mut text);
        let expected = "Content-Type: a/b\r\nContent-ID: <1@h  X: y>\r\nContent-Disposition: alert\r\n\r\nx";
        assert_eq!(text, expected.as_bytes());
        assert_eq!(read(expected).disposition().unwrap().disposition(), "alert");
    }
}
