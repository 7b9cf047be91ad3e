//! Messages out of a stream of bytes (RFC 3261 §18.3), and the keep-alives between them (RFC 5626 §4.4.1).
//!
//! On a stream Content-Length alone says where a message ends. Whoever can make two readers disagree on it can hide a
//! request in the body of another, so a message without it, with two of them, or with one that is no number ends
//! the connection: nothing behind it is read. What the [`Framer`] hands out goes to
//! [`Message::parse`](crate::Message::parse), which judges everything else; bytes that it refuses end the connection
//! too.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr;

use super::lines::{header_name, is_token, number};
use super::{Fault, Limits, ParseError};
use crate::header::Name;

/// Bytes that [`Framer::spare`] has room for at least.
const READ: usize = 4096;

/// Cuts the bytes of one connection into messages.
///
/// Each byte is looked at once, however the stream is cut into segments. After each input, call
/// [`next_frame`](Framer::next_frame) until it says `None`; then at most one message is held, and no more than
/// [`Limits::message`] bytes of it.
///
/// ```
/// use imscore_sip::parse::{Frame, Framer, Limits};
///
/// let mut framer = Framer::new(Limits::default());
/// framer.push(b"\r\n\r\nOPTIONS sip:bob@ims.example SIP/2.0\r\nContent-Le");
/// assert_eq!(framer.next_frame()?, Some(Frame::Ping));
/// assert_eq!(framer.next_frame()?, None);
/// framer.push(b"ngth: 0\r\n\r\n");
/// assert!(matches!(framer.next_frame()?, Some(Frame::Message(bytes)) if bytes.ends_with(b"0\r\n\r\n")));
/// # Ok::<(), imscore_sip::parse::FrameError>(())
/// ```
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    buffer: BytesMut,
    state: State,
    awaits_pong: bool,
}

/// What a stream consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message. They share the memory that they were read into.
    Message(Bytes),
    /// The peer asks whether we are there: answer with a single CRLF.
    Ping,
    /// The answer to a ping of ours.
    Pong,
}

/// Why a stream cannot be read further. Answer with [`salvage_reply`](crate::message::salvage_reply) of these two,
/// where it has an answer, and close the connection.
///
/// ```
/// use imscore_sip::parse::{Fault, FrameError, Framer, Limits};
///
/// let mut framer = Framer::new(Limits::default());
/// framer.push(b"GET / HTTP/1.1\r\n\r\n");
/// let refused: FrameError = framer.next_frame().expect_err("not SIP");
/// assert_eq!(refused.error.fault, Fault::StartLine);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct FrameError {
    /// The start line and headers, as far as they were read.
    pub bytes: Bytes,
    /// What is wrong with them.
    pub error: ParseError,
}

#[derive(Clone, Debug)]
enum State {
    /// Where a message begins. `crlf`: one CRLF was seen, which a second one makes a ping.
    Between { crlf: bool },
    /// In the start line; no line end before `scanned`.
    StartLine { scanned: usize },
    /// In the headers.
    Headers(Block),
    /// The headers are complete; the message ends at `end`.
    Body { end: usize },
    /// After an error. What comes is dropped.
    Closed,
}

/// How far a header block is read; offsets into the buffer.
#[derive(Clone, Debug)]
struct Block {
    /// No line end between here and `line`.
    scanned: usize,
    /// Where the line begins that is not complete yet.
    line: usize,
    /// Where the last header begins, whose continuation the next line may be.
    header: usize,
    content_length: Option<usize>,
    /// The first thing found to be wrong. It is reported when the headers end, so that there is a Via to answer to.
    fault: Option<ParseError>,
}

impl Framer {
    /// A framer at the first byte of a connection. Of the limits it keeps `message` and `header_block`.
    pub fn new(limits: Limits) -> Framer {
        Framer { limits, buffer: BytesMut::new(), state: State::Between { crlf: false }, awaits_pong: false }
    }

