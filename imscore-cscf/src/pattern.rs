//! Regular expressions of others, in service profiles (TS 29.228 annex F) and in name servers (RFC 3402 §3.2): POSIX
//! extended syntax, compiled once, and matched in a time that is linear in the text, whatever the expression (D15).

use std::fmt;
use std::ops::Range;

use regex::bytes::{Match, Regex, RegexBuilder};

/// Bytes of an expression.
const LONGEST: usize = 1_024;
/// Bytes that a compiled expression may take: what counts to thousands within thousands is refused.
const LARGEST: usize = 1 << 18;

/// Classes of characters.
const CLASSES: [&str; 12] =
    ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"];

/// A compiled expression.
#[derive(Clone)]
pub(crate) struct Pattern(Regex);

/// Why an expression is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It has more than 1,024 bytes.
    #[error("a regular expression longer than {LONGEST} bytes")]
    TooLong,
    /// Compiled it takes more than 256 KiB.
    #[error("a regular expression that takes too much room")]
    TooLarge,
    /// `[` without its `]`.
    #[error("a bracket expression without an end")]
    Bracket,
    /// `[.` or `[=` within brackets: collation, of which filter criteria have none.
    #[error("a collating symbol or an equivalence class")]
    Collation,
    /// Anything else.
    #[error("not an extended regular expression of POSIX")]
    Syntax,
}

impl Pattern {
    /// An expression that matches anywhere in a text, unless it has anchors.
    pub(crate) fn new(expression: &str) -> Result<Pattern, PatternError> {
        Pattern::build(&translate(expression)?, false)
    }

    /// One that takes capitals and small letters for the same.
    pub(crate) fn in_any_case(expression: &str) -> Result<Pattern, PatternError> {
        Pattern::build(&translate(expression)?, true)
    }

    /// An expression that matches names of headers: whole, in any case.
    pub(crate) fn of_names(expression: &str) -> Result<Pattern, PatternError> {
        Pattern::build(&format!("^(?:{})$", translate(expression)?), true)
    }

    fn build(translated: &str, in_any_case: bool) -> Result<Pattern, PatternError> {
        let mut builder = RegexBuilder::new(translated);
        // A dot matches every byte, a line feed too, as in POSIX without REG_NEWLINE.
        builder.unicode(false).dot_matches_new_line(true).case_insensitive(in_any_case);
        let built = builder.size_limit(LARGEST).dfa_size_limit(LARGEST).nest_limit(64).build();
        built.map(Pattern).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            regex::Error::Syntax(_) | _ => PatternError::Syntax,
        })
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// How many groups there are, the whole as one of them.
    pub(crate) fn group_count(&self) -> usize {
        self.0.captures_len()
    }

    /// Where `text` matches first, and its groups, the whole as group 0; one that took no part is empty.
    pub(crate) fn groups<'a>(&self, text: &'a str) -> Option<(Range<usize>, Vec<&'a str>)> {
        let captures = self.0.captures(text.as_bytes())?;
        let group = |found: Option<Match<'_>>| found.and_then(|found| text.get(found.range())).unwrap_or_default();
        Some((captures.get(0)?.range(), captures.iter().map(group).collect()))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.0.as_str())
    }
}

/// The expression in the syntax of the library. The two differ within brackets, where POSIX knows no escapes and no set
/// operations, and behind an opening parenthesis, where POSIX knows no flags.
fn translate(expression: &str) -> Result<String, PatternError> {
    if expression.len() > LONGEST {
        return Err(PatternError::TooLong);
    }
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    while let Some(next) = rest.chars().next() {
        let at = next.len_utf8();
        match next {
            '[' => rest = bracket(rest, &mut out)?,
            '(' if rest[at..].starts_with('?') => return Err(PatternError::Syntax),
            '\\' => {
                let escaped = rest[at..].chars().next().ok_or(PatternError::Syntax)?;
                // Of the escapes that POSIX leaves undefined those of digits, words and white space are in use.
                match escaped {
                    'd' | 'D' | 'w' | 'W' | 's' | 'S' => out.extend(['\\', escaped]),
                    _ => literal(escaped, &mut out),
                }
                rest = &rest[at + escaped.len_utf8()..];
            }
            // Without a number behind it a brace is a character.
            '{' if !rest[at..].starts_with(|c: char| c.is_ascii_digit()) => {
                literal(next, &mut out);
                rest = &rest[at..];
            }
            _ => {
                out.push(next);
                rest = &rest[at..];
            }
        }
    }
    Ok(out)
}

