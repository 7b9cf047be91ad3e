//! The headers of one message: its bytes, an index of the lines, and the edits made since it came in.
//!
//! A line is ten bytes: which name, where it starts, where its value starts, how long it is, and whether it
//! stands in the bytes as received or among the edits. Reading sees the edited message; writing copies whole
//! runs of untouched bytes, so that what nobody edited leaves byte for byte as it came.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use bytes::{Buf as _, Bytes};
use bytestring::ByteString;
use smallvec::SmallVec;

use crate::header::{AsName, Cause, HeaderError, Name, Seen, TypedHeader};
use crate::parse::list;
use crate::parse::part::Part;
use crate::transport::Transport;

/// Header lines that an index holds without an allocation of its own.
pub const INLINE_LINES: usize = 48;

pub(crate) type Lines = SmallVec<[Line; INLINE_LINES]>;

/// The header lines of a message, in order.
///
/// ```
/// use imscore_sip::header::{Name, Route};
/// use imscore_sip::{Headers, Message, Response};
///
/// let text = "SIP/2.0 200 OK\r\nRoute: <sip:a;lr>, <sip:b;lr>\r\nX-Badge: 7\r\nRoute: <sip:c;lr>\r\n\r\n";
/// let Message::Response(mut response) = Message::parse(text.into())? else { panic!("a response") };
/// let headers: &mut Headers = &mut response.headers;
/// assert_eq!(headers.raw("x-badge"), Some(&b"7"[..]));
/// assert_eq!(headers.all::<Route>()?.len(), 3);
/// assert!(headers.pop_front::<Route>());
/// assert_eq!(headers.remove(Name::ROUTE), 2);
/// let only_the_badge: Response = response;
/// assert_eq!(only_the_badge.to_bytes(), "SIP/2.0 200 OK\r\nX-Badge: 7\r\n\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Headers {
    pub(super) bytes: Bytes,
    lines: Lines,
    /// Which names they have.
    seen: Seen,
    /// Text of the lines that were added or rewritten since; the buffer that the message is written into.
    added: Vec<u8>,
    pub(super) replaced: Option<Box<Replaced>>,
}

/// What is no header and was replaced since the message was read.
#[derive(Clone, Default)]
pub(super) struct Replaced {
    /// The Request-URI, where it was rewritten.
    pub(super) target: Option<ByteString>,
    /// The body, where it was replaced.
    pub(super) body: Option<Bytes>,
}

/// One header line as ten bytes; offsets are into the received bytes or into `Headers::added`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Id of the name; the top bits say that the line stands in `Headers::added`, or that it is folded.
    name: u16,
    value: u16,
    start: [u8; 3],
    len: [u8; 3],
}

const ADDED: u16 = 0x8000;
const FOLDED: u16 = 0x4000;

impl Line {
    /// `value` counts from `start`; `len` includes the line end. `None` past the 16 MiB that fit.
    pub(crate) fn new(name: Name, start: usize, value: usize, len: usize) -> Option<Line> {
        let [0, start @ ..] = u32::try_from(start).ok()?.to_be_bytes() else {
            return None;
        };
        let [0, len @ ..] = u32::try_from(len).ok()?.to_be_bytes() else {
            return None;
        };
        Some(Line { name: name.id(), value: u16::try_from(value).ok()?, start, len })
    }

    fn name(self) -> Name {
        Name::of_id(self.name & !(ADDED | FOLDED))
    }

    /// The line, where it goes on behind its first line end.
    pub(crate) fn folded(self, folds: usize) -> Line {
        Line { name: if folds > 0 { self.name | FOLDED } else { self.name }, ..self }
    }

    fn is_folded(self) -> bool {
        self.name & FOLDED != 0
    }

    fn is_added(self) -> bool {
        self.name & ADDED != 0
    }

    /// True for a line whose value is no piece of the received bytes.
    fn is_copied(self) -> bool {
        self.name & (ADDED | FOLDED) != 0
    }

    fn start(self) -> usize {
        unpack(self.start)
    }

    fn end(self) -> usize {
        unpack(self.start) + unpack(self.len)
    }
}

fn unpack([a, b, c]: [u8; 3]) -> usize {
    u32::from_be_bytes([0, a, b, c]) as usize
}

