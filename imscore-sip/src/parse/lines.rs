//! One pass over the header block: the start line, then a ten-byte entry a line.

use memchr::memchr;
use smallvec::SmallVec;

use super::class::Class;
use super::{Fault, Limits, ParseError};
use crate::header::{Name, Seen};
use crate::message::{Line, Lines};

/// Where the parts of a message are.
pub(crate) struct Scan {
    pub(crate) start: StartLine,
    pub(crate) lines: Lines,
    /// Which names they have.
    pub(crate) seen: Seen,
    /// The first byte behind the empty line.
    pub(crate) body: usize,
    /// The value of Content-Length, where there is one.
    pub(crate) content_length: Option<usize>,
}

/// The start line; offsets into the bytes.
#[derive(Clone, Copy)]
pub(crate) enum StartLine {
    Request { method: u16, target: (u16, u16) },
    Response { status: u16, reason: (u16, u16) },
}

/// Finds the lines of a message that starts at the first byte.
pub(crate) fn scan(bytes: &[u8], limits: &Limits) -> Result<Scan, ParseError> {
    let block = limits.header_block.min(usize::from(u16::MAX));
    let window = &bytes[..bytes.len().min(block)];
    let fail = |offset, fault| Err(ParseError { offset, fault });
    let exhausted = if bytes.len() > block { Fault::TooLarge } else { Fault::Incomplete };

    let Some(mut at) = memchr(b'\n', window).map(|at| at + 1) else {
        return fail(window.len(), exhausted);
    };
    let start = start_line(&window[..at], limits)?;
    let mut lines: Lines = SmallVec::new();
    let mut seen = Seen::NOTHING;
    let mut content_length = None;
    let mut crlfs = 1;
    loop {
        let begin = at;
        let Some(end) = memchr(b'\n', &window[at..]).map(|end| at + end + 1) else {
            return fail(window.len(), exhausted);
        };
        at = end;
        crlfs += usize::from(window[..at].ends_with(b"\r\n"));
        if window[begin] == b'\r' && end == begin + 2 {
            break;
        }
        let mut folds = 0;
        while matches!(window.get(at), Some(b' ' | b'\t')) {
            let Some(end) = memchr(b'\n', &window[at..]) else {
                return fail(window.len(), exhausted);
            };
            at += end + 1;
            crlfs += usize::from(window[..at].ends_with(b"\r\n"));
            folds += 1;
        }
        if lines.len() == limits.lines || folds > limits.folds || at - begin > limits.line {
            return fail(begin, Fault::TooMany);
        }
        let line = &window[begin..at];
        let Some((name, value)) = header_name(line, limits) else {
            return fail(begin, Fault::HeaderName);
        };
        if name == Name::CONTENT_LENGTH {
            match number(line[value..].trim_ascii()) {
                Some(length) if content_length.is_none() => content_length = Some(length),
                _ => return fail(begin, Fault::ContentLength),
            }
        }
        let Some(line) = Line::new(name, begin, value, at - begin) else {
            return fail(begin, Fault::TooMany);
        };
        seen.note(name);
        lines.push(line.folded(folds));
    }
    controls(&window[..at], crlfs)?;
    Ok(Scan { start, lines, seen, body: at, content_length })
}

/// RFC 3261 §7.1, §7.2: exactly one space between the parts, nothing behind the last but CRLF.
fn start_line(line: &[u8], limits: &Limits) -> Result<StartLine, ParseError> {
    let fail = |offset, fault| Err(ParseError { offset, fault });
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return fail(line.len() - 1, Fault::Control);
    };
    let Some(space) = memchr(b' ', line) else {
        return fail(0, Fault::StartLine);
    };
    let (first, rest) = (&line[..space], &line[space + 1..]);
    if is_version(first) {
        if !first.eq_ignore_ascii_case(b"SIP/2.0") {
            return fail(0, Fault::Version);
        }
        // RFC 3261 §7.2 has a space behind the code even before an empty reason; some leave it out.
        let code = &rest[..memchr(b' ', rest).unwrap_or(rest.len())];
        let status = number(code).filter(|status| code.len() == 3 && (100..700).contains(status));
        let Some(status) = status else {
            return fail(space + 1, Fault::StartLine);
        };
        let reason = (space + 1 + code.len() + 1).min(line.len());
        return Ok(StartLine::Response { status: status as u16, reason: (reason as u16, line.len() as u16) });
    }
    if first.len() > limits.method || first.is_empty() || !Class::TOKEN.is_all_of(first) {
        return fail(0, Fault::StartLine);
    }
    let Some(uri) = memchr(b' ', rest) else {
        return fail(space + 1, Fault::StartLine);
    };
    let version = &rest[uri + 1..];
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let fault = if is_version(version) { Fault::Version } else { Fault::StartLine };
        return fail(space + uri + 2, fault);
    }
    if uri > limits.uri {
        return fail(space + 1, Fault::UriTooLong);
    }
    let target = &rest[..uri];
    if target.is_empty() || target.iter().any(|byte| matches!(byte, b'<' | b'>' | b'"' | b'\t')) {
        return fail(space + 1, Fault::StartLine);
    }
    let from = space + 1;
    Ok(StartLine::Request { method: space as u16, target: (from as u16, (from + uri) as u16) })
}

