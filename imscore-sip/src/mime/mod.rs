//! Bodies of several parts (RFC 2046 §5.1 as RFC 5621 has SIP use it): read without a copy, searched by type or
//! Content-ID, edited part by part, built.
//!
//! A part is a slice of the message, headers apart from content, and what is not edited goes out byte for byte. All
//! levels are read at once, so that whoever holds a [`Multipart`] holds one within the [`MimeLimits`]. Content encodings
//! are not undone.
//!
//! ```
//! use imscore_sip::header::ContentType;
//! use imscore_sip::mime::{MimePart, Multipart};
//!
//! let body = Multipart::build(
//!     "mixed",
//!     [
//!         MimePart::new("application/sdp", "v=0\r\n"),
//!         MimePart::new("application/pidf+xml", "<presence/>").with_id("here@ims.example"),
//!     ],
//! )?;
//! let read = Multipart::read(body.content_type(), body.to_bytes())?;
//! assert_eq!(read.find("application/sdp").unwrap().body(), "v=0\r\n");
//! assert_eq!(read.named("cid:here@ims.example").unwrap().body(), "<presence/>");
//! # Ok::<(), imscore_sip::mime::MimeError>(())
//! ```

mod build;
mod part;

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::header::ContentType;
use crate::message::Headers;

pub use part::MimePart;

/// How much is read of a body. Above it there is an error; nothing is cut off.
///
/// ```
/// use imscore_sip::header::ContentType;
/// use imscore_sip::mime::{MimeError, MimeLimits, MimePart, Multipart};
///
/// let part = || MimePart::new("text/plain", "one");
/// let body = Multipart::build("mixed", [part(), part()])?;
/// let mut limits = MimeLimits::default();
/// limits.parts = 1;
/// let refused = Multipart::read_with(body.content_type(), body.to_bytes(), &limits);
/// assert_eq!(refused.err(), Some(MimeError::Limit));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MimeLimits {
    /// Parts of all levels.
    pub parts: usize,
    /// Levels: 1 for a body whose parts are no multipart bodies.
    pub depth: usize,
    /// Header lines of a part, folded ones counted line by line.
    pub lines: usize,
}

impl Default for MimeLimits {
    fn default() -> MimeLimits {
        MimeLimits { parts: 32, depth: 4, lines: 64 }
    }
}

/// Why a body is no multipart body that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MimeError {
    /// The Content-Type is not `multipart/…`, or cannot be read.
    #[error("not a multipart type")]
    Type,
    /// There is no boundary, or one that RFC 2046 §5.1.1 does not allow: 1 to 70 characters, no space at the end.
    #[error("no valid boundary")]
    Boundary,
    /// No line of the body is the boundary.
    #[error("no part")]
    NoPart,
    /// The last part does not end in the closing boundary.
    #[error("last part is not closed")]
    Unclosed,
    /// A part begins with what is neither a header nor an empty line.
    #[error("malformed header of a part")]
    Header,
    /// More parts, levels or header lines than [`MimeLimits`] allow.
    #[error("exceeds a limit")]
    Limit,
}

/// A body of several parts.
#[derive(Clone, Debug)]
pub struct Multipart {
    content_type: ContentType,
    /// Of a body within another, its own part of it.
    bytes: Bytes,
    parts: Vec<MimePart>,
}

impl Multipart {
    /// Reads a body with the default [`MimeLimits`].
    ///
    /// # Errors
    /// As [`Multipart::read_with`].
    pub fn read(content_type: &ContentType, body: Bytes) -> Result<Multipart, MimeError> {
        Multipart::read_with(content_type, body, &MimeLimits::default())
    }

    /// Reads a body of that Content-Type. Lines end in CRLF; what stands in front of the first boundary and behind the
    /// last is passed over.
    ///
    /// # Errors
    /// The first thing that is not what it must be, in this part or one inside of it.
    pub fn read_with(content_type: &ContentType, body: Bytes, limits: &MimeLimits) -> Result<Multipart, MimeError> {
        let mut room = Room { limits, parts: limits.parts };
        Multipart::read_level(content_type, body, 0, limits.depth, &mut room)
    }