impl Headers {
    /// Headers in those bytes.
    pub(super) fn of(bytes: Bytes, lines: Lines, seen: Seen) -> Headers {
        Headers { bytes, lines, seen, added: Vec::new(), replaced: None }
    }

    /// The first value of a header.
    ///
    /// # Errors
    /// [`Cause::Missing`] where there is none, else what makes it undecodable.
    pub fn first<H: TypedHeader>(&self) -> Result<H, HeaderError> {
        self.get()?.ok_or(HeaderError { name: H::NAME, cause: Cause::Missing })
    }

    /// The first value of a header, or `None` where the message has no such header.
    ///
    /// # Errors
    /// A value that does not follow the header's grammar.
    pub fn get<H: TypedHeader>(&self) -> Result<Option<H>, HeaderError> {
        self.typed().next().transpose()
    }

    /// All values of a header in order: repeated lines and comma lists alike.
    ///
    /// # Errors
    /// The first value that does not follow the header's grammar.
    pub fn all<H: TypedHeader>(&self) -> Result<Vec<H>, HeaderError> {
        self.typed().collect()
    }

    /// The values of a header, decoded one by one as they are asked for.
    pub fn typed<H: TypedHeader>(&self) -> impl Iterator<Item = Result<H, HeaderError>> {
        let mut lines = self.lines_of(H::NAME);
        // What is left of a line: of one that stands in the message as it is, or of a copy.
        let mut left: Option<&[u8]> = None;
        let mut copied: Option<Bytes> = None;
        std::iter::from_fn(move || {
            if !H::LIST {
                return lines.next().map(|line| decode(self.shared(line)));
            }
            loop {
                let value = if let Some(line) = left.take() {
                    let value;
                    (value, left) = list::cut(line);
                    self.bytes.slice_ref(value)
                } else if let Some(line) = copied.take() {
                    let (value, behind) = list::cut(&line);
                    copied = behind.map(|behind| line.slice_ref(behind));
                    line.slice_ref(value)
                } else {
                    match lines.next()? {
                        line if line.is_copied() => copied = Some(self.shared(line)),
                        line => left = Some(self.value(line)),
                    }
                    continue;
                };
                if counts::<H>(&value) {
                    return Some(decode(value));
                }
            }
        })
    }

    /// The lines of that name in order. Of most names there is one, behind which nothing is looked at.
    #[inline]
    fn lines_of(&self, name: Name) -> impl Iterator<Item = Line> {
        let lines = if self.seen.has(name) { &self.lines[..] } else { &[] };
        let (mut lines, repeats) = (lines.iter(), self.seen.repeats(name));
        std::iter::from_fn(move || {
            let line = *lines.find(|line| line.name() == name)?;
            if !repeats {
                lines = [].iter();
            }
            Some(line)
        })
    }

    /// The value of the first line of that name, white space trimmed, folds as they stand.
    pub fn raw(&self, name: impl AsName) -> Option<&[u8]> {
        match name.as_name() {
            Ok(name) => self.position(name).map(|at| self.value(self.lines[at])),
            Err(_) => self.raw_all(name).next(),
        }
    }

    /// The values of all lines of that name, in order.
    pub fn raw_all(&self, name: impl AsName) -> impl Iterator<Item = &[u8]> {
        let wanted = Wanted::new(&name);
        self.lines.iter().filter(move |line| wanted.is(self, **line)).map(|line| self.value(*line))
    }

    /// True where the message has a line of that name.
    pub fn contains(&self, name: impl AsName) -> bool {
        self.raw(name).is_some()
    }

    /// Every line as name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| (self.spelling(*line), self.value(*line)))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True for a message without headers.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a value behind all others.
    pub fn push<H: TypedHeader>(&mut self, header: &H) {
        let line = self.add(H::NAME, header);
        self.lines.push(line);
    }

    /// Adds a value in front of the first of its name, where `Via`, `Route` and `Record-Route` want it; in front
    /// of all lines where there is none of its name.
    pub fn push_front<H: TypedHeader>(&mut self, header: &H) {
        self.push_front_text(H::NAME, header);
    }