/// `SIP/1*DIGIT.1*DIGIT`, in any case.
fn is_version(text: &[u8]) -> bool {
    let Some((b"SIP/" | b"sip/" | b"Sip/", number)) = text.split_at_checked(4) else {
        return false;
    };
    let mut parts = number.split(|byte| *byte == b'.');
    let digits = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
}

/// The name of a line and where its value starts. White space may stand before the colon (RFC 3261 §25.1, HCOLON),
/// and only SP and HTAB are white space.
pub(super) fn header_name(line: &[u8], limits: &Limits) -> Option<(Name, usize)> {
    // Names are short. A line end in front of the colon makes it none.
    let colon = line.iter().position(|byte| *byte == b':')?;
    let spelling = match line[..colon] {
        [.., b' ' | b'\t'] => line[..colon].trim_ascii_end(),
        _ => &line[..colon],
    };
    let name = match Name::find(spelling) {
        Some(name) => name,
        None if spelling.is_empty() || spelling.len() > limits.name => return None,
        None if Class::TOKEN.is_all_of(spelling) => Name::EXTENSION,
        None => return None,
    };
    let mut value = colon + 1;
    while matches!(line[value], b' ' | b'\t') {
        value += 1;
    }
    Some((name, value))
}

/// Refuses control characters. A block with `crlfs` line ends holds two for each of them and no other, so that counting
/// settles nearly every message; only a block that holds more is looked at byte by byte, for pairs quoted with a
/// backslash (RFC 3261 §25.1, quoted-pair).
fn controls(block: &[u8], crlfs: usize) -> Result<(), ParseError> {
    let found: usize = block
        .chunks(128)
        .map(|chunk| usize::from(chunk.iter().map(|byte| u8::from(is_control(*byte))).sum::<u8>()))
        .sum();
    if found == 2 * crlfs {
        return Ok(());
    }
    let mut at = 0;
    while at < block.len() {
        match block[at] {
            b'\\' if !matches!(block.get(at + 1), Some(b'\r' | b'\n')) => at += 2,
            b'\r' if block.get(at + 1) == Some(&b'\n') => at += 2,
            byte if is_control(byte) => {
                return Err(ParseError { offset: at, fault: Fault::Control });
            }
            _ => at += 1,
        }
    }
    Ok(())
}

fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') | (byte == 0x7f)
}

