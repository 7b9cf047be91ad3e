//! What one message may hold. Over a limit a request gets a status, a response is dropped, a stream is closed.

/// Limits on what a stranger can send, in bytes or counts. Every one is a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a whole message. Over it: 513.
    pub message: usize,
    /// Bytes of start line and headers, at most 65,535. Over it: 513.
    pub header_block: usize,
    /// Header lines of a message. Over it: 400.
    pub lines: usize,
    /// Bytes of one header line, folds included, at most 65,535. Over it: 400.
    pub line: usize,
    /// Continuation lines of one header. Over it: 400.
    pub folds: usize,
    /// Bytes of a Request-URI. Over it: 414.
    pub uri: usize,
    /// Bytes of a method. Over it: 400.
    pub method: usize,
    /// Bytes of a header name. Over it: 400.
    pub name: usize,
}

impl Limits {
    /// For what was written here: whatever the owner's limits let in, and the line that was added to it.
    pub(crate) const OWN: Limits = Limits {
        message: usize::MAX,
        header_block: 65_535,
        lines: usize::MAX,
        line: 65_535,
        folds: usize::MAX,
        uri: 65_535,
        method: 65_535,
        name: 65_535,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message: 65_536,
            header_block: 32_768,
            lines: 256,
            line: 8_192,
            folds: 64,
            uri: 2_048,
            method: 64,
            name: 256,
        }
    }
}