    /// Adds the Via of a hop in front of all others (RFC 3261 §16.6 step 8), as [`Via::new`] would be. The text is
    /// written into the message at once and takes no allocation of its own.
    ///
    /// [`Via::new`]: crate::header::Via::new
    pub fn push_via(&mut self, transport: Transport, sent_by: &str, branch: &str) {
        self.push_front_text(Name::VIA, format_args!("SIP/2.0/{} {sent_by};branch={branch}", transport.as_str()));
    }

    /// Puts one value in place of all of its name.
    pub fn set<H: TypedHeader>(&mut self, header: &H) {
        let line = self.add(H::NAME, header);
        match self.position(H::NAME) {
            None => self.lines.push(line),
            Some(at) => {
                self.lines[at] = line;
                let mut index = 0;
                self.lines.retain(|line| {
                    index += 1;
                    index - 1 <= at || line.name() != H::NAME
                });
            }
        }
    }

    /// Puts `header` in place of the first value of its name, and leaves the values behind it; adds it in front
    /// where there is none.
    pub fn set_first<H: TypedHeader>(&mut self, header: &H) {
        self.pop_front::<H>();
        self.push_front(header);
    }

    /// Takes the first value of a header away; the values behind it in the same line stay. False: there is none.
    pub fn pop_front<H: TypedHeader>(&mut self) -> bool {
        let Some(at) = self.position(H::NAME) else {
            return false;
        };
        let line = self.lines[at];
        let rest = if H::LIST { list::behind_first(self.value(line)) } else { None };
        match rest.map(|rest| Part::of(self.source(line), rest)) {
            Some(rest) => self.lines[at] = self.move_text(line, rest.range()),
            None => {
                self.lines.remove(at);
            }
        }
        true
    }

    /// Adds a line as text behind all others.
    ///
    /// Line ends in `value` are written as spaces, so that no header can be smuggled in by a value.
    pub fn push_raw(&mut self, name: &str, value: &[u8]) {
        let known = Name::find(name.as_bytes()).unwrap_or(Name::EXTENSION);
        let line = self.add_bytes(name, known, value);
        self.lines.push(line);
    }

