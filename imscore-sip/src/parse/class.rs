//! Classes of bytes. What is asked of every byte of a header costs one look at one table.

/// A set of bytes, by its bit in the table.
#[derive(Clone, Copy)]
pub(crate) struct Class(u16);

impl Class {
    /// `token` (RFC 3261 §25.1).
    pub(crate) const TOKEN: Class = Class(1);
    /// `unreserved` (RFC 3261 §25.1).
    pub(crate) const UNRESERVED: Class = Class(1 << 1);
    /// What a user part or password holds. `#` should be escaped, and is not by phones that dial `*31#`.
    pub(crate) const USER: Class = Class(1 << 2);
    /// `paramchar` (RFC 3261 §25.1), but for escapes.
    pub(crate) const PARAM: Class = Class(1 << 3);
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
    /// `%`, which begins an escape.
    pub(crate) const ESCAPE: Class = Class(1 << 8);
    /// `@`, which ends a user part.
    pub(crate) const AT: Class = Class(1 << 9);
    /// `?`, which begins the headers of a URI.
    pub(crate) const QUESTION: Class = Class(1 << 10);

    /// True for a byte of the class.
    #[inline]
    pub(crate) fn has(self, byte: u8) -> bool {
        TABLE[usize::from(byte)] & self.0 != 0
    }

    /// True for a text of nothing else.
    #[inline]
    pub(crate) fn is_all_of(self, text: &[u8]) -> bool {
        text.iter().fold(self.0, |all, byte| all & TABLE[usize::from(*byte)]) != 0
    }
}

/// What one look at each byte of a text tells.
#[derive(Clone, Copy)]
pub(crate) struct Survey {
    all: u16,
    any: u16,
}

impl Survey {
    /// Looks at a text.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Survey {
        text.iter().fold(Survey { all: u16::MAX, any: 0 }, |seen, byte| {
            let classes = TABLE[usize::from(*byte)];
            Survey { all: seen.all & classes, any: seen.any | classes }
        })
    }

    /// True where every byte is of the class.
    pub(crate) fn all(self, class: Class) -> bool {
        self.all & class.0 != 0
    }

    /// True where a byte is of the class.
    pub(crate) fn any(self, class: Class) -> bool {
        self.any & class.0 != 0
    }
}

static TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = classes(byte as u8);
        byte += 1;
    }
    table
};

const fn classes(byte: u8) -> u16 {
    let plain = byte.is_ascii_alphanumeric();
    let token = plain || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
    let unreserved = plain || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
    let user = unreserved
        || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
        || matches!(byte, b'%' | b':' | b'#');
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
        | (if byte == b'%' { Class::ESCAPE.0 } else { 0 })
        | (if byte == b'@' { Class::AT.0 } else { 0 })
        | (if byte == b'?' { Class::QUESTION.0 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_their_grammar_says() {
        for (class, held, others) in [
            (Class::TOKEN, "azAZ09-.!%*_+`'~", " ()<>@,;:\\\"/[]?={}\t\0\u{7f}ü"),
            (Class::UNRESERVED, "azAZ09-_.!~*'()", "%&=+$,;?/:@#[]"),
            (Class::USER, "azAZ09-_.!~*'()&=+$,;?/%:#", "@[]<>\" \\"),
            (Class::PARAM, "azAZ09-_.!~*'()[]/:&+$", "%=;?,@#<>\""),
            (Class::URI, "azAZ09%@:;?=&[]{}|\\^`#", "<>\" \t\0\u{7f}ü"),
            (Class::HOST, "azAZ09-_.", ":[]%@/"),
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
        let survey = Survey::of(b"a@b");
        assert!(survey.all(Class::URI) && survey.any(Class::AT) && survey.any(Class::HOST));
        assert!(!survey.all(Class::HOST) && !survey.any(Class::ESCAPE) && !survey.any(Class::QUESTION));
        assert!(Survey::of(b"").all(Class::TOKEN) && !Survey::of(b"").any(Class::TOKEN));
        assert!(
            !Class::URI.has(0xc3) && !Class::VALUE.has(0xc3) && !Class::TOKEN.has(0xc3) && Class::DISPLAY.has(0xc3)
        );
    }
}
