//! The headers of one message: its bytes, an index of the lines, and the edits made since it came in.
//!
//! A line is ten bytes: which name, where it starts, where its value starts, how long it is, and whether it
//! stands in the bytes as received or among the edits. Reading sees the edited message; writing copies whole
//! runs of untouched bytes, so that what nobody edited leaves byte for byte as it came.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;

use crate::header::{AsName, Cause, HeaderError, Name, TypedHeader};
use crate::parse::list;

/// Header lines that an index holds without an allocation of its own.
pub const INLINE_LINES: usize = 48;

pub(crate) type Lines = SmallVec<[Line; INLINE_LINES]>;

/// The header lines of a message, in order.
#[derive(Clone)]
pub struct Headers {
    pub(super) bytes: Bytes,
    lines: Lines,
    /// The bit of every name that a line has or had.
    names: u64,
    pub(super) edits: Option<Box<Edits>>,
}

/// What was changed since the message was read.
#[derive(Clone, Default)]
pub(super) struct Edits {
    /// Text of added and rewritten lines.
    pub(super) added: Vec<u8>,
    /// The Request-URI, where it was rewritten.
    pub(super) target: Option<ByteString>,
    /// The body, where it was replaced.
    pub(super) body: Option<Bytes>,
}

/// One header line as ten bytes; offsets are into the received bytes or into `Edits::added`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Id of the name; the top bits say that the line stands in `Edits::added`, or that it is folded.
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
    /// Headers in those bytes, and the bits of their names.
    pub(super) fn of(bytes: Bytes, lines: Lines, names: u64) -> Headers {
        Headers { bytes, lines, names, edits: None }
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
        let lines = if self.may_have(H::NAME) { &self.lines[..] } else { &[] };
        let mut lines = lines.iter().filter(|line| line.name() == H::NAME);
        let mut rest = None;
        std::iter::from_fn(move || {
            loop {
                let line = match rest.take() {
                    Some(rest) => rest,
                    None => self.shared(*lines.next()?),
                };
                let value = if H::LIST { list::take_first(line, &mut rest) } else { line };
                if counts::<H>(&value) {
                    return Some(decode(value));
                }
            }
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
        let line = self.add(H::NAME.as_str(), H::NAME, header);
        self.lines.push(line);
    }

    /// Adds a value in front of the first of its name, where `Via`, `Route` and `Record-Route` want it; in front
    /// of all lines where there is none of its name.
    pub fn push_front<H: TypedHeader>(&mut self, header: &H) {
        let at = self.position(H::NAME).unwrap_or(0);
        let line = self.add(H::NAME.as_str(), H::NAME, header);
        self.lines.insert(at, line);
    }

    /// Puts one value in place of all of its name.
    pub fn set<H: TypedHeader>(&mut self, header: &H) {
        let line = self.add(H::NAME.as_str(), H::NAME, header);
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
        let rest = if H::LIST { list::behind_first(self.value(self.lines[at])) } else { None };
        match rest.map(|rest| rest.to_vec()) {
            Some(rest) => self.lines[at] = self.add_bytes(H::NAME.as_str(), H::NAME, &rest),
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
            let found: Vec<Bytes> = values::<H>(self.shared(line)).collect();
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
    pub(crate) fn push_front_raw(&mut self, name: Name, value: &[u8]) {
        let at = self.position(name).unwrap_or(0);
        let line = self.add_bytes(name.as_str(), name, value);
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

    /// False where no line has that name, at a look.
    fn may_have(&self, name: Name) -> bool {
        self.names & name.bit() != 0
    }

    fn position(&self, name: Name) -> Option<usize> {
        if !self.may_have(name) {
            return None;
        }
        self.lines.iter().position(|line| line.name() == name)
    }

    /// The value of a line, trimmed.
    fn value(&self, line: Line) -> &[u8] {
        let bytes: &[u8] = self.source(line);
        bytes.get(line.start() + usize::from(line.value)..line.end()).unwrap_or_default().trim_ascii()
    }

    /// The name of a line as it is spelled there.
    fn spelling(&self, line: Line) -> &[u8] {
        let line = self.source(line).get(line.start()..line.end()).unwrap_or_default();
        let end = memchr::memchr(b':', line).unwrap_or(line.len());
        line[..end].trim_ascii_end()
    }

    fn source(&self, line: Line) -> &[u8] {
        match (&self.edits, line.is_added()) {
            (Some(edits), true) => &edits.added,
            (_, _) => &self.bytes,
        }
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

    fn add(&mut self, spelling: &str, name: Name, value: &dyn std::fmt::Display) -> Line {
        let mut text = String::with_capacity(64);
        // Writing to a String fails only if a Display does.
        let _ = write!(text, "{value}");
        self.add_bytes(spelling, name, text.as_bytes())
    }

    fn add_bytes(&mut self, spelling: &str, name: Name, value: &[u8]) -> Line {
        let added = &mut self.edits_mut().added;
        let start = added.len();
        // One allocation for the few edits that a hop makes.
        added.reserve((spelling.len() + value.len() + 4).max(if start == 0 { 256 } else { 0 }));
        added.extend_from_slice(spelling.as_bytes());
        added.extend_from_slice(b": ");
        match memchr::memchr3(b'\r', b'\n', 0, value) {
            None => added.extend_from_slice(value),
            Some(_) => {
                added.extend(value.iter().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte }))
            }
        }
        added.extend_from_slice(b"\r\n");
        let len = added.len() - start;
        let mut line = Line::new(name, start, spelling.len() + 2, len).expect("a header block is below 16 MiB");
        line.name |= ADDED;
        self.names |= name.bit();
        line
    }

    pub(super) fn edits_mut(&mut self) -> &mut Edits {
        self.edits.get_or_insert_default()
    }

    /// All lines in order, runs of untouched bytes in one copy.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut run = 0..0;
        let mut from_added = false;
        let added: &[u8] = self.edits.as_ref().map_or(&[], |edits| &edits.added);
        for line in &self.lines {
            if line.start() != run.end || line.is_added() != from_added {
                out.extend_from_slice(&(if from_added { added } else { &self.bytes })[run]);
                run = line.start()..line.start();
                from_added = line.is_added();
            }
            run.end = line.end();
        }
        out.extend_from_slice(&(if from_added { added } else { &self.bytes })[run]);
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
fn values<H: TypedHeader>(line: Bytes) -> impl Iterator<Item = Bytes> {
    let (list, single) = if H::LIST { (Some(line), None) } else { (None, Some(line)) };
    list.into_iter().flat_map(list::elements).chain(single)
}

/// False for what stands between two commas, or for all of an empty line, of a list that may be empty.
fn counts<H: TypedHeader>(value: &Bytes) -> bool {
    !(H::LIST && value.is_empty() && H::NAME.may_be_empty())
}

/// Reads a value. An empty one is none, unless its header says otherwise (RFC 3261 §7.3.1), nor is what is not UTF-8.
fn decode<H: TypedHeader>(value: Bytes) -> Result<H, HeaderError> {
    match ByteString::try_from(value) {
        Ok(text) if !text.is_empty() || H::NAME.may_be_empty() => H::decode(&text),
        Ok(_) | Err(_) => Err(HeaderError { name: H::NAME, cause: Cause::Malformed }),
    }
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