/// Writes the bracket expression at the front of `text`, and returns what is behind it.
fn bracket<'a>(text: &'a str, out: &mut String) -> Result<&'a str, PatternError> {
    out.push('[');
    let mut rest = &text[1..];
    if let Some(behind) = rest.strip_prefix('^') {
        out.push('^');
        rest = behind;
    }
    let mut is_first = true;
    loop {
        let next = rest.chars().next().ok_or(PatternError::Bracket)?;
        let behind = &rest[next.len_utf8()..];
        match next {
            ']' if !is_first => {
                out.push(']');
                return Ok(behind);
            }
            '[' if behind.starts_with(':') => {
                let end = behind.find(":]").ok_or(PatternError::Bracket)? + 2;
                let class = &behind[..end];
                if !CLASSES.contains(&&class[1..end - 2]) {
                    return Err(PatternError::Syntax);
                }
                out.push('[');
                out.push_str(class);
                rest = &behind[end..];
            }
            '[' if behind.starts_with(['.', '=']) => return Err(PatternError::Collation),
            _ => {
                literal(next, out);
                rest = behind;
                // With something other than the bracket's end behind it a hyphen makes a range, of which it may be the end.
                if let Some(end) = behind.strip_prefix('-').and_then(|behind| behind.chars().next())
                    && end != ']'
                {
                    out.push('-');
                    literal(end, out);
                    rest = &behind[1 + end.len_utf8()..];
                }
            }
        }
        is_first = false;
    }
}

fn literal(character: char, out: &mut String) {
    if r"\.+*?()|[]{}^$#&-~".contains(character) {
        out.push('\\');
    }
    out.push(character);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, matching: &[&str], others: &[&str]) {
        let pattern = Pattern::new(expression).unwrap();
        for (texts, expected) in [(matching, true), (others, false)] {
            texts.iter().for_each(|text| assert_eq!(pattern.matches(text.as_bytes()), expected, "{expression} {text}"));
        }
    }

    #[test]
    fn extended_syntax() {
        check("bob", &["sip:bob@h", "bob"], &["Bob", ""]);
        check("^sip:bob@h$", &["sip:bob@h"], &["sip:bob@h;x", "<sip:bob@h>"]);
        check(r"^tel:\+1[0-9]{3,5}$", &["tel:+1200", "tel:+120055"], &["tel:+12", "tel:1200", "tel:+1200555"]);
        check("(audio|video) [1-9]", &["audio 4", "xvideo 9y"], &["audio 0", "text 1"]);
        check("a.c", &["abc", "a\nc"], &["ac"]);
        check("x{y", &["x{y"], &["xy"]);
        check(r"\d+\.\w", &["12.a"], &["12a", "a.b"]);
        check(r"\<\@", &["a<@"], &["a@"]);
    }

    #[test]
    fn brackets() {
        check(r"^[\.]$", &[".", "\\"], &["x", ""]);
        check(r"^[\d]$", &["\\", "d"], &["1"]);
        check("^[]x]$", &["]", "x"], &["y"]);
        check("^[^]x]$", &["y"], &["]", "x"]);
        check("^[-a]$|^[b-]$", &["-", "a", "b"], &["c"]);
        check("^[a-c[:digit:]]+$", &["abc123"], &["d", ":"]);
        check("^[[]$", &["["], &["]"]);
        check("^[a&&b~~c]$", &["&", "~", "a", "c"], &["d"]);
        check("^[+--x]$", &["+", ",", "-", "x"], &[".", "y"]);
    }

    #[test]
    fn names() {
        let pattern = Pattern::of_names("P-.*|Accept").unwrap();
        for (name, expected) in [("p-early-media", true), ("ACCEPT", true), ("Accept-Contact", false), ("XP-", false)] {
            assert_eq!(pattern.matches(name.as_bytes()), expected, "{name}");
        }
    }

    /// D15: what makes others go back again and again takes one pass here.
    #[test]
    fn d15_expressions_that_backtrack() {
        let text = "a".repeat(65_000);
        for expression in ["(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+$b", "a{0,50}a{0,50}a{0,50}b"] {
            check(expression, &[], &[&text]);
        }
    }

    #[test]
    fn what_is_none() {
        let error = |expression: &str| Pattern::new(expression).unwrap_err();
        for expression in ["(", "(?i)x", "a)", "*", "a\\", "[z-a]", "[c--]", "[[:Alpha:]]", "[[:nothing:]]"] {
            assert_eq!(error(expression), PatternError::Syntax, "{expression}");
        }
        for expression in ["[", "[]", "[^]", "[a", "[[:digit:]", "[[:digit"] {
            assert_eq!(error(expression), PatternError::Bracket, "{expression}");
        }
        assert_eq!((error("[[.-.]]"), error("[[=a=]]")), (PatternError::Collation, PatternError::Collation));
        assert_eq!(error(&"a".repeat(LONGEST + 1)), PatternError::TooLong);
        assert_eq!(error("((a{1,99}){1,99}){1,99}"), PatternError::TooLarge);
        assert_eq!(error(&"(".repeat(500)), PatternError::Syntax);
    }
}
