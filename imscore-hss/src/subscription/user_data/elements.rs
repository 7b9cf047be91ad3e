//! Elements of a document, one after the other: no tree, no document type, no entities.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::{MAX_DEPTH, MAX_USER_DATA, UserDataError};

/// A document on the way. Whoever is given an element reads of it what it likes; the rest is passed over.
pub(super) struct Elements<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    ignored: usize,
}

/// What a document is made of.
enum Piece<'a> {
    Start(BytesStart<'a>),
    End,
    /// Text in which white space may only be there for looks.
    Text(Cow<'a, str>),
    /// Text that means every character: of a reference or a CDATA section.
    Exact(Cow<'a, str>),
    /// The end of the document, which is never within an element.
    Done,
}

impl<'a> Elements<'a> {
    pub(super) fn new(xml: &'a [u8]) -> Result<Self, UserDataError> {
        if xml.len() > MAX_USER_DATA {
            return Err(UserDataError::TooLong);
        }
        let text = std::str::from_utf8(xml).map_err(|_| UserDataError::Encoding)?;
        if !text.chars().all(is_xml) {
            return Err(UserDataError::Encoding);
        }
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, depth: 0, ignored: 0 })
    }

    /// Elements that said nothing.
    pub(super) fn ignored(&self) -> usize {
        self.ignored
    }

    /// This element, or what it stands in, says nothing to us.
    pub(super) fn ignore(&mut self) {
        self.ignored += 1;
    }

    /// Reads the root and all that is behind it.
    pub(super) fn root(
        &mut self,
        mut root: impl FnMut(&mut Self, &str) -> Result<(), UserDataError>,
    ) -> Result<(), UserDataError> {
        let mut found = false;
        loop {
            match self.next()? {
                Piece::Start(start) if !found => {
                    found = true;
                    root(self, start.local_name().into_inner())?;
                    self.close(0)?;
                }
                Piece::Text(text) if text.chars().all(is_space) => {}
                Piece::Done if found => return Ok(()),
                Piece::Start(_) | Piece::End | Piece::Text(_) | Piece::Exact(_) | Piece::Done => {
                    return Err(self.malformed());
                }
            }
        }
    }

    /// Reads the elements within the one that has begun. Text between them says nothing.
    pub(super) fn children(
        &mut self,
        mut child: impl FnMut(&mut Self, &str) -> Result<(), UserDataError>,
    ) -> Result<(), UserDataError> {
        let depth = self.depth;
        loop {
            match self.next()? {
                Piece::Start(start) => {
                    child(self, start.local_name().into_inner())?;
                    self.close(depth)?;
                }
                Piece::Text(_) | Piece::Exact(_) => {}
                Piece::End | Piece::Done => return Ok(()),
            }
        }
    }

    /// The text of the element that has begun, without white space around it that is there for looks.
    pub(super) fn text(&mut self) -> Result<String, UserDataError> {
        self.collect(true)
    }

    /// The text of the element that has begun, white space and all.
    pub(super) fn verbatim(&mut self) -> Result<String, UserDataError> {
        self.collect(false)
    }

    fn collect(&mut self, trim: bool) -> Result<String, UserDataError> {
        let depth = self.depth;
        let mut text = String::new();
        // Up to where it is not for looks.
        let mut solid = 0;
        loop {
            match self.next()? {
                Piece::Text(part) if trim => {
                    let part = if text.is_empty() { part.trim_start_matches(is_space) } else { &part };
                    text.push_str(part);
                    solid = solid.max(text.trim_end_matches(is_space).len());
                }
                Piece::Text(part) | Piece::Exact(part) => {
                    text.push_str(&part);
                    solid = text.len();
                }
                Piece::Start(_) => {
                    self.ignore();
                    self.close(depth)?;
                }
                Piece::End | Piece::Done => break,
            }
        }
        text.truncate(solid);
        Ok(text)
    }

    /// Passes over what is left within an element.
    fn close(&mut self, depth: usize) -> Result<(), UserDataError> {
        while self.depth > depth {
            self.next()?;
        }
        Ok(())
    }

    /// The next piece. Whatever is refused is refused here, also where nobody looks.
    fn next(&mut self) -> Result<Piece<'a>, UserDataError> {
        loop {
            let at = self.reader.buffer_position();
            let event = self.reader.read_event().map_err(|_| UserDataError::Malformed { at })?;
            return Ok(match event {
                Event::Comment(_) | Event::PI(_) => continue,
                Event::Decl(declaration) if at == 0 => {
                    check_encoding(&declaration)?;
                    continue;
                }
                Event::Decl(_) => return Err(UserDataError::Malformed { at }),
                Event::DocType(_) => return Err(UserDataError::DocumentType { at }),
                Event::Start(_) | Event::Empty(_) if self.depth == MAX_DEPTH => {
                    return Err(UserDataError::TooDeep { at });
                }
                Event::Start(start) | Event::Empty(start) => {
                    self.depth += 1;
                    Piece::Start(start)
                }
                Event::End(_) => {
                    self.depth -= 1;
                    Piece::End
                }
                Event::Text(text) => Piece::Text(text.xml10_content()),
                Event::CData(text) => Piece::Exact(text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = resolve(&reference).ok_or(UserDataError::Entity { at })?;
                    Piece::Exact(character.to_string().into())
                }
                Event::Eof if self.depth > 0 => return Err(UserDataError::Malformed { at }),
                Event::Eof => Piece::Done,
            });
        }
    }

    pub(super) fn malformed(&self) -> UserDataError {
        UserDataError::Malformed { at: self.reader.buffer_position() }
    }
}

fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten().filter(|character| is_xml(*character)),
    }
}

/// A declaration need not be; what it declares has to be what was read. US-ASCII is UTF-8 as well.
fn check_encoding(declaration: &BytesDecl<'_>) -> Result<(), UserDataError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if ["utf-8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => Ok(()),
        Some(_) => Err(UserDataError::Encoding),
    }
}

/// White space of XML 1.0 §2.3.
pub(super) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Char of XML 1.0 §2.2.
pub(super) fn is_xml(character: char) -> bool {
    match character {
        '\t' | '\r' | '\n' => true,
        '\u{0}'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    }
}
