//! The parameters of a URI or of a header value, seen in its text.

use std::borrow::Cow;

use super::class::Class;
use super::grammar;
use super::lines::is_token;
use super::list::quote_end;

/// Parameters as they stand in a text, `;lr;transport=tcp`. Names are compared without regard to case; where one
/// stands twice the first counts.
///
/// ```
/// use imscore_sip::header::{NameAddr, Params};
/// use imscore_sip::uri::SipUri;
///
/// let contact =
///     NameAddr::new("sip:alice@192.0.2.1".parse::<SipUri>()?).with_param("q", "0.7").with_param("ob", None);
/// let params: Params<'_> = contact.params();
/// assert_eq!(params.get("Q"), Some("0.7"));
/// assert_eq!(params.iter().collect::<Vec<_>>(), [("q", Some("0.7")), ("ob", None)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    text: &'a str,
    separator: u8,
}

impl<'a> Params<'a> {
    /// Parameters that a semicolon stands in front of.
    pub(crate) fn of(text: &'a str) -> Params<'a> {
        Params { text, separator: b';' }
    }

    /// Parameters with commas between them, as those of credentials.
    pub(crate) fn between_commas(text: &'a str) -> Params<'a> {
        Params { text, separator: b',' }
    }

    /// The value of a parameter as it stands, quotes and escapes included; empty for one without a value.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or_default())
    }

    /// The value of a parameter, of a quoted string what it says; empty for one without a value.
    pub fn value(self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).map(unquoted)
    }

    /// True where there is a parameter of that name.
    pub fn contains(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in order, as they stand.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        Elements { rest: self.text, separator: self.separator }.map(|element| {
            match element.bytes().position(|byte| byte == b'=') {
                None => (element, None),
                Some(at) => (element[..at].trim_ascii_end(), Some(element[at + 1..].trim_ascii_start())),
            }
        })
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.iter().count()
    }

    /// True where there are none.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// Their text.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// `;a=b;c` of all but those of one name.
    pub(crate) fn without(self, name: &str) -> String {
        let mut kept = String::with_capacity(self.text.len() + 32);
        for (found, value) in self.iter().filter(|(found, _)| !found.eq_ignore_ascii_case(name)) {
            kept.push(';');
            kept.push_str(found);
            if let Some(value) = value {
                kept.push('=');
                kept.push_str(value);
            }
        }
        kept
    }
}

/// The elements between separators that stand neither in quotes nor in angle brackets; empty ones left out.
struct Elements<'a> {
    rest: &'a str,
    separator: u8,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let bytes = self.rest.as_bytes();
            let mut at = 0;
            let end = loop {
                match bytes.get(at) {
                    None => break bytes.len(),
                    Some(byte) if *byte == self.separator => break at,
                    Some(b'"' | b'<') => match closed(bytes, at) {
                        Some(behind) => at = behind,
                        None => break bytes.len(),
                    },
                    Some(_) => at += 1,
                }
            };
            let element = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// The place behind what the quote or angle bracket at `open` encloses.
fn closed(bytes: &[u8], open: usize) -> Option<usize> {
    match bytes[open] {
        b'"' => quote_end(bytes, open),
        _ => memchr::memchr(b'>', &bytes[open..]).map(|step| open + step + 1),
    }
}

/// What a quoted string says; any other text as it stands.
pub(crate) fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    unescaped(inner)
}

/// The text between the quotes of a quoted string, without the backslashes of its escapes.
pub(crate) fn unescaped(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            plain => text.push(plain),
        }
    }
    Cow::Owned(text)
}

/// Appends a quoted string. Control characters become spaces.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    if Class::PLAIN.is_all_of(text.as_bytes()) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_ascii_control() => out.push(' '),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Appends the characters of `text` that a token may hold.
pub(crate) fn push_token(out: &mut String, text: &str) {
    if Class::TOKEN.is_all_of(text.as_bytes()) {
        out.push_str(text);
        return;
    }
    out.extend(text.chars().filter(|character| u8::try_from(*character).is_ok_and(is_token)));
}

/// Appends `;name=value` of a header: the value as it stands where the grammar lets it, else as a quoted string.
pub(crate) fn push_param(out: &mut String, name: &str, value: Option<&str>) {
    out.push(';');
    push_token(out, name);
    if let Some(value) = value {
        out.push('=');
        push_value(out, value);
    }
}

/// Appends a token or host as it stands, anything else as a quoted string.
pub(crate) fn push_value(out: &mut String, value: &str) {
    let plain = matches!(grammar::token(value.as_bytes()), Ok(([], _)))
        || matches!(grammar::host(value.as_bytes()), Ok(([], _)))
        || value.parse::<std::net::IpAddr>().is_ok();
    if plain { out.push_str(value) } else { push_quoted(out, value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name_in_any_case() {
        let params = Params::of(r#";lr ; Transport = tcp;n="a;b\"c,";tag=x;tag=y"#);
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.get("transport"), Some("tcp"));
        assert_eq!(params.get("n"), Some(r#""a;b\"c,""#));
        assert_eq!(params.value("n").as_deref(), Some("a;b\"c,"));
        assert_eq!(params.get("tag"), Some("x"));
        assert_eq!(params.get("b\\\"c,\""), None);
        assert_eq!(Params::of(";u=<a;b=1>;b=2").get("b"), Some("2"));
        assert_eq!(params.count(), 5);
        assert!(Params::of("").is_empty() && !params.is_empty());
    }

    #[test]
    fn parameters_between_commas() {
        let params = Params::between_commas(r#"realm="a,b", qop=auth ,nc=1"#);
        assert_eq!(params.value("realm").as_deref(), Some("a,b"));
        assert_eq!(params.get("qop"), Some("auth"));
        assert_eq!(params.get("nc"), Some("1"));
    }

    #[test]
    fn what_is_written_reads_back() {
        for value in ["plain", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "a b", r#"q"u\o"#, "<urn:uuid:1>", "", "ü"]
        {
            let mut out = String::new();
            push_param(&mut out, "name", Some(value));
            assert_eq!(Params::of(&out).value("name").as_deref(), Some(value), "{out}");
        }
        let mut out = String::new();
        push_param(&mut out, "a b;c", Some("x\r\nVia: y"));
        assert_eq!(out, ";abc=\"x  Via: y\"");
    }
}