    /// The body of a message with those headers; `None` for one that is not of several parts.
    ///
    /// # Errors
    /// As [`Multipart::read_with`].
    pub fn of(headers: &Headers, body: Bytes) -> Result<Option<Multipart>, MimeError> {
        match headers.get::<ContentType>() {
            Ok(Some(content_type)) if content_type.is_multipart() => Multipart::read(&content_type, body).map(Some),
            Ok(_) => Ok(None),
            Err(_) => Err(MimeError::Type),
        }
    }

    /// `base`: where the body stands in the outermost one. `depth`: levels that may be read, this one among them.
    fn read_level(
        content_type: &ContentType,
        body: Bytes,
        base: usize,
        depth: usize,
        room: &mut Room<'_>,
    ) -> Result<Multipart, MimeError> {
        if !content_type.is_multipart() {
            return Err(MimeError::Type);
        }
        let boundary = content_type.boundary().filter(|boundary| is_boundary(boundary)).ok_or(MimeError::Boundary)?;
        let inner = depth.checked_sub(1).ok_or(MimeError::Limit)?;
        let mut parts = Vec::new();
        for range in ranges(&body, &boundary, room.parts)? {
            room.parts = room.parts.checked_sub(1).ok_or(MimeError::Limit)?;
            let end = base + range.end;
            let mut part = MimePart::read(body.slice(range), room.limits)?;
            part.at = end - part.body().len();
            if let Some(nested) = part.content_type().filter(ContentType::is_multipart) {
                part.inner = Some(Multipart::read_level(&nested, part.body(), part.at, inner, room)?);
            }
            parts.push(part);
        }
        Ok(Multipart { content_type: content_type.clone(), bytes: body, parts })
    }

    /// The Content-Type, its boundary included.
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    /// The parts of this level, in order.
    pub fn parts(&self) -> &[MimePart] {
        &self.parts
    }

    /// The parts of all levels that are not of several parts themselves, in order.
    pub fn leaves(&self) -> impl Iterator<Item = &MimePart> {
        let mut open = vec![self.parts.iter()];
        std::iter::from_fn(move || {
            loop {
                match open.last_mut()?.next() {
                    Some(part) => match &part.inner {
                        Some(inner) => open.push(inner.parts.iter()),
                        None => return Some(part),
                    },
                    None => {
                        open.pop();
                    }
                }
            }
        })
    }

    /// The first part of that media type, on any level.
    pub fn find(&self, media_type: &str) -> Option<&MimePart> {
        self.leaves().find(|part| part.is(media_type))
    }

    /// The part that a `cid:` URI names (RFC 2392), on any level.
    pub fn named(&self, uri: &str) -> Option<&MimePart> {
        self.leaves().find(|part| part.content_id().is_some_and(|id| id.is_named_by(uri)))
    }

    /// The part for which the whole body must be refused with 415: one that is not understood and not optional (RFC
    /// 5621). Of `multipart/alternative` one part that is understood is enough, of `multipart/related` the root
    /// must be; all other kinds are read as `multipart/mixed`.
    pub fn not_understood(&self, understood: &dyn Fn(&MimePart) -> bool) -> Option<&MimePart> {
        let refused = |part: &MimePart| match &part.inner {
            Some(inner) => inner.not_understood(understood).is_some(),
            None => !understood(part),
        };
        let kind = |sub: &str| self.content_type.sub().eq_ignore_ascii_case(sub);
        if kind("alternative") {
            let all = self.parts.iter().all(refused);
            return self.parts.last().filter(|_| all);
        }
        let must =
            if kind("related") { self.root().into_iter().collect() } else { self.parts.iter().collect::<Vec<_>>() };
        must.into_iter().find(|part| !part.is_optional() && refused(part))
    }

