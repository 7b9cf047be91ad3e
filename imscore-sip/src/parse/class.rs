//! Classes of bytes. What is asked of every byte of a header costs one look at one table.

/// A set of bytes, by its bit in the table.
#[derive(Clone, Copy)]
pub(crate) struct Class(u32);

impl Class {
    /// `token` (RFC 3261 §25.1).
    pub(crate) const TOKEN: Class = Class(1);
    /// `unreserved` (RFC 3261 §25.1).
    pub(crate) const UNRESERVED: Class = Class(1 << 1);
    /// What a user part or password holds, but for escapes. `#` should be escaped, and is not by phones that dial `*31#`.
    pub(crate) const USER: Class = Class(1 << 2);
    /// `paramchar` (RFC 3261 §25.1), but for escapes.
    pub(crate) const PARAM: Class = Class(1 << 3);
    /// What the value of a URI's parameter holds, but for escapes: also `=`, as base64 has it.
    pub(crate) const PARAM_VALUE: Class = Class(1 << 8);
    /// What the value of a parameter of a `tel` URI holds, but for escapes: also `#`.
    pub(crate) const TEL_VALUE: Class = Class(1 << 9);
    /// What a URI is made of; the grammar of its scheme says more.
    pub(crate) const URI: Class = Class(1 << 4);
    /// What a host name or an IPv4 address is made of.
    pub(crate) const HOST: Class = Class(1 << 5);
    /// What stands in a parameter's value without quotes: more than a token, as phones have it.
    pub(crate) const VALUE: Class = Class(1 << 6);
    /// What a display name without quotes may be made of: tokens and white space; also what is not ASCII, which should
    /// stand in quotes and often does not.
    pub(crate) const DISPLAY: Class = Class(1 << 7);

    /// What a quoted string holds without a backslash.
    pub(crate) const PLAIN: Class = Class(1 << 11);
    /// What a label of a host name is made of.
    pub(crate) const LABEL: Class = Class(1 << 10);
    /// Digits of base 16.
    pub(crate) const HEX: Class = Class(1 << 12);
    /// `pname` of a telephone number (RFC 3966 §3).
    pub(crate) const PNAME: Class = Class(1 << 14);
    /// SP and HTAB.
    pub(crate) const BLANK: Class = Class(1 << 13);

    /// True for a byte of the class.
    #[inline]
    pub(crate) fn has(self, byte: u8) -> bool {
        TABLE[usize::from(byte)] & self.0 != 0
    }

    /// The bytes of the class that a text begins with, and what stands behind them.
    #[inline]
    pub(crate) fn split(self, text: &[u8]) -> (&[u8], &[u8]) {
        let mut at = 0;
        // Four at a time, so that there is one look at the length for four at the table.
        while let Some([a, b, c, d]) = text.get(at..at + 4) {
            let inside = match () {
                _ if !self.has(*a) => 0,
                _ if !self.has(*b) => 1,
                _ if !self.has(*c) => 2,
                _ if !self.has(*d) => 3,
                _ => 4,
            };
            at += inside;
            if inside < 4 {
                return text.split_at(at);
            }
        }
        at += text[at..].iter().position(|byte| !self.has(*byte)).unwrap_or(text.len() - at);
        text.split_at(at)
    }

    /// True for a text of nothing else.
    #[inline]
    pub(crate) fn is_all_of(self, text: &[u8]) -> bool {
        text.iter().fold(self.0, |all, byte| all & TABLE[usize::from(*byte)]) != 0
    }
}

static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = classes(byte as u8);
        byte += 1;
    }
    table
};