    /// Takes bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Room to read into directly, 4 KiB at least and 64 KiB at most.
    pub fn spare(&mut self) -> impl BufMut + '_ {
        if matches!(self.state, State::Closed) {
            self.buffer.clear();
        }
        self.buffer.reserve(READ);
        (&mut self.buffer).limit(65_536)
    }

    /// Says that a ping was sent: the next CRLF between messages is its answer.
    pub fn ping_sent(&mut self) {
        self.awaits_pong = true;
    }

    /// True where the peer has begun a message and not finished it: its time is running.
    pub fn is_in_message(&self) -> bool {
        matches!(self.state, State::StartLine { .. } | State::Headers(_) | State::Body { .. })
    }

    /// The next frame, or `None` until more bytes come.
    ///
    /// # Errors
    /// What makes it impossible or unsafe to say where the message ends. After that nothing comes but `None`.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.state {
                State::Between { crlf } => match *self.buffer {
                    [] | [b'\r'] => return Ok(None),
                    [b'\r', b'\n', ..] => {
                        let second = std::mem::replace(crlf, !*crlf);
                        let _ = self.buffer.split_to(2);
                        if std::mem::take(&mut self.awaits_pong) {
                            self.state = State::Between { crlf: false };
                            return Ok(Some(Frame::Pong));
                        }
                        if second {
                            return Ok(Some(Frame::Ping));
                        }
                    }
                    [first, ..] if is_token(first) => self.state = State::StartLine { scanned: 0 },
                    [..] => return Err(self.close(1, 0, Fault::StartLine)),
                },
                State::StartLine { scanned } => {
                    let window = self.limits.window(&self.buffer);
                    let Some(end) = memchr(b'\n', &window[*scanned..]).map(|at| *scanned + at + 1) else {
                        *scanned = window.len();
                        return self.want_more(window.len());
                    };
                    if !is_sip(&self.buffer[..end]) {
                        return Err(self.close(end, 0, Fault::StartLine));
                    }
                    let fault = bare_line_end(&self.buffer[..end], end);
                    self.state =
                        State::Headers(Block { scanned: end, line: end, header: end, content_length: None, fault });
                }
                State::Headers(block) => {
                    let window = self.limits.window(&self.buffer);
                    let Some(end) = memchr(b'\n', &window[block.scanned..]).map(|at| block.scanned + at + 1) else {
                        block.scanned = window.len();
                        return self.want_more(window.len());
                    };
                    if !block.take_line(&self.buffer, end, &self.limits) {
                        continue;
                    }
                    self.state = match block.message_end(end, &self.limits) {
                        Ok(end) => State::Body { end },
                        Err(error) => return Err(self.close(end, error.offset, error.fault)),
                    };
                }
                State::Body { end } => {
                    let end = *end;
                    if self.buffer.len() < end {
                        return Ok(None);
                    }
                    self.state = State::Between { crlf: false };
                    return Ok(Some(Frame::Message(self.buffer.split_to(end).freeze())));
                }
                State::Closed => return Ok(None),
            }
        }
    }

    /// The headers do not end within `seen` bytes; as many as may be make it final.
    fn want_more(&mut self, seen: usize) -> Result<Option<Frame>, FrameError> {
        if seen < self.limits.block() {
            return Ok(None);
        }
        Err(self.close(seen, seen, Fault::TooLarge))
    }

    /// The error of a stream whose last `end` bytes are the headers of what is wrong.
    fn close(&mut self, end: usize, offset: usize, fault: Fault) -> FrameError {
        self.state = State::Closed;
        let bytes = self.buffer.split_to(end).freeze();
        self.buffer = BytesMut::new();
        FrameError { bytes, error: ParseError { offset, fault } }
    }
}

impl Block {
    /// Takes the line that ends at `end`. True: it is the empty one behind the headers.
    fn take_line(&mut self, bytes: &[u8], end: usize, limits: &Limits) -> bool {
        let begin = std::mem::replace(&mut self.line, end);
        self.scanned = end;
        let line = &bytes[begin..end];
        self.fault = self.fault.or(bare_line_end(line, end));
        if matches!(line, [b' ' | b'\t', ..]) {
            return false;
        }
        let header = std::mem::replace(&mut self.header, begin);
        self.take_header(&bytes[header..begin], header, limits);
        matches!(line, b"\r\n" | b"\n")
    }

    /// Looks at a whole header for Content-Length, which is spelled `c…` or `l`.
    fn take_header(&mut self, header: &[u8], at: usize, limits: &Limits) {
        let Some(b'c' | b'C' | b'l' | b'L') = header.first() else {
            return;
        };
        let Some((Name::CONTENT_LENGTH, value)) = header_name(header, limits) else {
            return;
        };
        match number(header[value..].trim_ascii()) {
            Some(length) if self.content_length.is_none() => self.content_length = Some(length),
            _ => self.fault = self.fault.or(Some(ParseError { offset: at, fault: Fault::ContentLength })),
        }
    }

