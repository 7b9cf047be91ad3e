//! Comma lists: where one value of a header line ends and the next begins.

use super::class::Class;

/// The values of one line, between commas that stand neither in quotes nor in angle brackets; white space trimmed.
pub(crate) fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let (element, behind) = cut(rest.take()?);
        rest = behind;
        Some(element)
    })
}

/// The first value of a line and what stands behind its comma.
pub(crate) fn cut(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    match comma(line) {
        None => (line.trim_ascii(), None),
        Some(at) => (line[..at].trim_ascii(), Some(line[at + 1..].trim_ascii())),
    }
}

/// What stands behind the first value of a line; `None` where it is the only one.
pub(crate) fn behind_first(line: &[u8]) -> Option<&[u8]> {
    comma(line).map(|at| line[at + 1..].trim_ascii())
}

/// The place of the first comma that separates values.
pub(crate) fn comma(text: &[u8]) -> Option<usize> {
    // Many lists are of tokens and no more.
    let mut at = Class::TOKEN.split(text).0.len();
    if text.get(at) == Some(&b',') {
        return Some(at);
    }
    loop {
        at += memchr::memchr3(b',', b'"', b'<', text.get(at..)?)?;
        match text[at] {
            b',' => return Some(at),
            b'"' => at = quote_end(text, at)?,
            _ => at += memchr::memchr(b'>', &text[at..])? + 1,
        }
    }
}

/// The place behind the closing quote of the quoted string that opens at `open`.
pub(crate) fn quote_end(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &'static str, expected: &[&str]) {
        let found: Vec<&[u8]> = split(line.as_bytes()).collect();
        assert_eq!(found, expected.iter().map(|value| value.as_bytes()).collect::<Vec<_>>(), "{line}");
    }

    #[test]
    fn commas_in_quotes_and_brackets_separate_nothing() {
        check("a, b ,c", &["a", "b", "c"]);
        check(r#""x, \", y" <sip:a,b@c>, <sip:d>"#, &[r#""x, \", y" <sip:a,b@c>"#, "<sip:d>"]);
        check("a,,b", &["a", "", "b"]);
        check("", &[""]);
        check(r#""open, a"#, &[r#""open, a"#]);
        check("<open, a", &["<open, a"]);
    }
}
