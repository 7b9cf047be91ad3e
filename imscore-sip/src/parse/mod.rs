//! From bytes to lines: one pass finds where headers begin and end. What is in them is read when asked for.

pub(crate) mod class;
pub(crate) mod grammar;
mod limits;
mod lines;
pub(crate) mod list;
pub(crate) mod params;
pub(crate) mod part;
mod stream;

pub use limits::Limits;
pub(crate) use lines::{Scan, StartLine, scan};
pub use params::Params;
pub use stream::{Frame, FrameError, Framer};

use crate::message::StatusCode;

/// Why bytes are not a SIP message.
///
/// ```
/// use imscore_sip::parse::{Fault, Limits};
/// use imscore_sip::{Message, ParseError};
///
/// let error: ParseError = Message::parse("OPTIONS sip:h SIP/7.0\r\n\r\n".into()).expect_err("no such version");
/// assert_eq!(error.fault, Fault::Version);
/// let mut limits = Limits::default();
/// limits.lines = 1;
/// let two = "OPTIONS sip:h SIP/2.0\r\nA: 1\r\nB: 2\r\n\r\n";
/// assert_eq!(Message::parse_with(two.into(), &limits).map_err(|error| error.fault).err(), Some(Fault::TooMany));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct ParseError {
    /// Where in the bytes.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with bytes that should be a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is no empty line behind the headers.
    #[error("headers do not end")]
    Incomplete,
    /// Neither a request line nor a status line.
    #[error("start line is malformed")]
    StartLine,
    /// A request or response of another version than SIP/2.0.
    #[error("version is not SIP/2.0")]
    Version,
    /// The Request-URI is longer than [`Limits::uri`].
    #[error("Request-URI is too long")]
    UriTooLong,
    /// A line without a header name in front of a colon.
    #[error("header line has no valid name")]
    HeaderName,
    /// A control character where RFC 3261 §25.1 allows none, a line end that is not CRLF among them.
    #[error("control character")]
    Control,
    /// More lines, folds or bytes in a line than [`Limits`] allow.
    #[error("headers exceed a limit")]
    TooMany,
    /// More bytes than [`Limits::message`] or [`Limits::header_block`].
    #[error("message is too large")]
    TooLarge,
    /// Content-Length is no number, stands twice, or is larger than the datagram, or is missing on a stream.
    #[error("Content-Length is wrong")]
    ContentLength,
}

impl ParseError {
    /// The status that a request with this fault is answered with.
    pub fn status(&self) -> StatusCode {
        match self.fault {
            Fault::Version => StatusCode::VERSION_NOT_SUPPORTED,
            Fault::UriTooLong => StatusCode::REQUEST_URI_TOO_LONG,
            Fault::TooLarge => StatusCode::MESSAGE_TOO_LARGE,
            Fault::Incomplete
            | Fault::StartLine
            | Fault::HeaderName
            | Fault::Control
            | Fault::TooMany
            | Fault::ContentLength => StatusCode::BAD_REQUEST,
        }
    }
}
