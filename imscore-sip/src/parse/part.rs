//! A part of a value's text, kept as offsets, and a text that stands within a longer one.

use std::ops::Deref;

use bytestring::ByteString;

/// Where a part of a text stands in it. Offsets of another text give another part or none, never a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    from: u32,
    to: u32,
}

impl Part {
    /// A part that is not there; an empty one is.
    pub(crate) const ABSENT: Part = Part { from: u32::MAX, to: 0 };

    /// The place of `piece`, which is a slice of `text`.
    pub(crate) fn of(text: &[u8], piece: &[u8]) -> Part {
        let from = (piece.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        Part::between(from, from.wrapping_add(piece.len()))
    }

    /// As [`Part::of`], or absent.
    pub(crate) fn of_some(text: &[u8], piece: Option<&[u8]>) -> Part {
        piece.map_or(Part::ABSENT, |piece| Part::of(text, piece))
    }

    /// The place of a value that may be empty, which one that is not written is too.
    pub(crate) fn of_value(text: &[u8], value: Option<&[u8]>) -> Part {
        match value {
            None => Part::ABSENT,
            Some([]) => Part::between(0, 0),
            Some(value) => Part::of(text, value),
        }
    }

    pub(crate) fn between(from: usize, to: usize) -> Part {
        Part { from: from as u32, to: to as u32 }
    }

    /// Where it begins.
    pub(crate) fn start(self) -> usize {
        self.from as usize
    }

    /// Its place.
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.from as usize..self.to as usize
    }

    /// The same part where `from` bytes in front of it have become `to`.
    pub(crate) fn moved(self, from: usize, to: usize) -> Part {
        if self == Part::ABSENT { self } else { Part::between(self.start() - from + to, self.to as usize - from + to) }
    }

    /// The part, where it is there.
    pub(crate) fn find(self, text: &str) -> Option<&str> {
        text.get(self.from as usize..self.to as usize)
    }

    /// The part, or an empty text.
    pub(crate) fn text(self, text: &str) -> &str {
        self.find(text).unwrap_or_default()
    }
}

/// Appends to a text and says where.
pub(crate) fn push(out: &mut String, piece: &str) -> Part {
    let from = out.len();
    out.push_str(piece);
    Part::between(from, out.len())
}

/// A text within a longer one, which it keeps in memory: an address in a header's value, say. Places of its parts are
/// places in the longer one.
#[derive(Clone)]
pub(crate) struct Excerpt {
    source: ByteString,
    place: Part,
}

impl Excerpt {
    pub(crate) fn of(source: ByteString, place: Part) -> Excerpt {
        Excerpt { source, place }
    }

    /// The longer text.
    pub(crate) fn source(&self) -> &ByteString {
        &self.source
    }

    /// The text of its own, shared.
    pub(crate) fn text(&self) -> ByteString {
        if self.len() == self.source.len() { self.source.clone() } else { self.source.slice_ref(self) }
    }

    /// Where the text stands in the longer one.
    pub(crate) fn place(&self) -> Part {
        self.place
    }
}

impl From<ByteString> for Excerpt {
    fn from(source: ByteString) -> Excerpt {
        Excerpt { place: Part::between(0, source.len()), source }
    }
}

impl Deref for Excerpt {
    type Target = str;

    fn deref(&self) -> &str {
        self.place.text(&self.source)
    }
}