/// 1*DIGIT that fits; more than ten digits never do.
pub(super) fn number(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 10 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

/// RFC 3261 §25.1, token.
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    Class::TOKEN.has(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<Fault> {
        scan(text.as_bytes(), &Limits::default()).err().map(|error| error.fault)
    }

    fn with_header(line: &str) -> Option<Fault> {
        fault(&format!("OPTIONS sip:a@b SIP/2.0\r\n{line}\r\nTo: <sip:a@b>\r\n\r\n"))
    }

    #[test]
    fn start_lines() {
        for (line, expected) in [
            ("OPTIONS sip:a@b SIP/2.0", None),
            ("SIP/2.0 200 OK", None),
            ("SIP/2.0 200 ", None),
            ("SIP/2.0 200", None),
            ("OPTIONS  sip:a@b SIP/2.0", Some(Fault::StartLine)),
            ("OPTIONS sip:a@b SIP/2.0 ", Some(Fault::StartLine)),
            ("OPTIONS sip:a@b SIP/7.0", Some(Fault::Version)),
            ("OPTIONS <sip:a@b> SIP/2.0", Some(Fault::StartLine)),
            ("OPTIONS sip:a@b;x=\"y z\" SIP/2.0", Some(Fault::StartLine)),
            ("OPT(IONS sip:a@b SIP/2.0", Some(Fault::StartLine)),
            ("POST / HTTP/1.1", Some(Fault::StartLine)),
            ("SIP/2.0 4294967301 OK", Some(Fault::StartLine)),
            ("SIP/2.0 99 Low", Some(Fault::StartLine)),
            ("", Some(Fault::StartLine)),
        ] {
            assert_eq!(fault(&format!("{line}\r\nTo: <sip:a@b>\r\n\r\n")), expected, "{line}");
        }
    }

    /// P1, P2: what is not SP or HTAB before the colon is no white space.
    #[test]
    fn bytes_around_a_name() {
        for (line, expected) in [
            ("P-Asserted-Identity: <sip:x@y>", None),
            ("P-Asserted-Identity : <sip:x@y>", None),
            ("P-Asserted-Identity\t: <sip:x@y>", None),
            ("P-Asserted-Identity\x0b: <sip:x@y>", Some(Fault::HeaderName)),
            ("P-Asserted-Identity\x01: <sip:x@y>", Some(Fault::HeaderName)),
            ("\x00P-Asserted-Identity: <sip:x@y>", Some(Fault::HeaderName)),
            ("P-Asserted-Identity\u{a0}: <sip:x@y>", Some(Fault::HeaderName)),
            ("P-Asserted-Identity", Some(Fault::HeaderName)),
            (": empty", Some(Fault::HeaderName)),
            ("X-Own: any thing", None),
            ("Subject: a\rb", Some(Fault::Control)),
            ("Subject: a\nX: b", Some(Fault::Control)),
            ("Subject: a\x00b", Some(Fault::Control)),
            ("Contact: \"a\\\x00b\" <sip:x@y>", None),
            ("Subject: a\r\n b", None),
            ("Subject: a\r\n\tb\r\n c", None),
            ("Subject: grüße", None),
        ] {
            assert_eq!(with_header(line), expected, "{line:?}");
        }
    }

    #[test]
    fn content_length_is_one_number() {
        for (line, expected) in [
            ("Content-Length: 0", None),
            ("l: 007", None),
            ("Content-Length: -1", Some(Fault::ContentLength)),
            ("Content-Length: 99999999999", Some(Fault::ContentLength)),
            ("Content-Length: 1, 1", Some(Fault::ContentLength)),
            ("Content-Length: 1\r\nl: 1", Some(Fault::ContentLength)),
            ("Content-Length:", Some(Fault::ContentLength)),
        ] {
            assert_eq!(with_header(line), expected, "{line}");
        }
    }

    /// Each limit one below, at, and one above.
    #[test]
    fn limits_hold() {
        let limits = Limits {
            lines: 3,
            line: 20,
            folds: 2,
            uri: 8,
            method: 7,
            name: 10,
            header_block: 200,
            ..Limits::default()
        };
        let check = |text: String, expected: Option<Fault>| {
            let found = scan(text.as_bytes(), &limits).err().map(|error| error.fault);
            assert_eq!(found, expected, "{text}");
        };
        for (count, expected) in [(2, None), (3, None), (4, Some(Fault::TooMany))] {
            check(format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\n", "a: b\r\n".repeat(count)), expected);
        }
        for (count, expected) in [(14, None), (15, None), (16, Some(Fault::TooMany))] {
            check(format!("OPTIONS sip:a@b SIP/2.0\r\na: {}\r\n\r\n", "b".repeat(count)), expected);
        }
        for (count, expected) in [(1, None), (2, None), (3, Some(Fault::TooMany))] {
            check(format!("OPTIONS sip:a@b SIP/2.0\r\na: b\r\n{}\r\n", " c\r\n".repeat(count)), expected);
        }
        for (count, expected) in [(3, None), (4, None), (5, Some(Fault::UriTooLong))] {
            check(format!("OPTIONS sip:{} SIP/2.0\r\n\r\n", "u".repeat(count)), expected);
        }
        for (count, expected) in [(6, None), (7, None), (8, Some(Fault::StartLine))] {
            check(format!("{} sip:a SIP/2.0\r\n\r\n", "M".repeat(count)), expected);
        }
        for (count, expected) in [(9, None), (10, None), (11, Some(Fault::HeaderName))] {
            check(format!("OPTIONS sip:a SIP/2.0\r\n{}: b\r\n\r\n", "x".repeat(count)), expected);
        }
        let fill = |bytes: usize| format!("OPTIONS sip:a SIP/2.0\r\n{}\r\n", "b".repeat(bytes));
        check(fill(400), Some(Fault::TooLarge));
        check("OPTIONS sip:a SIP/2.0\r\na: b\r\n".into(), Some(Fault::Incomplete));
    }
}