    /// Where the message ends whose headers end at `end`.
    fn message_end(&self, end: usize, limits: &Limits) -> Result<usize, ParseError> {
        if let Some(error) = self.fault {
            return Err(error);
        }
        // RFC 3261 §18.3: on a stream Content-Length must be there.
        let length = self.content_length.ok_or(ParseError { offset: end, fault: Fault::ContentLength })?;
        if length > limits.message.saturating_sub(end) {
            return Err(ParseError { offset: end, fault: Fault::TooLarge });
        }
        Ok(end + length)
    }
}

impl Limits {
    /// Bytes that start line and headers may take.
    fn block(&self) -> usize {
        self.header_block.min(usize::from(u16::MAX)).min(self.message)
    }

    /// The part of `bytes` in which start line and headers must end.
    fn window<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..bytes.len().min(self.block())]
    }
}

/// True for what may be a SIP start line. A browser that is made to send HTTP to this port cannot write one.
fn is_sip(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let last = &line[memchr::memrchr(b' ', line).map_or(0, |space| space + 1)..];
    [line, last].iter().any(|text| text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")))
}

/// A line end without CR: other readers may see the headers end elsewhere.
fn bare_line_end(line: &[u8], end: usize) -> Option<ParseError> {
    (!line.ends_with(b"\r\n")).then_some(ParseError { offset: end - 1, fault: Fault::Control })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Message, salvage_reply};

    const OPTIONS: &str = "OPTIONS sip:bob@ims.example SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n";

    /// Everything that a stream of these segments becomes, an error as the last.
    fn frames<'a>(segments: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Vec<Result<Frame, FrameError>> {
        let mut framer = Framer::new(limits.clone());
        let mut found = Vec::new();
        for segment in segments {
            framer.push(segment);
            loop {
                match framer.next_frame() {
                    Ok(None) => break,
                    Ok(Some(frame)) => found.push(Ok(frame)),
                    Err(error) => found.push(Err(error)),
                }
            }
        }
        found
    }

    /// The frames of a stream, in one segment and in segments of one byte.
    fn check(text: &str, expected: &[Result<&str, Fault>]) {
        for size in [1, text.len().max(1)] {
            let found = frames(text.as_bytes().chunks(size), &Limits::default());
            let found: Vec<Result<String, Fault>> = found
                .into_iter()
                .map(|frame| match frame {
                    Ok(Frame::Message(bytes)) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
                    Ok(Frame::Ping) => Ok("ping".to_string()),
                    Ok(Frame::Pong) => Ok("pong".to_string()),
                    Err(error) => Err(error.error.fault),
                })
                .collect();
            let expected: Vec<_> = expected.iter().map(|frame| frame.map(str::to_string)).collect();
            assert_eq!(found, expected, "segments of {size} bytes of {text:?}");
        }
    }

    fn options(headers: &str, body: &str) -> String {
        format!("{OPTIONS}{headers}\r\n{body}")
    }

    /// RFC 3261 §18.3; threats P10, D5: nothing behind a doubtful length is read.
    #[test]
    fn content_length_alone_says_where_a_message_ends() {
        let inner = options("Content-Length: 0\r\n", "");
        for (headers, expected) in [
            ("Content-Length: 4\r\n", None),
            ("l:4\r\n", None),
            ("L: 4\r\n", None),
            (" Content-Length: 9\r\nContent-Length: 4\r\n", None),
            ("CONTENT-LENGTH \t:\t 4 \r\n", None),
            ("Content-Length:\r\n 4\r\n", None),
            ("Content-Length: 0004\r\n", None),
            ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", None),
            ("X-Content-Length: 9\r\nContent-Length-X: 9\r\nX: a\r\n Content-Length: 9\r\nl: 4\r\n", None),
            ("", Some(Fault::ContentLength)),
            ("Transfer-Encoding: chunked\r\n", Some(Fault::ContentLength)),
            ("Content-Length:\r\n", Some(Fault::ContentLength)),
            ("Content-Length: -1\r\n", Some(Fault::ContentLength)),
            ("Content-Length: +4\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 4 4\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 4\r\n 4\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 4,4\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 0x4\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 4\r\nContent-Length: 4\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 4\r\nl: 0\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 2147483648\r\n", Some(Fault::TooLarge)),
            ("Content-Length: 9999999999\r\n", Some(Fault::TooLarge)),
            ("Content-Length: 18446744073709551620\r\n", Some(Fault::ContentLength)),
            ("Content-Length: 4\n\r\n", Some(Fault::Control)),
            ("Content-Length: 4\r\nSubject: a\nb\r\n", Some(Fault::Control)),
            ("Subject: a\n\n", Some(Fault::Control)),
        ] {
            let first = options(headers, "body");
            match expected {
                None => check(&format!("{first}{inner}"), &[Ok(&first), Ok(&inner)]),
                Some(fault) => check(&format!("{first}{inner}"), &[Err(fault)]),
            }
        }
    }

    /// Threat M9: what a browser sends ends at its first line; so does TLS.
    #[test]
    fn the_first_line_must_be_one_of_sip() {
        let sip = options("Content-Length: 0\r\n", "");
        for start in [
            "POST / HTTP/1.1\r\nContent-Length: 900\r\n\r\n",
            "POST sip:bob@ims.example HTTP/1.1\r\n",
            "OPTIONS sip:bob@ims.example\r\n",
            "\u{16}\u{3}\u{1}",
            " OPTIONS sip:bob@ims.example SIP/2.0\r\n",
            "\n",
            "\rOPTIONS",
        ] {
            check(&format!("{start}{sip}"), &[Err(Fault::StartLine)]);
        }
    }

    #[test]
    fn a_hundred_messages_in_one_segment_are_a_hundred_frames() {
        let messages: Vec<String> =
            (0..100).map(|count| options(&format!("Content-Length: {count}\r\n"), &"b".repeat(count))).collect();
        let expected: Vec<Result<&str, Fault>> = messages.iter().map(|message| Ok(message.as_str())).collect();
        check(&messages.concat(), &expected);
    }

    /// RFC 5626 §4.4.1, and RFC 3261 §7.5 for the CRLF that is none.
    #[test]
    fn two_line_ends_are_a_ping_and_one_is_nothing() {
        let message = options("Content-Length: 2\r\n", "\r\n");
        for (text, expected) in [
            ("\r\n\r\n".to_string(), vec![Ok("ping")]),
            ("\r\n\r\n\r\n\r\n\r\n".to_string(), vec![Ok("ping"), Ok("ping")]),
            (format!("\r\n{message}\r\n"), vec![Ok(message.as_str())]),
            (format!("\r\n{message}\r\n\r\n{message}"), vec![Ok(&message), Ok("ping"), Ok(&message)]),
        ] {
            check(&text, &expected);
        }
    }

    #[test]
    fn the_answer_to_a_ping_is_one_line_end() {
        let mut framer = Framer::new(Limits::default());
        let mut next = |bytes: &[u8], pinged: bool| {
            if pinged {
                framer.ping_sent();
            }
            framer.push(bytes);
            std::iter::from_fn(|| framer.next_frame().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(next(b"\r\n\r\n\r\n", true), [Frame::Pong, Frame::Ping]);
        assert_eq!(next(b"\r\n", false), []);
        assert_eq!(next(b"\r\n", true), [Frame::Pong]);
        assert_eq!(next(b"\r\n", false), []);
        assert_eq!(next(b"\r\n", false), [Frame::Ping]);
    }

    #[test]
    fn an_error_carries_the_headers_for_an_answer() {
        for (headers, status) in [("X: 1\r\n", "400"), ("l: 70000\r\n", "513"), ("l: 1\r\nl: 1\r\n", "400")] {
            let text = options(headers, "the body");
            let Some(Err(FrameError { bytes, error })) = frames([text.as_bytes()], &Limits::default()).pop() else {
                panic!("an error for {headers:?}")
            };
            assert_eq!(bytes, text[..text.len() - "the body".len()]);
            let reply = salvage_reply(&bytes, &error).unwrap();
            assert!(reply.starts_with(format!("SIP/2.0 {status} ").as_bytes()), "{reply:?}");
        }
    }

    /// Threats D5, D6: one below, at, and one above each limit, and nothing is held beyond.
    #[test]
    fn limits_hold() {
        let limits = Limits { message: 300, header_block: 200, ..Limits::default() };
        let sized = |block: usize, length: usize| {
            let head = options(&format!("l: {length}\r\nX: \r\n"), "");
            options(&format!("l: {length}\r\nX: {}\r\n", "x".repeat(block - head.len())), &"b".repeat(length))
        };
        for (block, length, expected) in [
            (199, 0, None),
            (200, 0, None),
            (201, 0, Some(Fault::TooLarge)),
            (150, 149, None),
            (150, 150, None),
            (150, 151, Some(Fault::TooLarge)),
        ] {
            let message = sized(block, length);
            for size in [1, 7, 1000] {
                let found = frames(message.as_bytes().chunks(size), &limits);
                let fault = found.iter().find_map(|frame| frame.as_ref().err().map(|error| error.error.fault));
                assert_eq!((found.len(), fault), (1, expected), "{block} + {length} by {size}");
            }
        }
        let endless = format!("OPTIONS sip:{} SIP/2.0", "x".repeat(400));
        assert_eq!(frames([endless.as_bytes()], &limits).len(), 1);

        let mut framer = Framer::new(limits);
        framer.push(sized(150, 151).as_bytes());
        assert!(framer.next_frame().is_err());
        framer.push(&[b'x'; 100_000]);
        assert_eq!((framer.next_frame(), framer.buffer.capacity()), (Ok(None), 0));
    }

    #[test]
    fn a_message_that_has_begun_is_waited_for() {
        let mut framer = Framer::new(Limits::default());
        for (bytes, expected) in
            [("\r", false), ("\n", false), ("O", true), (&OPTIONS[1..], true), ("l:2\r\n\r\nb", true), ("b", false)]
        {
            framer.push(bytes.as_bytes());
            let _ = framer.next_frame().unwrap();
            assert_eq!(framer.is_in_message(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn bytes_are_read_in_place() {
        let text = options("l: 0\r\n", "");
        let mut framer = Framer::new(Limits::default());
        let mut spare = framer.spare();
        assert!(spare.chunk_mut().len() >= READ);
        spare.put_slice(text.as_bytes());
        drop(spare);
        assert_eq!(framer.next_frame(), Ok(Some(Frame::Message(text.into()))));
    }

    /// Threat D6: a header block that comes byte by byte costs no more than one that comes at once.
    #[test]
    fn no_byte_is_looked_at_twice() {
        let mut framer = Framer::new(Limits::default());
        for byte in options(&format!("X: {}\r\n", "x".repeat(400)), "").strip_suffix("\r\n").unwrap().bytes() {
            framer.push(&[byte]);
            assert_eq!(framer.next_frame(), Ok(None));
            let scanned = match framer.state {
                State::StartLine { scanned } => scanned,
                State::Headers(ref block) => block.scanned,
                State::Between { .. } | State::Body { .. } | State::Closed => panic!("{:?}", framer.state),
            };
            assert_eq!(scanned, framer.buffer.len());
        }
    }

    /// A stream of things that a peer sends, whole and broken.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => (0usize..40).prop_map(|length| options(&format!("l: {length}\r\n"), &"\r\nl: 3".repeat(9)[..length])),
            2 => Just("\r\n\r\n".to_string()),
            1 => Just("\r\n".to_string()),
            1 => Just(options("Subject: a\r\n b\r\nContent-Length:\r\n\t0\r\n", "")),
            1 => Just(options("l: 1\r\nl: 2\r\n", "")),
            1 => Just(options("Subject: a\nl: 2\r\n", "")),
            1 => Just(options(&format!("Subject: {}\r\n", "x".repeat(300)), "")),
            1 => "\\PC{0,9}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_segments(text in stream(), cuts in prop::collection::vec(1usize..90, 1..60)) {
            let limits = Limits { message: 400, header_block: 300, ..Limits::default() };
            let mut rest = &text[..];
            let segments = cuts.iter().cycle().map_while(|cut| {
                let (segment, behind) = rest.split_at((*cut).min(rest.len()));
                rest = behind;
                (!segment.is_empty()).then_some(segment)
            });
            prop_assert_eq!(frames(segments, &limits), frames([&text[..]], &limits));
        }

        /// The parser sees each frame end where the framer does.
        #[test]
        fn a_frame_is_one_message(text in stream()) {
            for frame in frames([&text[..]], &Limits::default()) {
                if let Ok(Frame::Message(bytes)) = frame && let Ok(message) = Message::parse(bytes.clone()) {
                    prop_assert_eq!(message.to_bytes(), bytes);
                }
            }
        }
    }
}