    /// Takes all lines of that name away and says how many they were.
    pub fn remove(&mut self, name: impl AsName) -> usize {
        let before = self.lines.len();
        let wanted = Wanted::new(&name);
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| !wanted.is(self, *line));
        self.lines = lines;
        before - self.lines.len()
    }

    /// Takes all lines of any of these names away.
    pub fn remove_all(&mut self, names: &[Name]) {
        self.lines.retain(|line| !names.contains(&line.name()));
    }

    /// Keeps, of the values of a list header, those for which `keep` says so. Lines that lose nothing stay as
    /// they are.
    pub fn retain<H: TypedHeader>(&mut self, mut keep: impl FnMut(&H) -> bool) {
        let mut at = 0;
        while at < self.lines.len() {
            let line = self.lines[at];
            at += 1;
            if line.name() != H::NAME {
                continue;
            }
            let found: Vec<Bytes> = values::<H>(&self.shared(line));
            let mut kept = found.clone();
            kept.retain(|value| decode(value.clone()).map_or(true, |value| keep(&value)));
            if kept.is_empty() {
                at -= 1;
                self.lines.remove(at);
            } else if kept.len() < found.len() {
                self.lines[at - 1] = self.add_bytes(H::NAME.as_str(), H::NAME, &kept.join(&b", "[..]));
            }
        }
    }

    /// Adds a line as text in front of the first of its name, or of all where there is none.
    pub(crate) fn push_front_text(&mut self, name: Name, value: impl Display) {
        let at = self.position(name).unwrap_or(0);
        let line = self.add(name, value);
        self.lines.insert(at, line);
    }

    /// Puts text in place of the value of the first line of a name.
    pub(crate) fn replace_raw(&mut self, name: Name, value: &[u8]) {
        if let Some(at) = self.position(name) {
            self.lines[at] = self.add_bytes(name.as_str(), name, value);
        }
    }

    /// Every line in order, with the table's name for it.
    pub(crate) fn named(&self) -> impl Iterator<Item = (Name, &[u8])> {
        self.lines.iter().map(|line| (line.name(), self.value(*line)))
    }

    /// As [`Headers::named`], and whether the value is folded.
    pub(crate) fn named_and_folded(&self) -> impl Iterator<Item = (Name, &[u8], bool)> {
        self.lines.iter().map(|line| (line.name(), self.value(*line), line.is_folded()))
    }

    fn position(&self, name: Name) -> Option<usize> {
        if !self.seen.has(name) {
            return None;
        }
        self.lines.iter().position(|line| line.name() == name)
    }

    /// The value of a line, trimmed.
    fn value(&self, line: Line) -> &[u8] {
        let bytes = self.source(line);
        let value = bytes.get(line.start() + usize::from(line.value)..line.end()).unwrap_or_default();
        match value {
            [b'!'..=b'~', .., b'!'..=b'~', b'\r', b'\n'] => &value[..value.len() - 2],
            _ => value.trim_ascii(),
        }
    }

    /// The name of a line as it is spelled there.
    fn spelling(&self, line: Line) -> &[u8] {
        let line = self.source(line).get(line.start()..line.end()).unwrap_or_default();
        let end = memchr::memchr(b':', line).unwrap_or(line.len());
        line[..end].trim_ascii_end()
    }

    fn source(&self, line: Line) -> &[u8] {
        if line.is_added() { &self.added } else { &self.bytes }
    }

    /// The value of a line with its folds taken out; shared with the message where it is neither folded nor edited.
    fn shared(&self, line: Line) -> Bytes {
        let value = self.value(line);
        if line.is_folded() {
            unfold(value).into_owned().into()
        } else if line.is_added() {
            Bytes::copy_from_slice(value)
        } else {
            self.bytes.slice_ref(value)
        }
    }

    fn add(&mut self, name: Name, value: impl Display) -> Line {
        let start = self.begin(name.as_str());
        // Writing to the buffer fails only if a Display does.
        let _ = write!(OneLine(&mut self.added), "{value}");
        self.end(name, name.as_str(), start)
    }

    fn add_bytes(&mut self, spelling: &str, name: Name, value: &[u8]) -> Line {
        let start = self.begin(spelling);
        OneLine(&mut self.added).push(value);
        self.end(name, spelling, start)
    }

    /// A line with a part of the text that `line` stands in as its value.
    fn move_text(&mut self, line: Line, value: Range<usize>) -> Line {
        let name = line.name();
        if line.is_folded() {
            let value = self.source(line)[value].to_vec();
            return self.add_bytes(name.as_str(), name, &value);
        }
        let start = self.begin(name.as_str());
        match line.is_added() {
            true => self.added.extend_from_within(value),
            false => self.added.extend_from_slice(&self.bytes[value]),
        }
        self.end(name, name.as_str(), start)
    }

    /// Begins a line behind what was added before.
    fn begin(&mut self, spelling: &str) -> usize {
        if self.added.is_empty() {
            // For the few edits that a hop makes, and for the whole message when it is written.
            self.added.reserve(self.bytes.len() + 512);
        }
        let start = self.added.len();
        self.added.extend_from_slice(spelling.as_bytes());
        self.added.extend_from_slice(b": ");
        start
    }

    fn end(&mut self, name: Name, spelling: &str, start: usize) -> Line {
        self.added.extend_from_slice(b"\r\n");
        let len = self.added.len() - start;
        let mut line = Line::new(name, start, spelling.len() + 2, len).expect("a header block is below 16 MiB");
        line.name |= ADDED;
        self.seen.note(name);
        line
    }

    pub(super) fn is_edited(&self) -> bool {
        !self.added.is_empty() || self.replaced.is_some()
    }

    pub(super) fn replaced_mut(&mut self) -> &mut Replaced {
        self.replaced.get_or_insert_default()
    }

    /// Bytes of all lines.
    fn written_len(&self) -> usize {
        self.lines.iter().map(|line| unpack(line.len)).sum()
    }

    /// The buffer that the message is to be written into: what was added stands at its beginning.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.added)
    }

    /// As [`Headers::take_buffer`], a copy.
    pub(super) fn copied_buffer(&self) -> Vec<u8> {
        let body = self.replaced.as_ref().and_then(|replaced| replaced.body.as_ref()).map_or(0, Bytes::len);
        let mut buffer = Vec::with_capacity(2 * self.added.len() + self.bytes.len() + body + 64);
        buffer.extend_from_slice(&self.added);
        buffer
    }

    /// The bytes of a message: the pieces of its first line, the header lines, the empty line and the body.
    ///
    /// They stand at the end of the buffer that begins with what was added. A buffer without room behind them
    /// becomes shared bytes as it is.
    pub(super) fn write(&self, mut out: Vec<u8>, first: [&[u8]; 4], body: &[u8]) -> Bytes {
        let len = first.iter().map(|piece| piece.len()).sum::<usize>() + self.written_len() + 2 + body.len();
        match out.capacity().checked_sub(len).filter(|start| *start >= out.len()) {
            Some(start) => out.resize(start, 0),
            None => out.reserve_exact(len),
        }
        let start = out.len();
        first.iter().for_each(|piece| out.extend_from_slice(piece));
        self.write_lines(&mut out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        let mut message = Bytes::from(out);
        message.advance(start);
        message
    }

    /// All lines in order, runs of untouched bytes in one copy. `out` begins with what was added.
    fn write_lines(&self, out: &mut Vec<u8>) {
        let mut run = 0..0;
        let mut from_added = false;
        let copy = |out: &mut Vec<u8>, run, from_added| match from_added {
            true => out.extend_from_within(run),
            false => out.extend_from_slice(&self.bytes[run]),
        };
        for line in &self.lines {
            if line.start() != run.end || line.is_added() != from_added {
                copy(out, run, from_added);
                run = line.start()..line.start();
                from_added = line.is_added();
            }
            run.end = line.end();
        }
        copy(out, run, from_added);
    }
}

