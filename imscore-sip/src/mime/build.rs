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
    use proptest::prelude::*;

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

    /// Content that has every reason to be taken for a boundary or a header.
    fn text() -> impl Strategy<Value = String> {
        const PIECES: &[&str] =
            &["--", "imscore-0", "imscore-1", "\r\n", "\n", "\r", " ", "A: 1", "x", ":", "--imscore-0--"];
        prop::collection::vec(prop::sample::select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_is_built_reads_back(contents in prop::collection::vec(text(), 1..5), other in text()) {
            let parts = contents.iter().map(|content| MimePart::new("a/b", content.clone()));
            let built = Multipart::build("mixed", parts).unwrap();
            let outer = Multipart::build("related", [built.clone().into_part(), MimePart::new("c/d", "")]).unwrap();
            for body in [&built, &outer] {
                let read = Multipart::read(body.content_type(), body.to_bytes()).unwrap();
                let found: Vec<Bytes> = read.leaves().filter(|part| part.is("a/b")).map(MimePart::body).collect();
                prop_assert_eq!(&found, &contents);
                for part in read.leaves() {
                    prop_assert_eq!(read.with_content(part, &part.body()), Ok(body.to_bytes()));
                    // Of another content, either a boundary is in it, or it takes the place of that part alone.
                    let Ok(edited) = read.with_content(part, other.as_bytes()) else { continue };
                    let again = Multipart::read(body.content_type(), edited).unwrap();
                    prop_assert_eq!(again.leaves().count(), read.leaves().count());
                    prop_assert!(again.leaves().any(|part| part.body() == other));
                }
            }
        }

        #[test]
        fn whatever_is_read_is_kept(texts in prop::collection::vec(text(), 0..6)) {
            let content_type = ContentType::new("multipart/mixed").with_param("boundary", "imscore-0");
            let body: String = texts.concat();
            if let Ok(read) = Multipart::read(&content_type, body.clone().into()) {
                prop_assert_eq!(read.to_bytes(), body.as_bytes());
                prop_assert!(read.leaves().count() > 0);
            }
        }
    }
}