    /// The part that a `multipart/related` body begins with: the one that `start` names, else the first (RFC 2387
    /// §3.2).
    pub fn root(&self) -> Option<&MimePart> {
        let start = self.content_type.param("start");
        let is_start = |part: &&MimePart| part.content_id().is_some_and(|id| start.as_deref() == Some(&*id.0));
        self.parts.iter().find(is_start).or_else(|| self.parts.first())
    }

    /// The bytes of the body: those that it was read from, or was built as.
    pub fn to_bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The bytes of the body with another content in a part of it, of any level; all else stays byte for byte.
    ///
    /// # Errors
    /// [`MimeError::NoPart`] for a part of another body, [`MimeError::Boundary`] for content that a boundary of this
    /// one would cut.
    pub fn with_content(&self, part: &MimePart, content: &[u8]) -> Result<Bytes, MimeError> {
        if !self.leaves().any(|own| std::ptr::eq(own, part)) {
            return Err(MimeError::NoPart);
        }
        if self.boundaries().any(|boundary| occurs(content, &boundary)) {
            return Err(MimeError::Boundary);
        }
        let gap = if content.is_empty() { "" } else { part.gap };
        let behind = part.at + part.body().len();
        Ok([&self.bytes[..part.at], gap.as_bytes(), content, &self.bytes[behind..]].concat().into())
    }

    fn boundaries(&self) -> impl Iterator<Item = String> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let level = open.pop()?;
            open.extend(level.parts.iter().filter_map(|part| part.inner.as_ref()));
            Some(level.content_type.boundary().unwrap_or_default().into_owned())
        })
    }
}

/// The content of that media type in the body of a message: the body itself, or the first such part of one of several, as
/// an emergency call brings its session description.
///
/// # Errors
/// As [`Multipart::of`].
pub fn content(headers: &Headers, body: Bytes, media_type: &str) -> Result<Option<Bytes>, MimeError> {
    if let Some(parts) = Multipart::of(headers, body.clone())? {
        return Ok(parts.find(media_type).map(MimePart::body));
    }
    let is_it = headers.get::<ContentType>().is_ok_and(|found| found.is_some_and(|found| found.is(media_type)));
    Ok(is_it.then_some(body))
}

/// What may still be read.
struct Room<'a> {
    limits: &'a MimeLimits,
    parts: usize,
}

/// `boundary` of RFC 2046 §5.1.1.
fn is_boundary(boundary: &str) -> bool {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&boundary.len()) && boundary.bytes().all(is_in) && !boundary.ends_with(' ')
}

/// True where a line of the text begins with two hyphens and the boundary.
fn occurs(text: &[u8], boundary: &str) -> bool {
    let dashed = [b"--", boundary.as_bytes()].concat();
    memmem::find_iter(text, &dashed).any(|at| at == 0 || matches!(text[at - 1], b'\n' | b'\r'))
}

/// Where the parts stand between the boundaries, one more than `most` of them at most.
fn ranges(body: &[u8], boundary: &str, most: usize) -> Result<Vec<Range<usize>>, MimeError> {
    let dashed = [b"--", boundary.as_bytes()].concat();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open: Option<usize> = None;
    for at in memmem::find_iter(body, &dashed) {
        // The line end in front belongs to the boundary, and is not that of the boundary before.
        let begins_line = at == 0 || body[open.unwrap_or(0)..at].ends_with(b"\r\n");
        let Some((closes, behind)) = line_end(&body[at + dashed.len()..]).filter(|_| begins_line) else { continue };
        if let Some(start) = open {
            found.push(start..at - 2);
        }
        if closes {
            return if open.is_some() { Ok(found) } else { Err(MimeError::NoPart) };
        }
        if found.len() > most {
            return Err(MimeError::Limit);
        }
        open = Some(at + dashed.len() + behind);
    }
    Err(if open.is_some() { MimeError::Unclosed } else { MimeError::NoPart })
}