/// Text that goes into one header line: what would break the line is written as a space.
struct OneLine<'a>(&'a mut Vec<u8>);

impl OneLine<'_> {
    fn push(&mut self, text: &[u8]) {
        match memchr::memchr3(b'\r', b'\n', 0, text) {
            None => self.0.extend_from_slice(text),
            Some(_) => {
                self.0.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte }))
            }
        }
    }
}

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// A look-up of lines by name.
enum Wanted {
    Known(Name),
    Text(String),
}

impl Wanted {
    fn new(name: &impl AsName) -> Wanted {
        match name.as_name() {
            Ok(name) => Wanted::Known(name),
            Err(text) => Wanted::Text(text.to_string()),
        }
    }

    fn is(&self, headers: &Headers, line: Line) -> bool {
        match self {
            Wanted::Known(name) => line.name() == *name,
            Wanted::Text(text) => {
                line.name() == Name::EXTENSION && headers.spelling(line).eq_ignore_ascii_case(text.as_bytes())
            }
        }
    }
}

/// The values of a line: between its commas, or all of it for a header that is no list.
fn values<H: TypedHeader>(line: &Bytes) -> Vec<Bytes> {
    if H::LIST { list::split(line).map(|value| line.slice_ref(value)).collect() } else { vec![line.clone()] }
}

/// False for what stands between two commas, or for all of an empty line, of a list that may be empty.
fn counts<H: TypedHeader>(value: &[u8]) -> bool {
    !(H::LIST && value.is_empty() && H::NAME.may_be_empty())
}

/// Reads a value. An empty one is none, unless its header says otherwise (RFC 3261 §7.3.1), nor is what is not UTF-8.
fn decode<H: TypedHeader>(value: Bytes) -> Result<H, HeaderError> {
    let read = match ByteString::try_from(value) {
        Ok(text) if !text.is_empty() || H::NAME.may_be_empty() => H::read(text),
        Ok(_) | Err(_) => Err(Cause::Malformed),
    };
    read.map_err(|cause| HeaderError { name: H::NAME, cause })
}

/// RFC 3261 §7.3.1: a line end followed by white space reads as one space.
pub(crate) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\r', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut unfolded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\r', rest) {
        unfolded.extend_from_slice(rest[..at].trim_ascii_end());
        unfolded.push(b' ');
        rest = rest[at..].trim_ascii_start();
    }
    unfolded.extend_from_slice(rest);
    Cow::Owned(unfolded)
}
