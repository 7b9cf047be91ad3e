//! One NAPTR record of ENUM: what it is for, and what it makes of a number (RFC 6116 §3, RFC 3402 §3.2).

use imscore_sip::ByteString;

use crate::pattern::{Pattern, PatternError};

/// Bytes of what a substitution may give.
const LONGEST: usize = 1_024;

/// A record as a name server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NaptrRecord {
    /// Lower comes first, and what matches ends the search (RFC 3403 §4.1).
    pub order: u16,
    /// Among those of one order, lower comes first.
    pub preference: u16,
    /// `u`: the result is a URI; empty: it is a name, to be asked next.
    pub flags: ByteString,
    /// What the result is for: `E2U+sip`.
    pub services: ByteString,
    /// The substitution: `!^.*$!sip:bob@ims.example!`.
    pub regexp: ByteString,
    /// The name to be asked next, where there is no substitution; empty for none.
    pub replacement: ByteString,
}

/// Why a substitution expression is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubstitutionError {
    /// Not three delimiters, of a kind that can be one, or a flag other than `i`.
    #[error("not an expression, a replacement and flags between delimiters")]
    Form,
    /// The expression is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// `\` in the replacement without a digit from 1 to 9, or of a group that is not there.
    #[error("a reference to a group that is not there")]
    Reference,
}

/// A substitution, compiled.
#[derive(Clone, Debug)]
pub(super) struct Substitution {
    pattern: Pattern,
    replacement: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl NaptrRecord {
    /// True for what ends in a URI.
    pub(super) fn is_terminal(&self) -> bool {
        self.flags.eq_ignore_ascii_case("u")
    }

    /// True for a record of ENUM that gives a SIP or `tel:` URI: `E2U+sip`, `E2U+pstn:tel`, one of several services
    /// (RFC 6116 §3.4.3), or the old `sip+E2U` of RFC 2916.
    pub(super) fn is_for_calls(&self) -> bool {
        let services = self.services.to_ascii_lowercase();
        let is_call = |service: &str| {
            matches!(service, "sip" | "tel" | "pstn") || service.starts_with("pstn:") || service.starts_with("sip:")
        };
        match (services.strip_prefix("e2u+"), services.strip_suffix("+e2u")) {
            (Some(services), _) => services.split('+').any(is_call),
            (None, Some(old)) => is_call(old),
            (None, None) => false,
        }
    }
}

impl Substitution {
    /// Reads `delimiter ere delimiter replacement delimiter flags`.
    pub(super) fn read(text: &str) -> Result<Substitution, SubstitutionError> {
        let mut characters = text.chars();
        let delimiter =
            characters.next().filter(|first| !first.is_ascii_digit() && !matches!(first, 'i' | '\\' | '\0'));
        let delimiter = delimiter.ok_or(SubstitutionError::Form)?;
        let (expression, rest) = split(characters.as_str(), delimiter).ok_or(SubstitutionError::Form)?;
        let (replacement, flags) = split(rest, delimiter).ok_or(SubstitutionError::Form)?;
        let pattern = match flags {
            "" => Pattern::new(&expression)?,
            "i" => Pattern::in_any_case(&expression)?,
            _ => return Err(SubstitutionError::Form),
        };
        let replacement = pieces(&replacement)?;
        let is_there = |piece: &Piece| match piece {
            Piece::Group(group) => *group < pattern.group_count(),
            Piece::Text(_) => true,
        };
        if !replacement.iter().all(is_there) {
            return Err(SubstitutionError::Reference);
        }
        Ok(Substitution { pattern, replacement })
    }

    /// `text` with the part that matches replaced; `None` where nothing does, or the result is longer than a URI.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let (place, groups) = self.pattern.groups(text)?;
        let mut out = text[..place.start].to_owned();
        for piece in &self.replacement {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(group) => groups.get(*group)?,
            });
        }
        out.push_str(&text[place.end..]);
        (out.len() <= LONGEST).then_some(out)
    }
}

/// What stands before the next delimiter, which a backslash makes a character, and what stands behind it.
fn split(text: &str, delimiter: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(next) = characters.next() {
        if next == delimiter {
            return Some((out, characters.as_str()));
        }
        if next != '\\' {
            out.push(next);
            continue;
        }
        let escaped = characters.next()?;
        if escaped != delimiter {
            out.push('\\');
        }
        out.push(escaped);
    }
    None
}

fn pieces(replacement: &str) -> Result<Vec<Piece>, SubstitutionError> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut characters = replacement.chars();
    while let Some(next) = characters.next() {
        if next != '\\' {
            text.push(next);
            continue;
        }
        match characters.next() {
            Some('\\') => text.push('\\'),
            Some(digit @ '1'..='9') => {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Group(digit as usize - '0' as usize));
            }
            Some(_) | None => return Err(SubstitutionError::Reference),
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3402 §3.2.
    #[test]
    fn substitutions() {
        let number = "+12015550123";
        for (text, expected) in [
            ("!^.*$!sip:bob@ims.example!", Some("sip:bob@ims.example")),
            (r"!^\+1(...)(.*)$!sip:\2-\1@h!", Some("sip:5550123-201@h")),
            (r"#^\+1201(.*)$#sip:\1@h#i", Some("sip:5550123@h")),
            (r"/^(\+1201|\+1202)(.*)$/sip:\2@h/", Some("sip:5550123@h")),
            (r"!^\+44(.*)$!sip:\1@h!", None),
            (r"!5550!x!", Some("+1201x123")),
            (r"!^\+(.*)$!tel:+\1;npdi;rn=+1\!2!", Some("tel:+12015550123;npdi;rn=+1!2")),
            (r"!(x)?^.*$!<\1>\\!", Some(r"<>\")),
        ] {
            let substitution = Substitution::read(text).unwrap();
            assert_eq!(substitution.apply(number).as_deref(), expected, "{text}");
        }
        let long = Substitution::read(&format!("!^.*$!sip:{}!", "a".repeat(LONGEST))).unwrap();
        assert_eq!(long.apply(number), None);
    }

    #[test]
    fn what_is_no_substitution() {
        let error = |text: &str| Substitution::read(text).unwrap_err();
        for text in ["", "!", "!a", "!a!b", "1a1b1", "iaibi", "\\a\\b\\", "!a!b!g", "!a!b!i!", "!a\\!b!"] {
            assert_eq!(error(text), SubstitutionError::Form, "{text}");
        }
        for text in [r"!a!\1!", r"!(a)!\2!", r"!(a)!\0!", r"!(a)!\x!"] {
            assert_eq!(error(text), SubstitutionError::Reference, "{text}");
        }
        assert_eq!(error("!(!b!"), SubstitutionError::Pattern(PatternError::Syntax));
    }

    #[test]
    fn what_a_record_is_for() {
        let is_for_calls =
            |services: &str| NaptrRecord { services: services.into(), ..NaptrRecord::default() }.is_for_calls();
        for services in
            ["E2U+sip", "e2u+SIP", "E2U+pstn:tel", "E2U+pstn:sip", "E2U+email:mailto+sip", "sip+E2U", "E2U+tel"]
        {
            assert!(is_for_calls(services), "{services}");
        }
        for services in ["", "E2U", "E2U+email:mailto", "E2U+sipx", "SIP+D2U", "sip", "email+E2U"] {
            assert!(!is_for_calls(services), "{services}");
        }
    }
}
