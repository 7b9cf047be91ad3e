//! Building a body. The boundary is chosen so that it stands in no part, which takes no randomness.

use bytes::Bytes;

use super::{MimeError, MimePart, Multipart, occurs};
use crate::header::ContentType;

impl Multipart {
    /// A body of those parts, `mixed`, `alternative`, `related`; within the default limits, as one that is read.
    ///
    /// # Errors
    /// [`MimeError::NoPart`] without a part, [`MimeError::Limit`] above the limits, and what makes a part of several
    /// parts unreadable.
    pub fn build(subtype: &str, parts: impl IntoIterator<Item = MimePart>) -> Result<Multipart, MimeError> {
        let parts: Vec<MimePart> = parts.into_iter().collect();
        let taken = |boundary: &str| parts.iter().any(|part| occurs(&part.body(), boundary));
        let boundary = (0_u32..).map(|number| format!("imscore-{number}")).find(|boundary| !taken(boundary));
        let boundary = boundary.ok_or(MimeError::Boundary)?;
        let mut bytes = Vec::new();
        for part in &parts {
            bytes.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            part.write(&mut bytes);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let content_type = ContentType::new(&format!("multipart/{subtype}")).with_param("boundary", boundary.as_str());
        Multipart::read(&content_type, Bytes::from(bytes))
    }

    /// The body as a part of another. Its content is what stands between its own boundaries.
    pub fn into_part(self) -> MimePart {
        MimePart::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_read_back() {
        let inner = Multipart::build("alternative", [MimePart::new("a/b", "1"), MimePart::new("c/d", "")]).unwrap();
        let evil = MimePart::new("text/plain", "--imscore-0\r\nx\r\n--imscore-1--").with_id("1@h");
        let outer = Multipart::build("mixed", [inner.into_part(), evil]).unwrap();
        let read = Multipart::read(outer.content_type(), outer.to_bytes()).unwrap();
        assert_eq!(read.content_type().to_string(), "multipart/mixed;boundary=imscore-2");
        let found: Vec<_> = read.leaves().map(|part| (part.content_type().unwrap().to_string(), part.body())).collect();
        let expected = [("a/b", "1"), ("c/d", ""), ("text/plain", "--imscore-0\r\nx\r\n--imscore-1--")]
            .map(|(a, b)| (a.to_string(), b.into()));
        assert_eq!(found, expected);
        assert!(read.parts()[0].multipart().unwrap().content_type().is("multipart/alternative"));
    }

    #[test]
    fn limits_hold() {
        assert_eq!(Multipart::build("mixed", []).err(), Some(MimeError::NoPart));
        let parts = |count| std::iter::repeat_n(MimePart::new("a/b", ""), count);
        assert!(Multipart::build("mixed", parts(32)).is_ok());
        assert_eq!(Multipart::build("mixed", parts(33)).err(), Some(MimeError::Limit));
    }
}