/// What stands behind a boundary: whether it closes the body, and how many bytes there are up to the next line.
fn line_end(rest: &[u8]) -> Option<(bool, usize)> {
    let closes = rest.starts_with(b"--");
    let behind = if closes { &rest[2..] } else { rest };
    let padding = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let length = rest.len() - behind.len() + padding;
    match &behind[padding..] {
        [b'\r', b'\n', ..] => Some((closes, length + 2)),
        [] if closes => Some((closes, length)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    fn content_type(text: &str) -> ContentType {
        ContentType::decode(&text.into()).unwrap()
    }

    fn read(body: &str) -> Result<Multipart, MimeError> {
        Multipart::read(&content_type("multipart/mixed;boundary=b"), body.to_string().into())
    }

    fn bodies(found: &Multipart) -> Vec<String> {
        found.leaves().map(|part| String::from_utf8(part.body().to_vec()).unwrap()).collect()
    }

    #[test]
    fn parts_between_boundaries() {
        for (body, expected) in [
            ("--b\r\n\r\none\r\n--b--", vec!["one"]),
            ("--b\r\n\r\none\r\n--b--\r\n", vec!["one"]),
            (
                "preamble\r\n--b \t\r\nA: 1\r\n\r\none\r\n\r\n--b\r\n\r\n--two\r\n--b-- \r\nepilogue --b",
                vec!["one\r\n", "--two"],
            ),
            ("--b\r\nA: 1\r\n\r\n\r\n--b\r\nA: 1\r\n--b\r\n\r\n--b--", vec!["", "", ""]),
            ("x--b\r\n--b\r\n\r\n--bb\r\n --b\r\n--b x\r\n--b--", vec!["--bb\r\n --b\r\n--b x"]),
            ("--b\r\n\r\na\n--b--\n\r\n--b--", vec!["a\n--b--\n"]),
        ] {
            let found = read(body).unwrap_or_else(|error| panic!("{body:?} {error}"));
            assert_eq!(bodies(&found), expected, "{body:?}");
            assert_eq!(found.to_bytes(), body.as_bytes());
        }
    }

    #[test]
    fn refusals() {
        for (body, error) in [
            ("", MimeError::NoPart),
            ("text", MimeError::NoPart),
            ("--b--", MimeError::NoPart),
            ("--b\n\nx\n--b--", MimeError::NoPart),
            ("--b\r\n\r\none", MimeError::Unclosed),
            ("--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b-", MimeError::Unclosed),
            ("--b\r\n--b--", MimeError::Unclosed),
            ("--b\r\n--b\r\n\r\nx\r\n--b--", MimeError::Header),
            ("--b\r\nno header\r\n\r\nx\r\n--b--", MimeError::Header),
            ("--b\r\n folded: x\r\n\r\nx\r\n--b--", MimeError::Header),
        ] {
            assert_eq!(read(body).err(), Some(error), "{body:?}");
        }
    }

    /// Threat P8: `mime-boundary-empty` and its like.
    #[test]
    fn boundaries_that_are_none() {
        let long = |length: usize| format!("multipart/mixed;boundary={}", "b".repeat(length));
        for (text, error) in [
            ("multipart/mixed", MimeError::Boundary),
            ("multipart/mixed;boundary", MimeError::Boundary),
            ("multipart/mixed;boundary=\"\"", MimeError::Boundary),
            ("multipart/mixed;boundary=\"b \"", MimeError::Boundary),
            ("multipart/mixed;boundary=\"b*\"", MimeError::Boundary),
            (&long(71), MimeError::Boundary),
            (&long(70), MimeError::NoPart),
            ("application/sdp;boundary=b", MimeError::Type),
        ] {
            assert_eq!(
                Multipart::read(&content_type(text), Bytes::from("--\r\n\r\n----")).err(),
                Some(error),
                "{text}"
            );
        }
    }

    fn nested(depth: usize) -> String {
        (1..depth).fold("--b\r\n\r\nx\r\n--b--\r\n".to_string(), |inner, level| {
            let (outer, within) =
                (format!("b{level}"), if level == 1 { "b".into() } else { format!("b{}", level - 1) });
            format!("--{outer}\r\nContent-Type: multipart/mixed;boundary={within}\r\n\r\n{inner}\r\n--{outer}--")
        })
    }

    /// Threat P8: one below, at, and one above each limit.
    #[test]
    fn limits_hold() {
        let limits = MimeLimits::default();
        for (depth, expected) in [(3, None), (4, None), (5, Some(MimeError::Limit)), (500, Some(MimeError::Limit))] {
            let outer = content_type(&format!("multipart/mixed;boundary=b{}", depth - 1));
            assert_eq!(Multipart::read(&outer, nested(depth).into()).err(), expected, "{depth} levels");
        }
        for (parts, expected) in [(31, None), (32, None), (33, Some(MimeError::Limit)), (9_000, Some(MimeError::Limit))]
        {
            let body = format!("{}--b--", "--b\r\n\r\nx\r\n".repeat(parts));
            assert_eq!(read(&body).err(), expected, "{parts} parts");
        }
        for (lines, expected) in [(63, None), (64, None), (65, Some(MimeError::Limit))] {
            let body = format!("--b\r\n{}\r\nx\r\n--b--", "A: 1\r\n".repeat(lines));
            assert_eq!(
                Multipart::read_with(&content_type("multipart/x;boundary=b"), body.into(), &limits).err(),
                expected
            );
        }
        let inner = "--b\r\n\r\nx\r\n".repeat(16) + "--b--";
        let two = format!("--c\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n{inner}\r\n").repeat(2) + "--c--";
        let outer = content_type("multipart/mixed;boundary=c");
        assert_eq!(Multipart::read(&outer, two.into()).err(), Some(MimeError::Limit), "34 parts on two levels");
    }

    const TREE: &str = "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n\
        --i\r\nContent-Type: text/plain\r\n\r\nhi\r\n\
        --i\r\nC: Application / SDP\r\nContent-ID: <s%1@h>\r\n\r\nv=0\r\n\r\n--i--\r\n\
        --o\r\nContent-Type: a/b\r\nContent-Disposition: render\r\n ;handling=optional\r\n\r\n{}\r\n--o--\r\n";

    fn tree() -> Multipart {
        Multipart::read(&content_type("multipart/mixed;boundary=o"), TREE.into()).unwrap()
    }

    #[test]
    fn parts_are_found_on_all_levels() {
        let tree = tree();
        assert_eq!(bodies(&tree), ["hi", "v=0\r\n", "{}"]);
        let sdp = tree.find("application/sdp").unwrap();
        assert_eq!((sdp.body(), sdp.content_id().unwrap().id()), ("v=0\r\n".into(), "s%1@h"));
        assert!(std::ptr::eq(tree.named("cid:s%251@h").unwrap(), sdp));
        assert!(tree.named("cid:s%1").is_none() && tree.find("a/c").is_none());
        assert!(tree.leaves().last().unwrap().is_optional());
    }

    /// RFC 5621.
    #[test]
    fn what_must_be_understood() {
        let tree = tree();
        let knows = |types: &'static [&str]| move |part: &MimePart| types.iter().any(|known| part.is(known));
        for (types, refused) in [
            (&["application/sdp"][..], None),
            (&["text/plain"][..], None),
            (&["a/b"][..], Some("multipart/alternative")),
            (&[][..], Some("multipart/alternative")),
        ] {
            let found = tree.not_understood(&knows(types)).map(|part| part.content_type().unwrap());
            assert_eq!(found.is_some(), refused.is_some(), "{types:?}");
            assert!(found.is_none_or(|found| refused.is_some_and(|refused| found.is(refused))), "{types:?}");
        }
        let related =
            "--r\r\nContent-Type: x/y\r\n\r\n\r\n--r\r\nContent-Type: a/b\r\nContent-ID: <2@h>\r\n\r\n\r\n--r--";
        for (start, expected) in [("", "x/y"), (";start=\"<2@h>\"", "a/b"), (";start=\"<3@h>\"", "x/y")] {
            let of = content_type(&format!("multipart/related;boundary=r{start}"));
            let found = Multipart::read(&of, related.into()).unwrap();
            assert!(found.root().unwrap().is(expected), "{start}");
            assert_eq!(found.not_understood(&knows(&["a/b"])).is_none(), expected == "a/b", "{start}");
        }
    }

    #[test]
    fn an_edit_touches_its_own_bytes_only() {
        let tree = tree();
        let sdp = tree.find("application/sdp").unwrap();
        let edited = tree.with_content(sdp, b"v=0\r\ns=--i--\r\n").unwrap();
        assert_eq!(edited, TREE.replace("v=0\r\n", "v=0\r\ns=--i--\r\n"));
        let again = Multipart::read(tree.content_type(), edited).unwrap();
        assert_eq!(bodies(&again), ["hi", "v=0\r\ns=--i--\r\n", "{}"]);
        for cut in ["--i--", "x\r\n--o\r\n", "x\n--i"] {
            assert_eq!(tree.with_content(sdp, cut.as_bytes()).err(), Some(MimeError::Boundary), "{cut:?}");
        }
        let empty = Multipart::read(tree.content_type(), tree.with_content(sdp, b"").unwrap()).unwrap();
        assert_eq!(empty.with_content(empty.find("application/sdp").unwrap(), b"v=0\r\n").unwrap(), TREE);
        for (bare, expected) in [
            ("--o\r\n\r\n--o--", "--o\r\n\r\nx\r\n--o--"),
            ("--o\r\nA: 1\r\n--o--", "--o\r\nA: 1\r\n\r\nx\r\n--o--"),
            ("--o\r\nA: 1\r\n\r\n--o--", "--o\r\nA: 1\r\n\r\nx\r\n--o--"),
            ("--o\r\nA: 1\r\n\r\n\r\n--o--", "--o\r\nA: 1\r\n\r\nx\r\n--o--"),
        ] {
            let found = Multipart::read(tree.content_type(), bare.into()).unwrap();
            assert_eq!(found.with_content(&found.parts()[0], b"x").unwrap(), expected, "{bare:?}");
            assert_eq!(found.with_content(&found.parts()[0], b"").unwrap(), bare);
        }
        let other = again.find("application/sdp").unwrap();
        assert_eq!(tree.with_content(other, b"").err(), Some(MimeError::NoPart));
    }

    #[test]
    fn bodies_of_messages() {
        let text = |kind: &str| format!("MESSAGE sip:b@h SIP/2.0\r\n{kind}\r\n--b\r\n\r\none\r\n--b--");
        for (kind, expected) in [
            ("c: Multipart/Mixed;boundary=\"b\"\r\n", Ok(1)),
            ("Content-Type: text/plain\r\n", Ok(0)),
            ("", Ok(0)),
            ("Content-Type: multipart\r\n", Err(MimeError::Type)),
            ("Content-Type: multipart/mixed\r\n", Err(MimeError::Boundary)),
        ] {
            let crate::Message::Request(request) = crate::Message::parse(text(kind).into()).unwrap() else { panic!() };
            let found = Multipart::of(&request.headers, request.body());
            let text = content(&request.headers, request.body(), "Text/Plain");
            let body = if kind.contains("text") { Some(request.body()) } else { None };
            let part = expected.map(|parts| if parts > 0 { Some("one".into()) } else { body });
            assert_eq!(text, part, "{kind}");
            assert_eq!(found.map(|found| found.map_or(0, |found| found.parts().len())), expected, "{kind}");
        }
    }
}