const fn classes(byte: u8) -> u32 {
    let plain = byte.is_ascii_alphanumeric();
    let token = plain || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
    let unreserved = plain || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
    let user = unreserved || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/') || byte == b'#';
    let param = unreserved || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$');
    let uri = byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"');
    let host = plain || matches!(byte, b'-' | b'_' | b'.');
    let value = byte.is_ascii_graphic() && !matches!(byte, b'"' | b';' | b',' | b'<' | b'>');
    let display = token || matches!(byte, b' ' | b'\t' | 0x80..);
    let plain_text = !byte.is_ascii_control() && !matches!(byte, b'"' | b'\\');
    (if token { Class::TOKEN.0 } else { 0 })
        | (if unreserved { Class::UNRESERVED.0 } else { 0 })
        | (if user { Class::USER.0 } else { 0 })
        | (if param { Class::PARAM.0 } else { 0 })
        | (if uri { Class::URI.0 } else { 0 })
        | (if host { Class::HOST.0 } else { 0 })
        | (if value { Class::VALUE.0 } else { 0 })
        | (if display { Class::DISPLAY.0 } else { 0 })
        | (if plain_text { Class::PLAIN.0 } else { 0 })
        | (if param || byte == b'=' { Class::PARAM_VALUE.0 } else { 0 })
        | (if param || matches!(byte, b'=' | b'#') { Class::TEL_VALUE.0 } else { 0 })
        | (if plain || byte == b'-' { Class::PNAME.0 } else { 0 })
        | (if host && byte != b'.' { Class::LABEL.0 } else { 0 })
        | (if byte.is_ascii_hexdigit() { Class::HEX.0 } else { 0 })
        | (if byte == b' ' || byte == b'\t' { Class::BLANK.0 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_their_grammar_says() {
        for (class, held, others) in [
            (Class::TOKEN, "azAZ09-.!%*_+`'~", " ()<>@,;:\\\"/[]?={}\t\0\u{7f}ü"),
            (Class::UNRESERVED, "azAZ09-_.!~*'()", "%&=+$,;?/:@#[]"),
            (Class::USER, "azAZ09-_.!~*'()&=+$,;?/#", "@[]<>\" \\%:"),
            (Class::PARAM, "azAZ09-_.!~*'()[]/:&+$", "%=;?,@#<>\""),
            (Class::PARAM_VALUE, "azAZ09-_.!~*'()[]/:&+$=", "%;?,@#<>\""),
            (Class::TEL_VALUE, "azAZ09-_.!~*'()[]/:&+$=#", "%;?,@<>\""),
            (Class::URI, "azAZ09%@:;?=&[]{}|\\^`#", "<>\" \t\0\u{7f}ü"),
            (Class::HOST, "azAZ09-_.", ":[]%@/"),
            (Class::LABEL, "azAZ09-_", ".:[]%@/"),
            (Class::PNAME, "azAZ09-", "_.+%=;"),
            (Class::HEX, "afAF09", "gG:.-"),
            (Class::BLANK, " \t", "\r\n\0\u{b}a"),
            (Class::VALUE, "azAZ09=/:[]@?%", "\";,<> \tü"),
            (Class::PLAIN, "az;,<>@ ü", "\"\\\0\t\r\n\u{7f}"),
            (Class::DISPLAY, "azAZ09-.!%*_+`'~ \tü", "<>\"@:;,()\0"),
        ] {
            assert!(class.is_all_of(held.as_bytes()), "{held}");
            assert!(held.bytes().all(|byte| class.has(byte)), "{held}");
            for byte in others.bytes().filter(|byte| others.is_ascii() || *byte < 0x80) {
                assert!(!class.has(byte), "{held} {byte:#x}");
                assert!(!class.is_all_of(&[b'a', byte, b'b']), "{held} {byte:#x}");
            }
        }
        assert_eq!(Class::TOKEN.split(b"tag=1"), (&b"tag"[..], &b"=1"[..]));
        for at in 0..12 {
            let (text, end) = (&b"longer-token"[..at], &b"=longer"[..]);
            assert_eq!(Class::TOKEN.split(&[text, end].concat()), (text, end));
            assert_eq!(Class::TOKEN.split(text), (text, &b""[..]));
        }
        assert_eq!(Class::TOKEN.split(b""), (&b""[..], &b""[..]));
        assert_eq!(Class::TOKEN.split(b"=1"), (&b""[..], &b"=1"[..]));
        assert!(
            !Class::URI.has(0xc3) && !Class::VALUE.has(0xc3) && !Class::TOKEN.has(0xc3) && Class::DISPLAY.has(0xc3)
        );
    }
}
